"""How soon one curve arrives at another's end, by hand."""

import numpy as np
import pandas as pd
import pytest

from depthseg_lib.analysis.learning_curves import arrival, arrivals


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
