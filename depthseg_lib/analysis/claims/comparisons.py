"""Which runs stand on the two sides of a claim's part, and what is missing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from depthseg_lib.analysis.claims.claims import BASE, EVERY, Part, Side
from depthseg_lib.analysis.claims.effects import Trials
from depthseg_lib.analysis.results import DATA, Results
from depthseg_lib.errors import InputError
from depthseg_lib.losses.metrics import LEARNED
from depthseg_lib.settings import FROM_LARGE, pretrained_name

STAND_INS = {"imagenet": "classification", "depth-imagenet": "depth-classification"}
"""What is compared where ImageNet's initialisations were not run: classification of the embedded photographs."""
_RUNS = ["encoder", "initialisation", "setting", "experiment", "images"]
Runs = dict[tuple[str, str, str, str, int], Trials]
"""Trials by the columns of `_RUNS`."""


@dataclass(frozen=True)
class Comparison:
    """A part of a claim for one encoder and training-set size, with the runs that stand for its sides."""

    part: Part
    encoder: str
    images: int | None
    """None where no run says which."""
    sides: tuple[Side, Side]
    trials: tuple[Trials | None, Trials | None]
    """None for what was not run."""

    @property
    def missing(self) -> str:
        """What has no run, for the reader."""
        if self.images is None and self.part.images == EVERY:
            return "a second training-set size"
        empty = [_text(side) for side, trials in zip(self.sides, self.trials, strict=True) if trials is None]
        return " and ".join(dict.fromkeys(empty)) + (self._size if empty else "")

    @property
    def stand_in(self) -> str:
        """Which of the paper's initialisations another stands for."""
        pairs = zip((self.part.a, self.part.b), self.sides, strict=True)
        swapped = [f"{ours.initialisation} for {theirs.initialisation}" for theirs, ours in pairs if ours != theirs]
        return ", ".join(dict.fromkeys(swapped))

    @property
    def compared(self) -> str:
        """What is set against what."""
        a, b = self.sides
        if a == b:
            return _text(a) + self._size
        same = (a.setting, a.experiment) == (b.setting, b.experiment)
        return f"{a.initialisation if same else _text(a)} − {_text(b)}{self._size}"

    @property
    def _size(self) -> str:
        return "" if self.part.images == BASE or self.images is None else f", {self.images} images"


def grouped(results: Results) -> Runs:
    """The trials of each encoder, initialisation, setting, experiment and training-set size."""
    courses = dict(iter(results.history.groupby(_RUNS, observed=True)))
    found = {}
    for key, metrics in results.metrics.groupby(_RUNS, observed=True):
        if metrics["trial"].duplicated().any():
            raise InputError(
                f"several runs are trial {metrics['trial'].mode().iloc[0]} of {', '.join(map(str, key))}: "
                f"{', '.join(metrics['name'])}; remove the folders of those that the study did not ask for"
            )
        found[key] = Trials(metrics, courses.get(key, results.history[:0]))
    return found


def comparisons(part: Part, encoder: str, runs: Runs) -> Iterator[Comparison]:
    """The comparisons that test a part on one encoder, one for each training-set size (None where no run says which).

    The paper's own initialisations are compared where all of them were run, else the stand-ins for all.
    """
    own = (part.a, part.b)
    other = tuple(replace(side, initialisation=STAND_INS.get(side.initialisation, side.initialisation)) for side in own)
    for images in _sizes(part, encoder, runs):
        for sides in (own, other):
            keys = [(encoder, side.initialisation, side.setting, side.experiment, images) for side in sides]
            found = Comparison(part, encoder, images, sides, tuple(runs.get(key) for key in keys))
            if not found.missing:
                break
        yield found


def _sizes(part: Part, encoder: str, runs: Runs) -> list[int | None]:
    """The training-set sizes that a part is tested at; None where no run says which."""
    if isinstance(part.images, int):
        return [part.images]
    if part.images == BASE:  # the one that most runs of the main experiment have
        counts = Counter()
        for (_, _, _, experiment, images), trials in runs.items():
            counts[images] += len(trials.metrics) * (experiment == "main")
        return [counts.most_common(1)[0][0]]
    same = (encoder, part.a.setting, part.a.experiment)
    sizes = sorted({size for of, _, setting, experiment, size in runs if (of, setting, experiment) == same})
    if part.images == EVERY:
        return sizes if len(sizes) > 1 else [None]
    return sizes[-1:] or [None]


def _text(side: Side) -> str:
    """A side for readers; the main experiment goes without saying."""
    parts = (side.initialisation, side.setting, "" if side.experiment == "main" else side.experiment)
    return ", ".join(part for part in parts if part)


_ERRORS = {"epe": ("the mean flow", " px"), "abs_rel": ("the mean depth map", "")}
"""The errors of pre-trained networks: what has the same error without an image, and the unit."""


def stand_in(part: Part, results: Results) -> str:
    """Which data stand for those of the paper, where it has the part on another set than KITTI."""
    return "" if part.data in ("kitti", results.data_set) else f"{results.data} for {DATA[part.data]}"


def notes(of: Comparison, results: Results) -> list[str]:
    """What holds for every metric of a comparison; of pre-training as far as its results are there."""
    columns = ["iteration", *(name + suffix for name in _ERRORS for suffix in ("", "_mean_map"))]
    known = results.pretrain.reindex(columns=["name", *columns]).drop_duplicates("name").set_index("name")
    runs, place = known.astype(float), stand_in(of.part, results)
    apart = len({side.setting == "deeplab" for side in of.sides}) > 1
    pairing = "two architectures: the trials share the order of batches, not the fresh layers" if apart else ""
    found = [f"stand-in: {place}" if place else "", pairing]
    for side in of.sides:
        large = side.experiment in FROM_LARGE
        found += _learned(side, of.encoder, large, runs)
        names = [pretrained_name(of.encoder, side.initialisation, size) for size in (True, False)]
        there, usual = (runs["iteration"].get(name) for name in names)
        if large and there is not None and usual is not None and there != usual:
            steps = f"{there:,.0f} steps, at the small one {usual:,.0f}"
            found.append(f"{side.initialisation} at the large size had {steps}")
    return [text for text in dict.fromkeys(found) if text]


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
