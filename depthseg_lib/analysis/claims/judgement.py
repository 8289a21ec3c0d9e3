"""How the claims are judged: at looks fixed beforehand, in two families, each falsely deciding in at most 5 %.

One family says that there is a difference, the other that there is none that matters. At each look both are tested by
Holm's procedure over all claims (Holm 1979), at the part of the 5 % that the look may spend; what was decided at a look
stays decided and leaves its share to the others, as in a graphical group-sequential test. Nothing is kept from one look
to the next: all are computed anew from the first repetitions.
"""

from collections.abc import Iterable
from functools import partial

import numpy as np
from scipy.special import stdtr

from depthseg_lib.analysis.claims.question import ALPHAS, LOOKS

Array = np.ndarray


def p_values(values: Array, equal: Array, margin: Array) -> Array:
    """The two p's of each contrast from its differences, (..., n, K), to no difference at 0: (2, ..., K).

    The first says that there is a difference: Student's t, two-sided; where the claim is that there is none (`equal`,
    K bool) it says that the difference is over the `margin` (K). The second says that it is within: the larger of the
    two one-sided p's (Schuirmann 1987). 1 where a difference is NaN, or all are zero.
    """
    n = values.shape[-2]
    tail = partial(stdtr, n - 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # differences that are all the same
        mean, error = values.mean(-2), values.std(-2, ddof=1) / np.sqrt(n)
        middle, low, high = mean / error, (mean + margin) / error, (mean - margin) / error
    apart = np.where(equal, np.minimum(tail(low), tail(-high)), tail(-np.abs(middle)))
    return np.nan_to_num(np.stack([np.minimum(1, 2 * apart), np.maximum(tail(-low), tail(high))]), nan=1.0)


def holm(p: Array, alpha: float) -> Array:
    """Which of the last axis' hypotheses are rejected: the i-th smallest of K at alpha / (K + 1 - i), up to the first
    that is not."""
    order = np.argsort(p, -1)
    passed = np.take_along_axis(p, order, -1) <= alpha / np.arange(p.shape[-1], 0, -1)
    return np.take_along_axis(np.logical_and.accumulate(passed, -1), np.argsort(order, -1), -1)


def decided(values: Array, equal: Array, margin: Array, tested: Array | None = None) -> Array:
    """At which look, 4, 8 or 12, each contrast was decided in each of the two families, else 0: (2, ..., K).

    `values` (..., N, K) are the differences of repetitions in their order, of one study or of many at once, NaN where a
    contrast has none: from there on it is not tested, and counts as p = 1. So it does at looks at which `tested`
    (3, K bool) says no.
    """
    at = np.zeros((2, *values.shape[:-2], values.shape[-1]), int)
    tested = np.ones((len(LOOKS), values.shape[-1]), bool) if tested is None else tested
    for n, alpha, now in zip(LOOKS, ALPHAS, tested, strict=True):
        if n <= values.shape[-2]:
            p = np.where(now, p_values(values[..., :n, :], equal, margin), 1.0)
            p = np.where(at > 0, 0.0, p)
            at = np.where(holm(p, alpha) & (at == 0), n, at)
    return at


def look(repetitions: int) -> tuple[int, float]:
    """How many of the repetitions count, and the level of their interval: those of the last look that they reach, all
    of them before the first and after the last."""
    reached = [(n, 1 - alpha) for n, alpha in zip(LOOKS, ALPHAS, strict=True) if n <= repetitions]
    count, level = reached[-1] if reached else (repetitions, 1 - ALPHAS[0])
    return (repetitions if repetitions > LOOKS[-1] else count), level


def found(p: Iterable[float], rate: float) -> Array:
    """Which of secondary p's are found at this false discovery rate (Benjamini & Hochberg 1995)."""
    from scipy.stats import false_discovery_control  # takes a second to import

    p = np.fromiter(p, float)
    return false_discovery_control(p) <= rate if len(p) else p > 0
