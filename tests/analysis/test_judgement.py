"""How claims are judged: each step beside SciPy's, and error rates and power of whole studies through the real code."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control, ttest_1samp

from depthseg_lib.analysis.claims import judgement, power
from depthseg_lib.analysis.claims.question import ALPHAS, LOOKS, PRIMARY

SEEDED = np.random.default_rng(5)


def test_p_values_are_those_of_students_test():
    values, margin = SEEDED.normal(0.4, 1, (8, 6)), np.linspace(0.5, 3, 6)
    apart, near = judgement.p_values(values, np.zeros(6, bool), margin)
    assert apart == pytest.approx(ttest_1samp(values, 0).pvalue)
    sides = [ttest_1samp(values, -margin, alternative="greater"), ttest_1samp(values, margin, alternative="less")]
    assert near == pytest.approx(np.maximum(*(side.pvalue for side in sides)))
    outside = [ttest_1samp(values, -margin, alternative="less"), ttest_1samp(values, margin, alternative="greater")]
    apart = judgement.p_values(values, np.ones(6, bool), margin)[0]
    assert apart == pytest.approx(np.minimum(1, 2 * np.minimum(*(side.pvalue for side in outside))))


def test_no_differences_at_all_or_missing_ones_are_never_decided():
    values = np.stack([np.zeros(4), np.array([1, 2, np.nan, 3]), np.full(4, 3.0)], 1)
    apart, near = judgement.p_values(values, np.zeros(3, bool), np.full(3, 2.0))
    assert apart.tolist() == [1, 1, 0] and near.tolist() == [0, 1, 1]


def test_holm_goes_on_until_the_first_that_fails():
    p = np.array([0.001, 0.011, 0.02, 0.03, 0.04])
    assert judgement.holm(p, 0.05).tolist() == [True, True, False, False, False]  # 0.02 > 0.05 / 3
    assert judgement.holm(p[::-1], 0.05).tolist() == [False, False, False, True, True]
    assert judgement.holm(np.stack([p, p / 10]), 0.05).sum(1).tolist() == [2, 5]


def test_what_is_decided_stays_and_leaves_its_share_to_the_others():
    values = SEEDED.normal(0, 1, (12, 3))
    values[:4, 0] = [9.0, 9.1, 8.9, 9.0]
    values[4:, 0] = np.resize([-9.0, 9.0], 8)
    values[:, 1] -= values[:, 1].mean()
    values[:, 2] += 1 - values[:, 2].mean()
    at = judgement.decided(values, np.zeros(3, bool), np.full(3, 0.01))[0]
    assert at.tolist() == [4, 0, 8]
    p = judgement.p_values(values, np.zeros(3, bool), np.full(3, 0.01))[0]
    assert p[0] > 0.05 and judgement.decided(values[:7], np.zeros(3, bool), np.full(3, 0.01))[0].tolist() == [4, 0, 0]
    shorter = judgement.decided(values[:3], np.zeros(3, bool), np.full(3, 0.01))
    assert not shorter.any()


def test_the_looks_spend_five_percent_and_levels_follow():
    assert 0.05 <= sum(ALPHAS) < 0.053 and LOOKS == (4, 8, 12)
    found = [judgement.look(n) for n in (0, 3, 4, 7, 8, 12, 15)]
    assert found == [(n, pytest.approx(1 - alpha)) for n, alpha in zip(
        (0, 3, 4, 4, 8, 12, 15), (0.002, 0.002, 0.002, 0.002, 0.012, 0.038, 0.038), strict=True)]  # fmt: skip


def test_secondary_statements_are_found_as_scipy_does():
    p = SEEDED.random(20) ** 4
    assert judgement.found(p, 0.05).tolist() == (false_discovery_control(p) <= 0.05).tolist()
    assert judgement.found([], 0.05).tolist() == []


COUNT = 4000
"""Studies of a simulation: a standard error of a third of a point."""


@pytest.fixture(scope="module")
def falsely():
    return power.false_decisions(COUNT)


def test_no_more_than_five_percent_of_studies_decide_falsely_where_runs_do_not_stick(falsely):
    guaranteed = falsely[falsely["case"] != power.STICKS]
    bound = 0.05 + 2 * np.sqrt(0.05 * 0.95 / COUNT)
    assert (guaranteed["rate"] <= bound).all() and len(guaranteed) == 12
    at_the_end = guaranteed[(guaranteed["look"] == 12) & (guaranteed["family"] == "difference")]["rate"]
    assert (at_the_end > 0.02).all()  # it isn't kept by deciding nothing
    assert power.false_decisions(200).equals(power.false_decisions(200))


def test_stuck_runs_cost_the_guarantee_and_are_said_to(falsely):
    rate = falsely[(falsely["case"] == power.STICKS) & (falsely["look"] == 12)].set_index("family")["rate"]
    assert rate["difference"] > 0.05


def test_planted_effects_are_found_on_their_side():
    found = power.power(1000).set_index(["deviation", "effect", "look"])
    at_the_end = found.xs(12, level="look")
    assert at_the_end.loc[(1.6, 8.0), "found"] > 0.99 and at_the_end.loc[(1.6, 4.0), "found"] > 0.95
    assert 0.6 < at_the_end.loc[(1.6, 2.0), "found"] < 0.85
    assert (found["wrong"] < 0.002).all() and (found["false"] < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 1000)).all()
    rising = found["found"].unstack("look")
    assert (rising[4] <= rising[8]).all() and (rising[8] <= rising[12]).all()


def test_studies_have_the_planted_spread_and_correlation():
    values = power.studies(4000, 3.0, 2.0, correlation=0.6)
    points = values[..., :2].reshape(-1, 2)  # two claims in points
    assert points.mean(0) == pytest.approx([3, 3], abs=0.05) and points.std(0) == pytest.approx([2, 2], abs=0.05)
    assert np.corrcoef(points.T)[0, 1] == pytest.approx(0.6, abs=0.02)
    sticking = power.studies(4000, 0.0, 1.0, stuck=0.1)[..., 0]
    assert sticking.mean() == pytest.approx(0, abs=0.05) and (sticking > 5).mean() == pytest.approx(0.1, abs=0.01)
    assert values.shape == (4000, LOOKS[-1], len(PRIMARY))
