"""How soon one curve arrives at another's end, accuracy at equal mIoU, and what the classes' areas say."""

import numpy as np
import pandas as pd
import pytest

from depthseg_lib.analysis.learning_curves import (
    accuracy_gap,
    accuracy_gaps,
    arrival,
    arrivals,
    class_gains,
    class_history,
    class_shares,
    classes_meant,
    envelope,
    gap_at_equal,
)
from depthseg_lib.data.labels import KITTI


def runs(*curves) -> pd.DataFrame:
    """One trial per curve, evaluated at iterations 0, 100, 200, ..."""
    parts = [
        pd.DataFrame({"trial": trial, "iteration": 100 * np.arange(len(curve)), "miou": curve})
        for trial, curve in enumerate(curves)
    ]
    return pd.concat(parts).sample(frac=1, random_state=1)  # their order is not the frame's


SLOW = [0.0, 0.1, 0.2, 0.3, 0.4]
"""Ends at 0.4; 95 % of it, 0.38, is reached at 380."""


def test_ratio_of_the_iterations_to_the_others_own():
    """a reaches 0.38 at 95, b at 380: a quarter."""
    found = arrival(runs([0.0, 0.4, 0.4, 0.4, 0.4]), runs(SLOW), "miou")
    assert (found.taken.mean, found.needed.mean) == pytest.approx((95, 380))
    assert found.ratio.mean == pytest.approx(0.25) and np.isnan(found.ratio.low) and found.ratio.trials == 1
    assert arrival(runs(SLOW), runs(SLOW), "miou").ratio.mean == pytest.approx(1)


def test_interval_is_that_of_the_logarithms():
    fast = [[0.0, 0.4, 0.4, 0.4, 0.4], [0.0, 0.2, 0.4, 0.4, 0.4]]  # a quarter, and a half
    found = arrival(runs(*fast), runs(SLOW, SLOW), "miou")
    assert found.ratio.mean == pytest.approx(np.sqrt(0.25 * 0.5))
    half = 12.7062 * np.log(2) / np.sqrt(2) / np.sqrt(2)  # t at one degree of freedom, deviation of two logarithms
    assert np.log(found.ratio.high / found.ratio.mean) == pytest.approx(half, rel=1e-4)
    assert found.ratio.low > 0


def test_a_trial_that_never_arrives_makes_the_mean_a_lower_bound():
    found = arrival(runs([0.0, 0.4, 0.4, 0.4, 0.4], [0.0, 0.1, 0.1, 0.1, 0.1]), runs(SLOW, SLOW), "miou")
    assert found.never == 1 and found.ratio.high == found.taken.high == np.inf and found.taken.mean == (95 + 400) / 2
    assert found.ratio.mean == pytest.approx(np.sqrt(0.25 * 400 / 380))


def test_where_there_is_nothing_to_arrive_at_there_is_no_ratio():
    flat = [0.2] * 5
    found = arrival(runs(SLOW, SLOW), runs(flat, SLOW), "miou")
    assert found.left_out == 1 and found.ratio.trials == 1
    assert arrival(runs(SLOW), runs(SLOW).assign(trial=5), "miou").ratio.trials == 0


def test_a_trial_that_is_there_before_training_makes_the_mean_an_upper_bound():
    """It counts with the first evaluation after that, at 100; the other arrives at 95, both where b needs 380."""
    found = arrival(runs([0.4, 0.4, 0.4, 0.4, 0.4], [0.0, 0.4, 0.4, 0.4, 0.4]), runs(SLOW, SLOW), "miou")
    assert (found.at_once, found.left_out, found.never, found.ratio.trials) == (1, 0, 0, 2)
    assert found.ratio.low == found.taken.low == 0 and found.taken.mean == pytest.approx((100 + 95) / 2)
    assert found.ratio.mean == pytest.approx(np.sqrt(100 * 95) / 380) and found.ratio.high > found.ratio.mean
    frame = pd.concat([runs(SLOW).assign(initialisation="none"), runs([0.4] * 5).assign(initialisation="depth")])
    row = arrivals(frame.assign(encoder="slim"), [("depth", "none")], "miou", ["encoder"]).iloc[0]
    assert (row["at_once"], row["never"], row["from"], row["ratio"]) == (1, 0, 0, pytest.approx(100 / 380))


