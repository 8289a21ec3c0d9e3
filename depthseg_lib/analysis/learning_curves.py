"""What two learning curves say of one another: how soon one arrives where the other ends, its pixel accuracy at the
same mIoU, and which classes it learns early; with intervals over trials."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from depthseg_lib.analysis.statistics import Interval, differences, each_pair, iterations_to_share, mean_interval
from depthseg_lib.data.labels import LabelSet

SHARE = 0.95
"""The share of the other's final value that counts as having arrived."""
PREFIX = "iou_"
"""Before a class's name in the columns of the history."""


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
    """Trials of `a` that were there before training: counted at their first evaluation in it, with a lower end of 0."""
    left_out: int
    """Trials in which `b` ends no better than it began, so that there is nothing to arrive at."""


def arrival(a: pd.DataFrame, b: pd.DataFrame, metric: str) -> Arrival:
    """Compare two histories of several trials (trial, iteration, `metric`), paired by trial.

    Linear between evaluations; the ratio is the paper's "3x faster" (section 4.2) turned round.
    """
    known, left_out = [], 0
    for own, other in _by_trial(a, b):
        final = other[metric].iloc[-1]
        needed = iterations_to_share(other["iteration"], other[metric], final, SHARE)
        taken = iterations_to_share(own["iteration"], own[metric], final, SHARE)
        if np.isnan(final) or not needed > 0:  # the other ends no better than it began
            left_out += 1
        elif np.isnan(taken):
            known.append((own["iteration"].iloc[-1], needed, True, False))
        else:
            known.append((own["iteration"].iloc[1] if taken == 0 else taken, needed, False, taken == 0))
    taken, needed, missed, there = np.array(known, float).reshape(-1, 4).T
    never, at_once = int(missed.sum()), int(there.sum())
    log, own, others = mean_interval(np.log(taken / needed)), mean_interval(taken), mean_interval(needed)
    ratio = Interval(*np.exp([log.mean, log.low, log.high]).tolist(), log.trials)
    ends = {"low": 0.0} if at_once else {}
    ends |= {"high": np.inf} if never else {}
    return Arrival(replace(own, **ends), others, replace(ratio, **ends), never, at_once, left_out)


def sooner(a: pd.DataFrame, b: pd.DataFrame, metric: str) -> tuple[float, bool]:
    """The logarithm of the iterations of `a` over those of `b`, two trials' evaluations in their order, until each has
    `SHARE` of the lower of both ends; and whether one of them was there before training, which counts as its first
    evaluation. NaN where one has no evaluation in training."""
    if any(of["iteration"].max() <= 0 for of in (a, b)):
        return np.nan, False
    lower = min(of[metric].iloc[-1] for of in (a, b))
    first = [of.loc[of["iteration"] > 0, "iteration"].iloc[0] for of in (a, b)]
    taken = [iterations_to_share(of["iteration"], of[metric], lower, SHARE) for of in (a, b)]
    ours, theirs = (at or start for at, start in zip(taken, first, strict=True))
    return float(np.log(ours / theirs)), 0 in taken


def _by_trial(a: pd.DataFrame, b: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, ...]]:
    """The two histories trial by trial that both have, in the order of iterations."""
    for trial in sorted(set(a["trial"]) & set(b["trial"])):
        yield tuple(of[of["trial"] == trial].sort_values("iteration") for of in (a, b))


def arrivals(history: pd.DataFrame, pairs: Iterable[tuple[str, str]], metric: str, by: Sequence[str]) -> pd.DataFrame:
    """`arrival` of each pair of initialisations within each group of the columns `by`, one row each.

    Columns: `by`, a, b, iterations, from, to (of `a`, with its interval), own (of `b`), ratio, low, high, trials, never
    and at_once (as in `Arrival`). Trials that stopped before the others (they diverged) are left out.
    """
    groups = history.groupby(list(by), observed=True)["iteration"]
    ends = history.groupby([*by, "initialisation", "trial"], observed=True)["iteration"].transform("max")
    rows = []
    for named, a, b in each_pair(history[ends == groups.transform("max")], pairs, by):
        found = arrival(a, b, metric)
        t, r = found.taken, found.ratio
        numbers = (t.mean, t.low, t.high, found.needed.mean, r.mean, r.low, r.high, r.trials)
        rows.append((*named, *numbers, found.never, found.at_once))
    columns = ("iterations", "from", "to", "own", "ratio", "low", "high", "trials", "never", "at_once")
    return pd.DataFrame(rows, columns=[*by, "a", "b", *columns])


@dataclass(frozen=True)
class Gap:
    """A difference of pixel accuracy at equal mIoU, over trials."""

    interval: Interval
    """Mean a - b in fractions 0..1, with its interval over trials."""
    low: float
    """Lowest mIoU that both trajectories of a trial reach, mean over trials."""
    high: float
    """Highest mIoU that both reach, mean over trials."""
    apart: int
    """Trials whose two trajectories have no mIoU in common: they have no difference."""


