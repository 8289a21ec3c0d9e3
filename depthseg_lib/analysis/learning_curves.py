"""How soon one training arrives where another ends, as a ratio of iterations with an interval over trials."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from depthseg_lib.analysis.statistics import Interval, iterations_to_share, mean_interval

SHARE = 0.95
"""The share of the other's final value that counts as having arrived."""


@dataclass(frozen=True)
class Arrival:
    """Iterations of `a` until it has the share of b's final value, relative to those that `b` itself takes."""

    taken: Interval
    """Iterations of `a`, mean over trials with its t-interval."""
    needed: Interval
    """Iterations of `b` itself."""
    ratio: Interval
    """Geometric mean over trials with its t-interval (of the logarithms); below 1 where `a` is sooner.

    With a trial of `a` that never arrived the mean is a lower bound, and the upper end is infinite; with one that was
    there at once the mean is an upper bound, and the lower end is zero."""
    never: int
    """Trials of `a` that never arrived: counted at their last iteration, with an infinite upper end."""
    at_once: int
    """Trials of `a` that were there before training: counted at their first evaluation after it began, with a lower end
    of zero."""
    left_out: int
    """Trials in which `b` ends no better than it began, so that there is nothing to arrive at."""


def arrival(a: pd.DataFrame, b: pd.DataFrame, metric: str, share: float = SHARE) -> Arrival:
    """Compare two histories of several trials (trial, iteration, `metric`), paired by trial.

    Linear between evaluations; the ratio is the paper's "3x faster" (section 4.2) turned round. Trials that only one
    of the two has are not compared.
    """
    trials = sorted(set(a["trial"]) & set(b["trial"]))
    found = [_one(a[a["trial"] == trial], b[b["trial"] == trial], metric, share) for trial in trials]
    known = [one for one in found if one is not None]
    taken, needed, missed, there = np.array(known, float).reshape(-1, 4).T
    never, at_once = int(missed.sum()), int(there.sum())
    log, own, others = mean_interval(np.log(taken / needed)), mean_interval(taken), mean_interval(needed)
    ratio = Interval(*np.exp([log.mean, log.low, log.high]).tolist(), log.trials)
    bounded = [_bounded(interval, never, at_once) for interval in (own, ratio)]
    return Arrival(bounded[0], others, bounded[1], never, at_once, len(found) - len(known))


def arrivals(history: pd.DataFrame, pairs: Iterable[tuple[str, str]], metric: str, by: Sequence[str]) -> pd.DataFrame:
    """`arrival` of each pair of initialisations within each group of the columns `by`, one row each.

    Columns: `by`, a, b, iterations, from, to (of `a`, with its interval), own (of `b`), ratio, low, high, trials, never
    and at_once (trials of `a` that did not arrive, or were there before training). Trials that stopped before the
    others (they diverged) are left out.
    """
    pairs, rows = list(pairs), []
    for group, part in history.groupby(list(by), sort=False, observed=True):
        ends = part.groupby(["initialisation", "trial"], observed=True)["iteration"].transform("max")
        ended = part[ends == part["iteration"].max()]
        of = {str(name): runs for name, runs in ended.groupby("initialisation", observed=True)}
        for a, b in (pair for pair in pairs if set(pair) <= set(of)):
            found = arrival(of[a], of[b], metric)
            t, r = found.taken, found.ratio
            numbers = (t.mean, t.low, t.high, found.needed.mean, r.mean, r.low, r.high, r.trials)
            rows.append((*group, a, b, *numbers, found.never, found.at_once))
    columns = ("iterations", "from", "to", "own", "ratio", "low", "high", "trials", "never", "at_once")
    return pd.DataFrame(rows, columns=[*by, "a", "b", *columns])


def _bounded(interval: Interval, never: int, at_once: int) -> Interval:
    low, high = 0.0 if at_once else interval.low, np.inf if never else interval.high
    return Interval(interval.mean, float(low), float(high), interval.trials)


def _one(a: pd.DataFrame, b: pd.DataFrame, metric: str, share: float) -> tuple[float, float, bool, bool] | None:
    """The iterations of `a` and of `b` in one trial, and whether `a` never arrived, or was there before training.

    None where `b` itself was: it ends no better than it began.
    """
    a, b = a.sort_values("iteration"), b.sort_values("iteration")
    final = b[metric].iloc[-1]
    needed = iterations_to_share(b["iteration"], b[metric], final, share)
    taken = iterations_to_share(a["iteration"], a[metric], final, share)
    if np.isnan(final) or not needed > 0:
        return None
    if np.isnan(taken):
        return float(a["iteration"].iloc[-1]), needed, True, False
    if taken == 0:
        return float(a["iteration"].iloc[1]), needed, False, True
    return taken, needed, False, False