def test_a_row_for_each_pair_without_the_trials_that_stopped_early():
    slow, fast = runs(SLOW, SLOW, SLOW), runs([0.0, 0.4, 0.4, 0.4, 0.4], [0.0, 0.4, 0.4, 0.4, 0.4], [0.0, 0.4])
    frame = pd.concat([slow.assign(initialisation="none"), fast.assign(initialisation="depth")]).assign(encoder="slim")
    found = arrivals(frame, [("depth", "none"), ("flow", "none")], "miou", ["encoder"])
    row = found.iloc[0]
    assert len(found) == 1 and (row["a"], row["b"], row["trials"], row["never"]) == ("depth", "none", 2, 0)
    assert list(row[["iterations", "own", "ratio", "low"]]) == pytest.approx([95, 380, 0.25, 0.25])


def history(miou, accuracy, trial=0, **more) -> pd.DataFrame:
    """One trial's evaluations at iterations 10, 20, ... after an untrained one that counts for nothing."""
    rows = {"trial": trial, "iteration": 10 * np.arange(len(miou) + 1), "miou": [0.9, *miou], **more}
    return pd.DataFrame(rows | {"accuracy": [0.1, *accuracy]})


def line(levels, offset=0.0, slope=1.0):
    levels = np.asarray(levels, float)
    return levels, offset + slope * levels


def test_parallel_lines_differ_by_their_offset_whatever_their_points():
    a, b = line([0.2, 0.3, 0.6], 0.4), line([0.1, 0.25, 0.5, 0.55], 0.35)
    assert gap_at_equal(a, b) == pytest.approx((0.05, 0.2, 0.55))
    assert gap_at_equal(b, a)[0] == pytest.approx(-0.05)


def test_crossing_lines_are_averaged_over_the_common_range():
    """a - b runs from -0.1 at 0.2 to 0.3 at 0.6: mean 0.1 over the range."""
    a, b = line([0.2, 0.6], -0.3, 2.0), line([0.2, 0.6], 0.0, 1.0)
    assert gap_at_equal(a, b)[0] == pytest.approx(0.1)
    assert gap_at_equal(line([0.2, 0.4], -0.3, 2.0), b)[0] == pytest.approx(0.0)  # -0.1 to 0.1


def test_a_kink_inside_the_range_counts_as_it_lies():
    """b is 0.5 at both ends and 0.7 at 0.3 of 0.2..0.6; a is flat at 0.5: the triangle has a mean of -0.1."""
    flat, kinked = (np.array([0.2, 0.6]), np.array([0.5, 0.5])), (np.array([0.2, 0.3, 0.6]), np.array([0.5, 0.7, 0.5]))
    assert gap_at_equal(flat, kinked)[0] == pytest.approx(-0.1)


def test_exact_mean_is_that_of_a_fine_grid():
    seed = np.random.default_rng(3)
    a, b = ((np.sort(seed.random(7)), seed.random(7)) for _ in range(2))
    gap, low, high = gap_at_equal(a, b)
    edges = np.linspace(low, high, 200_001)
    middles = (edges[1:] + edges[:-1]) / 2
    assert gap == pytest.approx((np.interp(middles, *a) - np.interp(middles, *b)).mean(), abs=1e-6)


def test_without_a_common_range_there_is_no_difference():
    assert np.isnan(gap_at_equal(line([0.1, 0.2]), line([0.3, 0.4]))).all()
    assert np.isnan(gap_at_equal(line([0.1, 0.2]), line([0.2, 0.4]))).all()  # a point is no range
    assert np.isnan(gap_at_equal(line([]), line([0.2, 0.4]))).all()


def test_envelope_leaves_out_falls_and_the_untrained_layer():
    levels, accuracy = envelope(history([0.2, 0.1, 0.4, 0.4, 0.5], [0.5, 0.9, 0.6, 0.8, 0.7]), "miou")
    assert list(levels) == [0.2, 0.4, 0.5] and list(accuracy) == [0.5, 0.6, 0.7]