def envelope(trial: pd.DataFrame, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """The mIoU levels that one trial was the first to reach, rising, and its pixel accuracy there: (K,), (K,).

    `trial` has its evaluations in the order of iterations. Training is not monotone: an evaluation that stays below an
    earlier mIoU is left out. So is iteration 0, where the last layer is untrained and its accuracy an accident.
    """
    known = trial[trial["iteration"] > 0].dropna(subset=[metric, "accuracy"])
    levels, accuracy = known[metric].to_numpy(float), known["accuracy"].to_numpy(float)
    before = np.concatenate([[-np.inf], np.maximum.accumulate(levels)[:-1]]) if levels.size else levels
    return levels[levels > before], accuracy[levels > before]


def gap_at_equal(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> tuple[float, float, float]:
    """Mean of accuracy a - b over the mIoU that both envelopes reach, and that range's ends: gap, low, high.

    Both are linear between their points, so the mean over the range is exact. NaN where they share no range.
    """
    if not a[0].size or not b[0].size:
        return np.nan, np.nan, np.nan
    low, high = max(a[0][0], b[0][0]), min(a[0][-1], b[0][-1])
    if low >= high:
        return np.nan, np.nan, np.nan
    at = np.unique([low, *(level for level in (*a[0], *b[0]) if low < level < high), high])
    gap = np.interp(at, *a) - np.interp(at, *b)
    return float(np.trapezoid(gap, at) / (high - low)), float(low), float(high)


def accuracy_gap(a: pd.DataFrame, b: pd.DataFrame, metric: str) -> Gap:
    """Pixel accuracy of `a` minus `b` at equal `metric`, paired by trial; both are histories of several trials."""
    found = [gap_at_equal(*(envelope(of, metric) for of in both)) for both in _by_trial(a, b)]
    gaps, lows, highs = np.array(found, float).reshape(-1, 3).T
    low, high = (float(pd.Series(ends).mean()) for ends in (lows, highs))
    return Gap(mean_interval(gaps), low, high, int(np.isnan(gaps).sum()))


def accuracy_gaps(history: pd.DataFrame, pairs: Iterable[tuple[str, str]], metric: str, by: Sequence[str]):
    """`accuracy_gap` of each pair of initialisations within each group of the columns `by`, one row each.

    Columns: `by`, a, b, mean, low, high, trials, and from, to (the range of mIoU), apart (trials without any).
    """
    rows = []
    for named, a, b in each_pair(history, pairs, by):
        gap = accuracy_gap(a, b, metric)
        i = gap.interval
        rows.append((*named, i.mean, i.low, i.high, i.trials, gap.low, gap.high, gap.apart))
    return pd.DataFrame(rows, columns=[*by, "a", "b", "mean", "low", "high", "trials", "from", "to", "apart"])


def class_shares(confusion: pd.DataFrame, label_set: LabelSet) -> pd.Series:
    """Each class's share of the labelled pixels, largest first; classes without a pixel are left out."""
    pixels = confusion.groupby(confusion["truth"].astype(str))["count"].sum()
    present = [name for name in label_set.classes if pixels.get(name, 0) > 0]
    return (pixels[present] / pixels[present].sum()).sort_values(ascending=False, kind="stable")


def classes_meant(shares: pd.Series, label_set: LabelSet) -> str:
    """What a caption says of a mean over the classes that occur, which are those of `class_shares`."""
    absent = [name for name in label_set.classes if name not in shares.index]
    without = f": no validation image has {' or '.join(absent)}" if absent else ""
    return f"The mean over classes that occur is over {len(shares)} of {len(label_set.classes)}{without}."


def class_history(history: pd.DataFrame, classes: Iterable[str]) -> pd.DataFrame:
    """The history with a row per evaluation and class: the identity's columns, iteration, class and iou (0..1)."""
    classes = list(classes)
    kept = ["encoder", "setting", "initialisation", "trial", "iteration"]
    wide = history[[*kept, *(PREFIX + name for name in classes)]].rename(columns=lambda n: n.removeprefix(PREFIX))
    return wide.melt(kept, classes, "class", "iou")


def class_gains(history: pd.DataFrame, shares: pd.Series, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """IoU of a - b averaged over the training, for each encoder, pair of initialisations and class from the largest.

    Columns: encoder, a, b, class, share, mean, low, high, trials. The mean over the evaluations after iteration 0 is
    high for a class that is learned early; differences are paired by trial. Pairs that were not run are left out.
    """
    course = class_history(history[history["iteration"] > 0], shares.index)
    means = course.groupby(["encoder", "class", "initialisation", "trial"], observed=True)["iou"].mean().reset_index()
    gaps = differences(means, pairs, "iou", ["encoder", "class"])
    gaps = gaps.assign(share=gaps["class"].map(shares)).sort_values(["share", "class"], ascending=[False, True])
    columns = ["encoder", "a", "b", "class", "share", "mean", "low", "high", "trials"]
    return gaps.sort_values(["encoder", "b", "a"], kind="stable")[columns].reset_index(drop=True)
