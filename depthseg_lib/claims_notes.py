"""What the reader has to know of a comparison besides its effect: its data, its pairing and its pre-trainings."""

from collections.abc import Iterator

import pandas as pd

from depthseg_lib.analysis.claims.claims import Part, Side
from depthseg_lib.analysis.claims.comparisons import Comparison
from depthseg_lib.analysis.results import DATA, Results
from depthseg_lib.study.plan import pretrained_name
from depthseg_lib.study.profiles import PROFILES

LEARNED = 0.95
"""A network has learned something of its image when its error is below this share of the error without an image."""
FROM_LARGE = {part.experiment for of in PROFILES.values() for part in of.parts if part.pretrained_large}
"""The experiments whose depth was learned at the large size."""
_ERRORS = {"epe": ("the mean flow", " px"), "abs_rel": ("the mean depth map", "")}
"""The errors of pre-trained networks: what has the same error without an image, and the unit."""


def stand_in(part: Part, results: Results) -> str:
    """Which data stand for those of the paper, where it has the part on another set than KITTI."""
    return "" if part.data in ("kitti", results.data_set) else f"{results.data} for {DATA[part.data]}"


def notes(of: Comparison, results: Results) -> list[str]:
    """What holds for every metric of a comparison; of pre-training as far as its results are there."""
    runs, place = _pretraining(results), stand_in(of.part, results)
    found = [f"stand-in: {place}" if place else "", _pairing(of)]
    for side in dict.fromkeys(of.sides):
        large = side.experiment in FROM_LARGE
        found += [*_learned(side, of.encoder, large, runs), _steps(side, of.encoder, runs) if large else ""]
    return [text for text in dict.fromkeys(found) if text]


def _pairing(of: Comparison) -> str:
    apart = len({side.setting == "deeplab" for side in of.sides}) > 1
    return "two architectures: the trials share the order of batches, not the fresh layers" if apart else ""


def _pretraining(results: Results) -> pd.DataFrame:
    """Iterations and errors of the pre-training runs by name; NaN where there are none."""
    columns = ["iteration", *(name + suffix for name in _ERRORS for suffix in ("", "_mean_map"))]
    known = results.pretrain.reindex(columns=["name", *columns]).drop_duplicates("name").set_index("name")
    return known.astype(float)


def _learned(side: Side, encoder: str, large: bool, runs: pd.DataFrame) -> Iterator[str]:
    """Whether the network that a side starts from sees more in its image than the mean of all."""
    name = pretrained_name(encoder, side.initialisation, large)
    if name not in runs.index:
        return
    size = " of the large size" if name.endswith("-large") else ""
    for error, (mean, unit) in _ERRORS.items():
        own, without = runs.loc[name, [error, f"{error}_mean_map"]]
        if own > LEARNED * without:
            word = "hardly" if own < without else "no"
            numbers = f"{own:.2f} against {without:.2f}{unit}"
            yield f"the {side.initialisation} network{size} is {word} better than {mean} ({numbers})"


def _steps(side: Side, encoder: str, runs: pd.DataFrame) -> str:
    """How long depth was learned at the large size, where that is not as long as at the usual one."""
    names = [pretrained_name(encoder, side.initialisation, large) for large in (True, False)]
    large, small = (runs["iteration"].get(name) for name in names)
    if large is None or small is None or large == small:
        return ""
    return f"{side.initialisation} at the large size had {large:,.0f} steps, at the small one {small:,.0f}"