def test_trials_are_paired():
    """The trials lie far apart; each one's own difference is 0.02."""
    courses = [([0.1, 0.5], [0.3, 0.5]), ([0.1, 0.5], [0.6, 0.9]), ([0.2, 0.6], [0.1, 0.2])]
    a = pd.concat(history(m, np.add(p, 0.02), t) for t, (m, p) in enumerate(courses))
    b = pd.concat(history(m, p, t) for t, (m, p) in enumerate(courses))
    gap = accuracy_gap(a, b, "miou")
    assert (gap.interval.low, gap.interval.high) == pytest.approx((0.02, 0.02)) and gap.interval.trials == 3
    assert (gap.low, gap.high, gap.apart) == (pytest.approx(0.4 / 3), pytest.approx(1.6 / 3), 0)


def test_trials_apart_are_counted_and_not_averaged():
    a = pd.concat([history([0.1, 0.2], [0.5, 0.6], 0), history([0.1, 0.5], [0.5, 0.6], 1)])
    b = pd.concat([history([0.3, 0.4], [0.5, 0.6], 0), history([0.1, 0.5], [0.4, 0.5], 1)])
    gap = accuracy_gap(a, b, "miou")
    assert gap.interval.trials == gap.apart == 1 and gap.interval.mean == pytest.approx(0.1)
    none = accuracy_gap(a[a["trial"] == 0], b[b["trial"] == 0], "miou")
    assert np.isnan(none.interval.mean) and np.isnan(none.low) and none.apart == 1
    assert accuracy_gap(a, b.assign(trial=7), "miou").interval.trials == 0


def test_a_row_for_each_pair_that_was_run():
    part = [history([0.1, 0.5], [0.3, 0.5], t, initialisation=n) for n in ("none", "depth") for t in (0, 1)]
    frame = pd.concat(part).assign(encoder="slim", setting="full")
    found = accuracy_gaps(frame, [("depth", "none"), ("flow", "none")], "miou", ["encoder", "setting"])
    assert list(found["a"]) == ["depth"] and list(found["mean"]) == [0] and list(found["trials"]) == [2]
    assert list(found[["from", "to", "apart"]].iloc[0]) == [0.1, 0.5, 0]


def test_classes_are_ordered_by_their_pixels():
    cells = {"truth": ["car", "road", "road", "sky"], "prediction": ["car"] * 4, "count": [10, 40, 20, 30]}
    shares = class_shares(pd.DataFrame(cells), KITTI)
    assert dict(shares) == {"road": 0.6, "sky": 0.3, "car": 0.1} and list(shares.index) == ["road", "sky", "car"]
    assert classes_meant(shares, KITTI).startswith(
        "The mean over classes that occur is over 3 of 19: no validation image"
    )
    assert classes_meant(pd.Series(0.1, KITTI.classes), KITTI) == "The mean over classes that occur is over 19 of 19."


def test_gains_are_the_differences_of_the_course_of_each_class():
    def runs(name, road, car):
        ious = {"iou_road": [0.9, *road], "iou_car": [0.9, *car]}
        return pd.concat(
            history([0.1, 0.2], [0, 0], t, initialisation=name, encoder="slim", setting="full", **ious) for t in (0, 1)
        )

    frame = pd.concat([runs("depth", [0.6, 0.8], [0.1, 0.2]), runs("none", [0.2, 0.8], [0.1, 0.4])])
    pairs = [("depth", "none"), ("depth", "flow")]
    gains = class_gains(frame, pd.Series({"road": 0.7, "car": 0.3}), pairs)
    assert list(gains["share"]) == [0.7, 0.3] and set(gains["encoder"]) == {"slim"} and set(gains["trials"]) == {2}
    assert list(gains["class"]) == ["road", "car"] and list(gains["mean"]) == pytest.approx([0.2, -0.1])
    long = class_history(frame, ["road"])
    assert len(long) == 12 and set(long["class"]) == {"road"} and long["iou"].max() == 0.9
