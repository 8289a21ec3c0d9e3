"""What a claim is tested by: differences, ratios and counts of two groups of trials, from tidy results alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from depthseg_lib.convergence import arrival
from depthseg_lib.statistics import Interval, paired_difference
from depthseg_lib.trajectories import accuracy_gap

MIOU, ACCURACY, NLL, ALL_CLASSES = "miou_seven", "accuracy", "nll", "miou"
POINTS, ACCURACY_POINTS, NATS = "mIoU points", "accuracy points", "nats per pixel"
RATIO, SHARE = "ratio of iterations", "% of trials"
UNITS = {MIOU: POINTS, ACCURACY: ACCURACY_POINTS, NLL: NATS}
"""The unit of a difference of final metrics; a point is a hundredth."""
_NOTHING = Interval(np.nan, np.nan, np.nan, 0)


@dataclass(frozen=True, eq=False)
class Trials:
    """The trials of one encoder, initialisation, setting, experiment and training-set size."""

    metrics: pd.DataFrame
    """A row per trial: trial, diverged_at, the final metrics (NaN where it diverged)."""
    history: pd.DataFrame
    """A row per evaluation: trial, iteration and the metrics."""

    @property
    def ended(self) -> set[int]:
        """Trials that did not diverge."""
        return set(self.metrics.loc[self.metrics["diverged_at"].isna(), "trial"])

    def courses(self) -> pd.DataFrame:
        """The history of the trials that did not diverge."""
        return self.history[self.history["trial"].isin(self.ended)]


@dataclass(frozen=True)
class Measured:
    """An effect with its interval over trials."""

    interval: Interval
    """In the unit that `unit` names."""
    note: str = ""
    """What the reader has to know of it."""


def final_gap(a: Trials, b: Trials, metric: str) -> Measured:
    """Final `metric` of `a` minus `b`, paired by trial; mIoU and accuracy in points."""
    scale = 1 if metric == NLL else 100
    values = [of.metrics.set_index("trial")[metric].dropna() * scale for of in (a, b)]
    shared = set(values[0].index) & set(values[1].index)
    gap = paired_difference(*values) if shared else _NOTHING
    return Measured(gap, _left_out(a, b))


def gap_at_equal_miou(a: Trials, b: Trials, metric: str) -> Measured:
    """Pixel accuracy of `a` minus `b`, in points, averaged over the `metric` (an mIoU) that both pass through."""
    gap = accuracy_gap(a.courses(), b.courses(), metric)
    apart = f"{gap.apart} trials have no mIoU in common" if gap.apart else ""
    at = f"over mIoU {100 * gap.low:.0f} to {100 * gap.high:.0f} %" if gap.interval.trials else ""
    i = gap.interval
    points = Interval(100 * i.mean, 100 * i.low, 100 * i.high, i.trials)
    return Measured(points, _joined(at, apart, _left_out(a, b)))


def iterations_ratio(a: Trials, b: Trials, metric: str) -> Measured:
    """Iterations until `a` has 95 % of b's final `metric`, relative to those that `b` takes."""
    found = arrival(a.courses(), b.courses(), metric)
    never = f"{found.never} trials never arrive: the mean is a lower bound" if found.never else ""
    nothing = f"{found.left_out} trials have nothing to arrive at" if found.left_out else ""
    return Measured(found.ratio, _joined(never, nothing, _left_out(a, b)))


def diverged_share(a: Trials, b: Trials, metric: str) -> Measured:
    """The share of the trials of `a` that diverged, in percent; a count, so without an interval."""
    trials = len(a.metrics)
    diverged = trials - len(a.ended)
    share = Interval(100 * diverged / trials, np.nan, np.nan, trials)
    return Measured(share, f"{diverged} of {trials} trials diverged")


def unit(effect: Callable, metric: str) -> str:
    """The unit of what a function of this module measures on a metric."""
    others = {gap_at_equal_miou: ACCURACY_POINTS, iterations_ratio: RATIO, diverged_share: SHARE}
    return others[effect] if effect in others else UNITS[metric]


def _left_out(a: Trials, b: Trials) -> str:
    count = sum(len(of.metrics) - len(of.ended) for of in (a, b))
    return f"{count} diverged trials left out" if count else ""


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
