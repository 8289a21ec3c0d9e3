"""What a claim is tested by: a difference, or the logarithm of a ratio, in each trial; and counts of trials."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from depthseg_lib.analysis.learning_curves import envelope, gap_at_equal, sooner
from depthseg_lib.analysis.statistics import LEVEL, Interval

MIOU, ACCURACY, NLL, OCCURRING = "miou_seven", "accuracy", "nll", "miou_occurring"
UNITS = {MIOU: "mIoU points", ACCURACY: "accuracy points", NLL: "nats per pixel"}
"""The unit of a difference of final metrics; a point is a hundredth."""


@dataclass(frozen=True, eq=False)
class Trials:
    """The trials of one encoder, initialisation, setting, experiment and training-set size: an arm."""

    metrics: pd.DataFrame
    """A row per trial: trial, diverged_at, the final metrics (NaN where it diverged)."""
    history: pd.DataFrame
    """A row per evaluation: trial, iteration and the metrics."""

    @property
    def diverged(self) -> set[int]:
        """Trials that diverged."""
        return set(self.metrics.loc[self.metrics["diverged_at"].notna(), "trial"])

    @cached_property
    def pretraining(self) -> pd.Series:
        """By trial, which draw of the pre-training it started from; -1 without any, 0 for all where nothing says it."""
        known = self.metrics.set_index("trial")
        if "pretraining" in known:
            return known["pretraining"].astype(int)
        return -(known["initialisation"].astype(str) == "none").astype(int)

    def final(self, metric: str) -> pd.Series:
        """The metric of each trial at its end; of one that diverged at its last finite evaluation, NaN without any."""
        last = self.courses(metric).groupby("trial")[metric].last()
        return self.metrics.set_index("trial")[metric].astype(float).fillna(last)

    def courses(self, metric: str) -> pd.DataFrame:
        """The evaluations whose metric is finite, in the order of iterations."""
        return self.history[np.isfinite(self.history[metric].astype(float))].sort_values("iteration")


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured in each trial."""

    differences: pd.Series
    """By trial, in the unit that `unit` names; of ratios the logarithm. NaN where there is nothing to compare."""
    note: str = ""
    """What the reader has to know of it."""


def final_gap(a: Trials, b: Trials, metric: str) -> Measured:
    """Final `metric` of `a` minus `b`, paired by trial; mIoU and accuracy in points."""
    return Measured((a.final(metric) - b.final(metric)) * (1 if metric == NLL else 100))


def gap_until_it_diverges(a: Trials, b: Trials, metric: str) -> Measured:
    """`metric` of `a` minus `b`, in points, at the last evaluation of `b`: the end, or the last before it diverged."""
    trained = (of[of["iteration"] > 0] for of in (a.courses(metric), b.courses(metric)))
    ours, theirs = (100 * of.set_index(["trial", "iteration"])[metric] for of in trained)
    gaps = (ours - theirs).dropna().sort_index().groupby("trial").last()
    count = len(set(gaps.index) & b.diverged)
    return Measured(gaps, f"{count} trials compared where the other was last evaluated" if count else "")


def gap_at_equal_miou(a: Trials, b: Trials, metric: str) -> Measured:
    """Pixel accuracy of `a` minus `b`, in points: the mean over the `metric`, a mIoU, that both pass through."""
    found = {k: gap_at_equal(*(envelope(of, metric) for of in both)) for k, *both in _by_trial(a, b, metric)}
    gaps, lows, highs = (pd.Series({k: of[part] for k, of in found.items()}, dtype=float) for part in range(3))
    low, high = (f"{100 * of.mean():.0f}" for of in (lows, highs))
    known = gaps.notna().any()
    return Measured(100 * gaps, f"over mIoU of the classes that occur from {low} to {high} %" if known else "")


def iterations_ratio(a: Trials, b: Trials, metric: str) -> Measured:
    """The logarithm of the iterations of `a` over those of `b`, until each has 95 % of the lower of both final scores.

    Never to the other's end, which some trials do not reach: the lower of both ends, both reach.
    """
    found = {trial: sooner(*both, metric) for trial, *both in _by_trial(a, b, metric)}
    early = sum(at_once for _, at_once in found.values())
    note = f"{early} trials are there before training: counted at their first evaluation" if early else ""
    return Measured(pd.Series({trial: ratio for trial, (ratio, _) in found.items()}, dtype=float), note)


def diverged_share(a: Trials) -> tuple[Interval, float]:
    """The share of the trials that diverged, in percent, with its exact 95 % interval (Clopper & Pearson 1934), and the
    length of the shortest run that did not (iterations; infinite without any)."""
    trials, diverged = len(a.metrics), len(a.diverged)
    low, high = exact_interval(diverged, trials)
    whole = a.history[~a.history["trial"].isin(a.diverged)]
    length = whole.groupby("trial")["iteration"].max().min() if len(whole) else np.inf
    return Interval(100 * diverged / trials, 100 * low, 100 * high, trials), float(length)


def exact_interval(count: int, trials: int) -> tuple[float, float]:
    """The exact 95 % interval of a share of which `count` in `trials` were seen, as fractions."""
    tail = (1 - LEVEL) / 2
    low = betaincinv(count, trials - count + 1, tail) if count else 0.0
    high = betaincinv(count + 1, trials - count, 1 - tail) if count < trials else 1.0
    return float(low), float(high)


def unit(effect: Callable, metric: str) -> str:
    """The unit of what a function of this module measures on a metric."""
    if effect in (iterations_ratio, diverged_share):
        return "ratio of iterations" if effect is iterations_ratio else "% of trials"
    return UNITS[ACCURACY if effect is gap_at_equal_miou else metric]


def _by_trial(a: Trials, b: Trials, metric: str) -> Iterator[tuple[int, pd.DataFrame, pd.DataFrame]]:
    """Each trial that both have, with its evaluations in both."""
    ours, theirs = (dict(iter(of.courses(metric).groupby("trial"))) for of in (a, b))
    yield from ((trial, ours[trial], theirs[trial]) for trial in sorted(ours.keys() & theirs.keys()))
