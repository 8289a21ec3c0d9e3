"""Object sizes behind figure 10: measured where the images are, else the committed ones."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from depthseg_lib import kept, object_sizes
from depthseg_lib.analysis.measurements import load as measuring
from depthseg_lib.analysis.measurements.load import Progress, Runs
from depthseg_lib.analysis.results import Results
from depthseg_lib.kept import Arrays, Kept, Kind
from depthseg_lib.settings import FinetuneConfig

_CODE = ("object_sizes.py", "analysis/measurements/sizes.py", "data/framing.py", "data/photographs.py", "data/streets.py")
KIND = Kind("object sizes", tables=("objects", "shown"), arrays=("examples",), code=_CODE)
PHOTOGRAPHS = 40
"""Photographs of each class that are measured."""
SIDE = 64
"""Height and width of a photograph, pixels."""
EXAMPLES = 3
"""Things that are shown: those with the most pixels in the streets."""
_MARGIN = 1.15
"""What a picture of a street object shows at least, in sides of its box."""
_LARGE = 0.9
"""The share of a class's pixels in streets that lie in smaller objects than the large one that is shown."""


@dataclass(frozen=True, eq=False)
class Sizes:
    """Sizes of objects in photographs and in streets, with a few to look at."""

    source: str
    """Where these came from, as a sentence for the reader."""
    objects: pd.DataFrame
    """A row per object: where (photographs or streets), and the columns of `object_sizes.in_labels`."""
    shown: pd.DataFrame
    """A row per example: thing, kind (photograph, small or large), its box (top, left, height, width) in the picture,
    and size."""
    examples: Arrays
    """The pictures by `<thing>.<kind>`, 3 h w uint8: whole photographs, and parts of street images. None of street
    images where those may not be passed on."""
    made_from: dict
    """The data's settings and hashes of the code."""

    @property
    def mismatch(self) -> pd.DataFrame:
        """`object_sizes.mismatch`."""
        return object_sizes.mismatch(self.objects, SIDE)


def load(results: Results, runs: str | Path = "runs", figures: str | Path = "", progress: Progress = print) -> Sizes:
    """Object sizes in the images that these results' runs were trained and validated on.

    From where, and when they are measured anew, says `measuring.load`.
    """

    def compute(chosen: Runs) -> tuple[dict, dict]:
        return _compute(chosen, progress)

    found, source = measuring.load(KIND, results, (runs, figures), measuring.annotated_data, compute)
    return Sizes(source, found.tables["objects"], found.tables["shown"], found.arrays["examples"], found.made_from)


def save(sizes: Sizes, profile: str, figures: str | Path) -> None:
    """Keep them with the committed results, for machines without the runs."""
    tables = {"objects": sizes.objects, "shown": sizes.shown}
    kept.write(measuring.store(KIND, figures), profile, Kept(tables, {"examples": sizes.examples}, sizes.made_from))


def _compute(runs: Runs, progress: Progress) -> tuple[dict, dict]:
    from depthseg_lib.analysis.measurements.networks import annotated
    from depthseg_lib.data.framing import first_of_each, framed  # loads PyTorch, which stored sizes do not need
    from depthseg_lib.data.photographs import CLASSES, PhotographsConfig

    config = FinetuneConfig.from_mapping(next(iter(runs.values())).parameters)
    training, validation = annotated(runs, progress)
    images, labels = (np.concatenate([getattr(of, n) for of in (training, validation)]) for n in ("images", "labels"))
    streets = object_sizes.in_labels(labels, validation.label_set)
    things = [name for name in CLASSES if name in set(streets["thing"])]
    taken = PhotographsConfig(size=SIDE, count=config.photographs, seed=config.world_seed)
    seen = framed(taken, first_of_each(taken, things, PHOTOGRAPHS))
    photographs = object_sizes.in_masks(seen.masks, [CLASSES[label] for label in seen.labels])
    progress(f"object sizes: {len(streets)} in {len(labels)} street images, {len(photographs)} photographs")
    objects = pd.concat([photographs.assign(where="photographs"), streets.assign(where="streets")], ignore_index=True)
    shown, examples = _examples(objects, seen.images, images if config.data_set == "streets" else None)
    return {"objects": objects, "shown": shown}, {"examples": examples}


def _examples(objects: pd.DataFrame, photographs: np.ndarray, streets: np.ndarray | None):
    """Of the things with the most pixels: the photograph and the street object of median size, and a large one."""
    counted = objects[objects["where"] == "streets"].groupby("thing")["pixels"].sum()
    chosen = []
    for thing in counted.sort_values(ascending=False, kind="stable").index[:EXAMPLES]:
        of = {where: part for where, part in objects[objects["thing"] == thing].groupby("where")}
        chosen.append(_at_share(of["photographs"].assign(pixels=1), 0.5).assign(kind="photograph"))
        if streets is not None:
            chosen.append(_at_share(of["streets"].assign(pixels=1), 0.5).assign(kind="small"))
            chosen.append(_at_share(of["streets"], _LARGE).assign(kind="large"))
    shown, pictures = pd.concat(chosen, ignore_index=True), {}
    for row in shown.to_dict("records"):
        whole = (photographs if row["kind"] == "photograph" else streets)[row["image"]]
        top, left, picture = _around(whole, row)
        pictures[f"{row['thing']}.{row['kind']}"] = picture
        here = (shown["thing"] == row["thing"]) & (shown["kind"] == row["kind"])
        shown.loc[here, ["top", "left"]] = row["top"] - top, row["left"] - left
    return shown[["thing", "kind", "top", "left", "height", "width", "size"]], pictures


def _at_share(objects: pd.DataFrame, share: float) -> pd.DataFrame:
    """The first object by size (a frame of one row) that, with the smaller ones, has this share of all pixels."""
    ordered = objects.sort_values("size", kind="stable")
    reached = ordered["pixels"].cumsum() >= share * ordered["pixels"].sum()
    return objects.loc[[reached.idxmax()]]


def _around(image: np.ndarray, box: dict) -> tuple[int, int, np.ndarray]:
    """The part of an image (3 H W) with the box in its middle, as large as a photograph or larger where the box is;
    its top, left and pixels."""
    starts, lengths = [], []
    for start, length, whole in zip(("top", "left"), ("height", "width"), image.shape[1:], strict=True):
        lengths.append(min(whole, max(SIDE, int(_MARGIN * box[length]))))
        middle = box[start] + box[length] // 2
        starts.append(int(np.clip(middle - lengths[-1] // 2, 0, whole - lengths[-1])))
    (top, left), (height, width) = starts, lengths
    return top, left, np.ascontiguousarray(image[:, top : top + height, left : left + width])
