"""Object sizes behind figure 10: measured where the images are, else the committed ones."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from depthseg_lib.analysis.measurements import load as measuring
from depthseg_lib.analysis.measurements.load import Arrays, Runs
from depthseg_lib.analysis.results import Results
from depthseg_lib.data.labels import THINGS, LabelSet
from depthseg_lib.errors import InputError
from depthseg_lib.settings import FinetuneConfig

LEAST_CROP = 0.5
"""The smallest share of a photograph's area that the random crops of its training keep."""
RANGE = (5, 95)
"""Percentiles of the sizes that count as seen."""
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


def size(height, width):
    """The size of a thing in pixels: the square root of the area of its bounding box (h w).

    One number for wide and tall things alike that doubles when an image is enlarged twofold. The box, and not the
    area of the thing's own pixels, since a bicycle in front of a wall is as large as one of sheet metal.
    """
    return np.sqrt(np.asarray(height, float) * width)


def in_labels(labels: np.ndarray, label_set: LabelSet) -> pd.DataFrame:
    """Things in label images (N H W): a row per connected component (8 neighbours) of each class in `THINGS`.

    Columns: thing, image, top, left, height, width (of the bounding box), pixels, size. What is partly hidden counts
    with its visible parts, each by itself; touching things of a class count as one.
    """
    from scipy.ndimage import label  # takes half a second, which drawing does not need

    rows = []
    for number, name in enumerate(label_set.classes):
        if name in THINGS:
            for image in np.flatnonzero((labels == number).any((1, 2))):
                components = label(labels[image] == number, np.ones((3, 3), int))[0]
                rows += [(THINGS[name], image, *box) for box in _boxes(components)]
    return _table(rows)


def in_masks(masks: np.ndarray, things: list[str]) -> pd.DataFrame:
    """The thing in each photograph (N H W bool), as one even where others cut it up; columns as `in_labels` has."""
    boxes = [_boxes(mask.astype(np.uint8)) for mask in masks]
    return _table([(thing, n, *of) for n, (thing, box) in enumerate(zip(things, boxes, strict=True)) for of in box])


def seen_range(sizes, side: float) -> tuple[float, float]:
    """Sizes of a class that training on its photographs (of `side` pixels) shows: the `RANGE` percentiles.

    A random crop keeps `LEAST_CROP` to 1 of the area and is enlarged: things grow up to 1.41 times, within the image.
    """
    sizes = np.asarray(sizes, float)
    if not sizes.size:
        raise InputError("no photograph of the class: expected one at least; render more of them")
    kept = LEAST_CROP + (1 - LEAST_CROP) * (np.arange(50) + 0.5) / 50
    low, high = np.percentile(np.minimum(sizes[:, None] / np.sqrt(kept), side), RANGE)
    return float(low), float(high)


def mismatch(objects: pd.DataFrame, side: float) -> pd.DataFrame:
    """A row per thing that both have: how its sizes in streets lie to the range that its photographs show.

    `objects` is a row per object with `where` (photographs or streets), thing, pixels and size. Columns: thing,
    photographs, low and high (pixels, `seen_range`), objects, median (pixels, in streets), and as shares 0..1 smaller
    and larger of the street objects, pixels_smaller and pixels_larger of their pixels. Most pixels in streets first.
    """
    by_thing = {
        where: dict(list(objects[objects["where"] == where].groupby("thing"))) for where in ("photographs", "streets")
    }
    both, rows = [name for name in by_thing["photographs"] if name in by_thing["streets"]], []
    for name in sorted(both, key=lambda name: by_thing["streets"][name]["pixels"].sum(), reverse=True):
        photographs, streets = by_thing["photographs"][name], by_thing["streets"][name]
        low, high = seen_range(photographs["size"], side)
        counts = {"thing": name, "photographs": len(photographs), "low": low, "high": high, "objects": len(streets)}
        pixels = streets["pixels"] / streets["pixels"].sum()
        outside = {"smaller": streets["size"] < low, "larger": streets["size"] > high}
        shares = {key: chosen.mean() for key, chosen in outside.items()}
        shares |= {f"pixels_{key}": pixels[chosen].sum() for key, chosen in outside.items()}
        rows.append(counts | {"median": streets["size"].median()} | shares)
    return pd.DataFrame(rows)


def _boxes(numbered: np.ndarray) -> list[tuple]:
    """(top, left, height, width, pixels) of each number above zero."""
    from scipy.ndimage import find_objects

    found = zip(find_objects(numbered), np.bincount(numbered.ravel())[1:], strict=True)
    return [(y.start, x.start, y.stop - y.start, x.stop - x.start, count) for (y, x), count in found]


def _table(rows: list[tuple]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["thing", "image", "top", "left", "height", "width", "pixels"])
    whole = {name: np.int32 for name in table if name != "thing"}
    return table.astype(whole).assign(size=size(table["height"], table["width"]))


@dataclass(frozen=True, eq=False)
class Sizes(measuring.Measured):
    """Sizes of objects in photographs and in streets, with a few to look at."""

    objects: pd.DataFrame
    """A row per object: where (photographs or streets), and the columns of `in_labels`."""
    shown: pd.DataFrame
    """A row per example: thing, kind (photograph, small or large), its box in the picture (top ... width), and size."""
    examples: Arrays
    """The pictures by `<thing>.<kind>`, 3 h w uint8: photographs, and parts of street images that may be passed on."""

    @property
    def mismatch(self) -> pd.DataFrame:
        """`mismatch` of the objects."""
        return mismatch(self.objects, SIDE)


def load(results: Results, runs: str | Path = "runs", figures: str | Path = "") -> Sizes:
    """Object sizes in the images that these results' runs were trained and validated on; see `measuring.load`."""
    stored, source = measuring.load("object sizes", results, runs, figures, _compute)
    return Sizes(source, stored, stored.tables["objects"], stored.tables["shown"], stored.arrays["examples"])


def _compute(runs: Runs) -> tuple[dict, dict]:
    from depthseg_lib.data.photographs import CLASSES, PhotographsConfig, first_of_each, framed  # loads PyTorch

    config = FinetuneConfig(**next(iter(runs.values())).parameters)
    training, validation = measuring.annotated(runs)
    images, labels = (np.concatenate([getattr(of, n) for of in (training, validation)]) for n in ("images", "labels"))
    streets = in_labels(labels, validation.label_set)
    things = [name for name in CLASSES if name in set(streets["thing"])]
    taken = PhotographsConfig(size=SIDE, count=config.photographs, seed=config.world_seed)
    seen = framed(taken, first_of_each(taken, things, PHOTOGRAPHS))
    photographs = in_masks(seen.masks, [CLASSES[label] for label in seen.labels])
    print(f"object sizes: {len(streets)} in {len(labels)} street images, {len(photographs)} photographs")
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
        top, left, picture = _around((photographs if row["kind"] == "photograph" else streets)[row["image"]], row)
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
    """Top, left and pixels of the part of an image (3 H W) around a box, as large as a photograph, or as the box is."""
    starts, lengths = [], []
    for start, length, whole in zip(("top", "left"), ("height", "width"), image.shape[1:], strict=True):
        lengths.append(min(whole, max(SIDE, int(_MARGIN * box[length]))))
        middle = box[start] + box[length] // 2
        starts.append(int(np.clip(middle - lengths[-1] // 2, 0, whole - lengths[-1])))
    (top, left), (height, width) = starts, lengths
    return top, left, np.ascontiguousarray(image[:, top : top + height, left : left + width])
