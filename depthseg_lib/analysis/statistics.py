"""Intervals over trials: mean, paired difference, and how soon a curve arrives."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

LEVEL = 0.95
"""Coverage of every interval of the study."""
INTERVAL = "95 % t-interval"
"""How figures and tables name it."""


@dataclass(frozen=True)
class Interval:
    """A mean over trials with its Student t-interval."""

    mean: float
    """Mean over the trials that have a value."""
    low: float
    """Lower end; NaN with fewer than two trials."""
    high: float
    """Upper end; NaN with fewer than two trials."""
    trials: int
    """Trials that have a value."""


def half_width(deviation, trials, level: float = LEVEL):
    """Half the t-interval from the sample's standard deviation (ddof 1) and its size; NaN under two trials."""
    trials = np.asarray(trials, float)
    degrees = np.where(trials > 1, trials - 1, np.nan)
    return stdtrit(degrees, (1 + level) / 2) * np.asarray(deviation, float) / np.sqrt(np.maximum(trials, 1))


def mean_interval(values: Iterable[float], level: float = LEVEL) -> Interval:
    """Mean of `values` with its t-interval; NaNs (diverged trials) are left out, and not counted."""
    known = np.asarray([v for v in values if not np.isnan(v)], float)
    if not known.size:
        return Interval(np.nan, np.nan, np.nan, 0)
    half = half_width(known.std(ddof=1), known.size, level) if known.size > 1 else np.nan
    return Interval(known.mean(), known.mean() - half, known.mean() + half, known.size)


def paired_difference(a: Mapping[int, float], b: Mapping[int, float]) -> Interval:
    """Mean of a - b over the trials that both have, with its 95 % t-interval; NaN where there is no such trial.

    `a` and `b` map a trial to its value (a dict or a Series indexed by trial). Trials are paired because a trial fixes
    the fresh layers and the order of batches for every initialisation alike.
    """
    return mean_interval([a[trial] - b[trial] for trial in sorted(set(a.keys()) & set(b.keys()))])


def differences(frame: pd.DataFrame, pairs: Iterable[tuple[str, str]], metric: str, by: Sequence[str]) -> pd.DataFrame:
    """Paired differences a - b of `metric` for each pair of initialisations, within each group of the columns `by`.

    A row per group and pair that has both: a, b, mean, low, high, trials, and the verdict: `higher`, `lower`, or
    `undecided` where the interval holds zero or there is none. Trials without a value (diverged) are left out.
    """
    rows = []
    for named, *both in each_pair(frame.dropna(subset=[metric]), pairs, by):
        gap = paired_difference(*(of.set_index("trial")[metric] for of in both))
        if not gap.trials:  # each lost the other's trials to divergence
            continue
        decided = gap.low * gap.high > 0  # not without an interval, which is NaN
        verdict = ("higher" if gap.mean > 0 else "lower") if decided else "undecided"
        rows.append((*named, gap.mean, gap.low, gap.high, gap.trials, verdict))
    return pd.DataFrame(rows, columns=[*by, "a", "b", "mean", "low", "high", "trials", "verdict"])


def each_pair(
    frame: pd.DataFrame, pairs: Iterable[tuple[str, str]], by: Sequence[str]
) -> Iterator[tuple[tuple, pd.DataFrame, pd.DataFrame]]:
    """Each pair of initialisations that a group of the columns `by` has: the group with both names, and each's rows."""
    pairs = list(pairs)
    for group, part in frame.groupby(list(by), sort=False, observed=True):
        of = {str(name): rows for name, rows in part.groupby("initialisation", observed=True)}
        yield from (((*group, a, b), of[a], of[b]) for a, b in pairs if a in of and b in of)


def iterations_to_share(iterations: Sequence[float], values: Sequence[float], final: float, share: float) -> float:
    """The first iteration at which a rising curve reaches `share` of `final`, linear between evaluations.

    NaN when it never does. `final` may be another curve's end, as in "depth reaches imagenet's accuracy by ...".
    """
    x, y, target = np.asarray(iterations, float), np.asarray(values, float), share * final
    reached = np.flatnonzero(y >= target)
    if not reached.size:
        return float("nan")
    at = reached[0]
    if at == 0 or np.isnan(y[at - 1]):
        return float(x[at])
    return float(x[at - 1] + (target - y[at - 1]) / (y[at] - y[at - 1]) * (x[at] - x[at - 1]))


def summarise(frame: pd.DataFrame, by: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """Mean and interval over the rows of each group, one row per group, in the groups' order of appearance.

    For each metric the columns `<metric>_mean`, `_low`, `_high`, `_trials`; NaNs are left out of all four.
    """
    groups = frame.groupby(list(by), sort=False, observed=True)[list(metrics)]
    mean, deviation, trials = groups.mean(), groups.std(ddof=1), groups.count()
    half = half_width(deviation, trials)
    parts = {"mean": mean, "low": mean - half, "high": mean + half, "trials": trials}
    columns = {f"{metric}_{part}": table[metric] for metric in metrics for part, table in parts.items()}
    return pd.DataFrame(columns).reset_index()
