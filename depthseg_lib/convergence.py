"""How soon one training arrives where another ends, as a ratio of iterations with an interval over trials."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from depthseg_lib.statistics import Interval, iterations_to_share, mean_interval

SHARE = 0.95
"""The share of the other's final value that counts as having arrived."""


@dataclass(frozen=True)
class Arrival:
    """Iterations of `a` until it has the share of b's final value, relative to those that `b` itself takes."""

    ratio: Interval
    """Geometric mean over trials with its t-interval (of the logarithms); below 1 where `a` is sooner.

    With a trial of `a` that never arrived the mean is a lower bound, and the upper end is infinite."""
    never: int
    """Trials of `a` that never arrived: counted at their last iteration."""
    left_out: int
    """Trials in which `b` ends no better than it began, so that there is nothing to arrive at."""


def arrival(a: pd.DataFrame, b: pd.DataFrame, metric: str, share: float = SHARE) -> Arrival:
    """Compare two histories of several trials (trial, iteration, `metric`), paired by trial.

    Linear between evaluations; the ratio is the paper's "3x faster" (section 4.2) turned round. Trials that only one
    of the two has are not compared.
    """
    trials = sorted(set(a["trial"]) & set(b["trial"]))
    found = [_one(a[a["trial"] == trial], b[b["trial"] == trial], metric, share) for trial in trials]
    known = [(np.log(ratio), never) for ratio, never in found if not np.isnan(ratio)]
    log, never = mean_interval(value for value, _ in known), sum(missed for _, missed in known)
    mean, low, high = np.exp([log.mean, log.low, log.high])
    ratio = Interval(float(mean), float(low), float(np.inf if never else high), log.trials)
    return Arrival(ratio, never, len(found) - len(known))


def _one(a: pd.DataFrame, b: pd.DataFrame, metric: str, share: float) -> tuple[float, bool]:
    """The ratio of one trial, and whether `a` never arrived; NaN where `b` is there at once."""
    a, b = a.sort_values("iteration"), b.sort_values("iteration")
    final = b[metric].iloc[-1]
    needed = iterations_to_share(b["iteration"], b[metric], final, share)
    taken = iterations_to_share(a["iteration"], a[metric], final, share)
    if np.isnan(final) or not needed > 0 or taken == 0:
        return np.nan, False
    return (a["iteration"].iloc[-1] if np.isnan(taken) else taken) / needed, bool(np.isnan(taken))
