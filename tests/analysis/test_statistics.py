"""Intervals over trials against scipy's, and the arrival of a curve."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from depthseg_lib.analysis.statistics import (
    differences,
    iterations_to_share,
    mean_interval,
    paired_difference,
    summarise,
)

A, B = [0.41, 0.47, 0.44, 0.52], [0.40, 0.41, 0.45, 0.43]


def test_interval_is_scipys_t_interval():
    found = mean_interval(A)
    low, high = stats.t.interval(0.95, len(A) - 1, loc=np.mean(A), scale=stats.sem(A))
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(A), low, high))
    assert found.trials == 4


def test_one_trial_has_a_mean_and_no_interval():
    found = mean_interval([0.4])
    assert found.mean == 0.4 and np.isnan(found.low) and np.isnan(found.high) and found.trials == 1


def test_diverged_trials_are_not_counted():
    assert mean_interval([0.4, np.nan, 0.6]) == mean_interval([0.4, 0.6])
    assert mean_interval([np.nan]).trials == 0


def test_paired_difference_is_scipys():
    found = paired_difference(dict(enumerate(A)), dict(enumerate(B)))
    expected = stats.ttest_rel(A, B).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_paired_difference_takes_common_trials_only():
    found = paired_difference(pd.Series({0: 0.5, 1: 0.6, 7: 9.0}), pd.Series({1: 0.4, 0: 0.4}))
    assert found.mean == pytest.approx(0.15) and found.trials == 2
    assert paired_difference({0: 0.5}, {1: 0.4}).trials == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 0.3, 0.5, 0.6], 75.0),
        ([0.5, 0.6, 0.6, 0.6], 0.0),
        ([0.1, 0.1, 0.2, 0.3], np.nan),
        ([np.nan, 0.5, 0.5, 0.5], 50.0),
    ],
)
def test_iterations_to_share_of_another_curves_end(values, expected):
    assert iterations_to_share([0, 50, 100, 150], values, final=0.8, share=0.5) == pytest.approx(expected, nan_ok=True)


def test_summary_agrees_with_the_interval_of_each_group():
    frame = pd.DataFrame({"who": ["a"] * 4 + ["b"], "miou": [*A, 0.3]})
    summary = summarise(frame, ["who"], ["miou"]).set_index("who")
    expected = mean_interval(A)
    row = summary.loc["a"]
    assert (row.miou_mean, row.miou_low, row.miou_high) == pytest.approx((expected.mean, expected.low, expected.high))
    assert row.miou_trials == 4 and np.isnan(summary.loc["b", "miou_low"])


def test_differences_pair_trials_within_each_group_and_judge():
    ends = {"none": 0.3, "depth": 0.4}
    rows = [("slim", name, trial, end + 0.1 * trial) for name, end in ends.items() for trial in range(3)]
    frame = pd.DataFrame(rows, columns=["encoder", "initialisation", "trial", "miou"])
    frame["miou"] += np.tile([0.0, 0.001, -0.001], 2) * np.repeat([0, 1], 3)
    pairs = [("depth", "none"), ("none", "depth"), ("depth", "imagenet")]
    found = differences(frame, pairs, "miou", ["encoder"])
    assert list(found["verdict"]) == ["higher", "lower"] and list(found["mean"]) == pytest.approx([0.1, -0.1])
    assert list(differences(frame[frame["trial"] == 0], pairs, "miou", ["encoder"])["verdict"]) == ["undecided"] * 2
    frame.loc[0, "miou"] = np.nan
    assert list(differences(frame, pairs[:1], "miou", ["encoder"])["trials"]) == [2]
