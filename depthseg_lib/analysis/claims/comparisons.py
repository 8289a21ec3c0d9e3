"""Which runs stand on the two sides of a claim's part, and what is missing."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from depthseg_lib.analysis.claims.effects import Trials
from depthseg_lib.analysis.claims.question import BASE, EVERY, OVER, Part, Side
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
    """A part of a claim for one encoder and training-set size, or over all, with the runs that stand for its sides."""

    part: Part
    encoder: str
    images: int | None
    """None over all sizes, or where no run says which."""
    sides: tuple[Side, Side]
    arms: tuple[tuple[Trials | None, Trials | None], ...]
    """Both sides' trials, for each training-set size; None for what was not run."""

    @property
    def missing(self) -> str:
        """What has no run, for the reader."""
        if self.part.images == OVER and len(self.arms) < 2 or self.part.images == EVERY and self.images is None:
            return "a second training-set size"
        empty = [_text(side) for arms in self.arms for side, of in zip(self.sides, arms, strict=True) if of is None]
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
        if self.part.images == OVER:
            return ", over sizes"
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
    sizes = _sizes(part, encoder, runs)
    for images in (sizes,) if part.images == OVER else ((size,) for size in sizes):
        for sides in (own, other):
            keys = [[(encoder, of.initialisation, of.setting, of.experiment, size) for of in sides] for size in images]
            arms = tuple(tuple(runs.get(key) for key in both) for both in keys)
            found = Comparison(part, encoder, images[0] if part.images != OVER else None, sides, arms)
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
    if part.images in (EVERY, OVER):
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
    """What holds for every metric of a comparison, but for pre-training that failed."""
    place = stand_in(of.part, results)
    apart = len({side.setting == "deeplab" for side in of.sides}) > 1
    pairing = "two architectures: the trials share the order of batches, not the fresh layers" if apart else ""
    found = [f"stand-in: {place}" if place else "", pairing]
    for side in of.sides:
        if side.experiment in FROM_LARGE:
            there, usual = (_pretrained(side, of.encoder, results, large)["iteration"].max() for large in (True, False))
            if pd.notna(there) and pd.notna(usual) and there != usual:
                steps = f"{there:,.0f} steps, at the small one {usual:,.0f}"
                found.append(f"{side.initialisation} at the large size had {steps}")
    return [text for text in dict.fromkeys(found) if text]


def failed(of: Comparison, results: Results) -> list[dict[int, str]]:
    """For each side, the draws of its pre-training that do not beat what sees no image, with that in a sentence."""
    return [dict(_failed(side, of.encoder, results)) for side in of.sides]


def _failed(side: Side, encoder: str, results: Results) -> Iterator[tuple[int, str]]:
    """By what the run itself says was learned, else by the errors that it has."""
    for run in _pretrained(side, encoder, results, side.experiment in FROM_LARGE).to_dict("records"):
        what = f"the {side.initialisation} network" + (" of the large size" if "-large" in run["name"] else "")
        if pd.notna(run["learned"]):
            if run["learned"] == "no":
                yield run["pretraining"], f"{what}: {run['learned_because']}"
            continue
        for error, (mean, unit) in _ERRORS.items():
            own, without = run[error], run[f"{error}_mean_map"]
            if own > LEARNED * without:
                word, numbers = "hardly" if own < without else "no", f"{own:.2f} against {without:.2f}{unit}"
                yield run["pretraining"], f"{what} is {word} better than {mean} ({numbers})"


def _pretrained(side: Side, encoder: str, results: Results, large: bool) -> pd.DataFrame:
    """The draws of a side's pre-training, at the usual or the large size: one row each; `pretraining` says which, by
    its column, else by the number at the end of the name, else 0."""
    measured = ["iteration", *(name + suffix for name in _ERRORS for suffix in ("", "_mean_map"))]
    said = ["learned", "learned_because", "pretraining"]
    name = re.escape(pretrained_name(encoder, side.initialisation, large))
    known = results.pretrain.reindex(columns=["name", *measured, *said])
    numbers = [re.fullmatch(rf"{name}(?:-?[a-z]?(\d+))?", str(of)) for of in known["name"]]
    rows = known[np.array([number is not None for number in numbers], bool)].astype(dict.fromkeys(measured, float))
    named = [int(number[1] or 0) for number in numbers if number]
    return rows.assign(
        pretraining=[n if np.isnan(k) else int(k) for n, k in zip(named, rows["pretraining"], strict=True)]
    )
