"""What a claim is tested by: differences, ratios and counts of two groups of trials, from tidy results alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from depthseg_lib.analysis.learning_curves import accuracy_gap, arrival
from depthseg_lib.analysis.statistics import LEVEL, Interval, mean_interval, paired_difference

MIOU, ACCURACY, NLL, OCCURRING = "miou_seven", "accuracy", "nll", "miou_occurring"
UNITS = {MIOU: "mIoU points", ACCURACY: "accuracy points", NLL: "nats per pixel"}
"""The unit of a difference of final metrics; a point is a hundredth."""


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
    iterations: float = np.inf
    """The length of the shortest run that did not diverge, where that counts."""


def final_gap(a: Trials, b: Trials, metric: str) -> Measured:
    """Final `metric` of `a` minus `b`, paired by trial; mIoU and accuracy in points."""
    values = [of.metrics.set_index("trial")[metric].dropna() * (1 if metric == NLL else 100) for of in (a, b)]
    return Measured(paired_difference(*values), _left_out(a, b))


def gap_until_it_diverges(a: Trials, b: Trials, metric: str) -> Measured:
    """`metric` of `a` minus `b`, in points, at the last evaluation of `b`: the end, or the last before it diverged."""
    trained = (of[of["iteration"] > 0] for of in (a.courses(), b.history))
    ours, theirs = (100 * of.set_index(["trial", "iteration"])[metric].dropna() for of in trained)
    gaps = (ours - theirs).dropna().sort_index().groupby("trial").last()
    count = len(set(gaps.index) - b.ended)
    early = f"{count} trials of the other diverged: compared at their last evaluation before" if count else ""
    gone = len((a.ended & set(b.metrics["trial"])) - set(gaps.index))
    apart = f"{gone} trials have no evaluation in common and are left out" if gone else ""
    return Measured(mean_interval(gaps), _joined(early, apart, _left_out(a)))


def gap_at_equal_miou(a: Trials, b: Trials, metric: str) -> Measured:
    """Pixel accuracy of `a` minus `b`, in points: the mean over the `metric`, a mIoU, that both pass through."""
    gap = accuracy_gap(a.courses(), b.courses(), metric)
    apart = f"{gap.apart} trials have no mIoU in common" if gap.apart else ""
    at = f"over mIoU of the classes that occur from {100 * gap.low:.0f} to {100 * gap.high:.0f} %"
    i = gap.interval
    points = Interval(100 * i.mean, 100 * i.low, 100 * i.high, i.trials)
    return Measured(points, _joined(at if gap.interval.trials else "", apart, _left_out(a, b)))


def iterations_ratio(a: Trials, b: Trials, metric: str) -> Measured:
    """Iterations until `a` has 95 % of b's final `metric`, relative to those that `b` takes."""
    found = arrival(a.courses(), b.courses(), metric)
    never = f"{found.never} trials never arrive: the mean is a lower bound" if found.never else ""
    once = f"{found.at_once} trials are there before training: the mean is an upper bound" if found.at_once else ""
    nothing = f"{found.left_out} trials have nothing to arrive at" if found.left_out else ""
    return Measured(found.ratio, _joined(never, once, nothing, _left_out(a, b)))


def diverged_share(a: Trials, b: Trials, metric: str) -> Measured:
    """The share of the trials of `a` that diverged, in percent, with its exact interval (Clopper & Pearson 1934)."""
    trials = len(a.metrics)
    diverged = trials - len(a.ended)
    low, high = exact_interval(diverged, trials)
    share = Interval(100 * diverged / trials, 100 * low, 100 * high, trials)
    length = a.courses().groupby("trial")["iteration"].max().min()
    return Measured(share, f"{diverged} of {trials} trials diverged", float(length))


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


def _left_out(*sides: Trials) -> str:
    count = sum(len(of.metrics) - len(of.ended) for of in sides)
    return f"{count} diverged trials left out" if count else ""


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
