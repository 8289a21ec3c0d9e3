"""What the judgement does with studies whose truth is known: how often it decides falsely, and what it finds."""

import numpy as np
import pandas as pd

from depthseg_lib.analysis.claims.judgement import decided
from depthseg_lib.analysis.claims.question import LOOKS, MARGINS, PRIMARY, STUCK, margin

DEVIATION = 2.0
"""Standard deviation of a difference between trials where nothing is to be found, in points."""
NULLS = {
    "independent claims": {},
    "claims correlated by 0.6": {"correlation": 0.6},
    "one arm with 10 % stuck runs": {"stuck": 0.1},
}
"""Studies in which no claim holds."""
STICKS = "one arm with 10 % stuck runs"
"""The one of these whose rate is not guaranteed."""
EFFECTS, DEVIATIONS = (2.0, 4.0, 8.0), (1.6, 2.5, 4.0)
"""Planted effects, and standard deviations of a difference, in points."""
TRUE = 7
"""How many of the claims hold where effects are planted: the first ones."""
_POINTS = MARGINS["mIoU points"]


def studies(count: int, effects=0.0, deviation=DEVIATION, correlation=0.0, stuck=0.0, seed=0) -> np.ndarray:
    """Differences of `count` studies (count, 12, 14), each in its claim's unit, in which a margin is two points' worth.

    `effects` are the claims' (14) true means and `deviation` the standard deviation between trials, in points; trials
    of different claims have this `correlation`. With `stuck`, so many of one arm's runs end by `question.STUCK` lower,
    which leaves the true means what they are.
    """
    random = np.random.default_rng(seed)
    size = (count, LOOKS[-1], len(PRIMARY))
    noise = np.sqrt(correlation) * random.normal(size=(*size[:2], 1))
    noise = deviation * (noise + np.sqrt(1 - correlation) * random.normal(size=size))
    lower = 100 * STUCK * ((random.random(size) < stuck) - stuck) if stuck else 0.0
    return (np.asarray(effects) + noise + lower) * [margin(part) / _POINTS for part in PRIMARY]


def judged(values: np.ndarray) -> np.ndarray:
    """`judgement.decided` of such studies, for the question's own claims."""
    equal = np.array([part.expected == "equal" for part in PRIMARY])
    return decided(values, equal, np.array([margin(part) for part in PRIMARY]))


def false_decisions(count: int, seed: int = 0) -> pd.DataFrame:
    """In what share of studies at least one claim is falsely decided, up to each look: case, family, look, rate, error.

    `error` is the standard error of the simulation. In the family `difference` no claim holds; in `equality` all
    differences lie on the margin, the hardest case.
    """
    rows = []
    for number, (case, noise) in enumerate(NULLS.items()):
        for family, name in enumerate(("difference", "equality")):
            at = judged(studies(count, family * _POINTS, **noise, seed=[seed, number, family]))[family]
            for look in LOOKS:
                rate = ((at > 0) & (at <= look)).any(-1).mean()
                rows.append((case, name, look, rate, np.sqrt(rate * (1 - rate) / count)))
    return pd.DataFrame(rows, columns=["case", "family", "look", "rate", "error"])


def power(count: int, seed: int = 0) -> pd.DataFrame:
    """What is found of planted effects, up to each look: effect, deviation, look, found, wrong, false.

    Seven claims have the effect. `found` is the share of these decided on the right side, `wrong` on the other; `false`
    the share of studies in which one of the others is falsely decided.
    """
    rows, holds = [], np.arange(len(PRIMARY)) < TRUE
    for deviation in DEVIATIONS:
        for effect in EFFECTS:
            values = studies(count, effect * holds, deviation, seed=[seed, int(10 * deviation), int(10 * effect)])
            at = judged(values)[0]
            for look in LOOKS:
                seen = (at > 0) & (at <= look)
                right = np.select([at == n for n in LOOKS], [values[:, :n].mean(1) > 0 for n in LOOKS], False)
                found, wrong = (seen & right)[:, holds].mean(), (seen & ~right)[:, holds].mean()
                rows.append((effect, deviation, look, found, wrong, seen[:, ~holds].any(-1).mean()))
    return pd.DataFrame(rows, columns=["effect", "deviation", "look", "found", "wrong", "false"])
