"""How large things are in pixels: in the photographs that classification sees, and in annotated street images."""

import numpy as np
import pandas as pd
from scipy.ndimage import find_objects, label

from depthseg_lib.data.labels import LabelSet
from depthseg_lib.errors import InputError

THINGS = {
    **{name: name for name in ("car", "truck", "bus", "bicycle", "person", "traffic light", "traffic sign")},
    "pedestrian": "person",
    "sign": "traffic sign",
}
"""The classes of label sets that are single things, and what the photographs call them. Buildings and vegetation are
not among them: in a label image neighbours of such a class are one area."""
LEAST_CROP = 0.5
"""The smallest share of a photograph's area that the random crops of its training keep."""
RANGE = (5, 95)
"""Percentiles of the sizes that count as seen."""
_NEIGHBOURS = np.ones((3, 3), int)


def size(height, width):
    """The size of a thing in pixels: the square root of the area of its bounding box (h w).

    One number for wide and tall things alike that doubles when an image is enlarged twofold. The box, and not the
    area of the thing's own pixels, since a bicycle in front of a wall is as large as one of sheet metal.
    """
    return np.sqrt(np.asarray(height, float) * width)


def photographed(label_set: LabelSet) -> list[str]:
    """The classes of a label set that are single things and that the photographs show too; none indoors."""
    return [name for name in label_set.classes if name in THINGS]


def in_labels(labels: np.ndarray, label_set: LabelSet) -> pd.DataFrame:
    """Things in label images (N H W): a row per connected component (8 neighbours) of each class in `THINGS`.

    Columns: thing, image, top, left, height, width (of the bounding box), pixels, size. What is partly hidden counts
    with its visible parts, each by itself; touching things of a class count as one.
    """
    rows = []
    for number, name in enumerate(label_set.classes):
        if name in THINGS:
            for image in np.flatnonzero((labels == number).any((1, 2))):
                rows += [(THINGS[name], image, *box) for box in _components(labels[image] == number)]
    return _table(rows)


def in_masks(masks: np.ndarray, things: list[str]) -> pd.DataFrame:
    """The thing in each photograph (N H W bool), as one even where others cut it up; columns as `in_labels` has."""
    boxes = [_boxes(mask.astype(np.uint8)) for mask in masks]
    return _table([(thing, n, *of) for n, (thing, box) in enumerate(zip(things, boxes, strict=True)) for of in box])


def seen_range(sizes, side: float) -> tuple[float, float]:
    """Sizes of a class that training on its photographs (of `side` pixels) shows: the `RANGE` percentiles.

    A random crop keeps `LEAST_CROP` to 1 of the area and is enlarged to the whole, so things become up to 1.41 times
    as large, but no larger than the image.
    """
    sizes = np.asarray(sizes, float)
    if not sizes.size:
        raise InputError("no photograph of the class: expected one at least; render more of them")
    kept = LEAST_CROP + (1 - LEAST_CROP) * (np.arange(50) + 0.5) / 50
    enlarged = np.minimum(sizes[:, None] / np.sqrt(kept), side)
    low, high = np.percentile(enlarged, RANGE)
    return float(low), float(high)


def mismatch(objects: pd.DataFrame, side: float) -> pd.DataFrame:
    """A row per thing that both have: how its sizes in streets lie to the range that its photographs show.

    `objects` is a row per object with `where` (photographs or streets), thing, pixels and size. Columns: thing,
    photographs, low and high (pixels, `seen_range`), objects, median (pixels, in streets), and as shares 0..1
    `smaller` and `larger` of the street objects, `pixels_smaller` and `pixels_larger` of their pixels. Things with the
    most pixels in streets come first.
    """
    by_thing = {
        where: dict(list(objects[objects["where"] == where].groupby("thing"))) for where in ("photographs", "streets")
    }
    both = [name for name in by_thing["photographs"] if name in by_thing["streets"]]
    both.sort(key=lambda name: by_thing["streets"][name]["pixels"].sum(), reverse=True)
    return pd.DataFrame([_compared(name, *(by_thing[of][name] for of in by_thing), side) for name in both])


def _compared(name: str, photographs: pd.DataFrame, streets: pd.DataFrame, side: float) -> dict:
    low, high = seen_range(photographs["size"], side)
    pixels = streets["pixels"] / streets["pixels"].sum()
    outside = {"smaller": streets["size"] < low, "larger": streets["size"] > high}
    shares = {key: chosen.mean() for key, chosen in outside.items()}
    shares |= {f"pixels_{key}": pixels[chosen].sum() for key, chosen in outside.items()}
    counted = {"thing": name, "photographs": len(photographs), "low": low, "high": high, "objects": len(streets)}
    return counted | {"median": streets["size"].median(), **shares}


def _components(mask: np.ndarray) -> list[tuple]:
    return _boxes(label(mask, _NEIGHBOURS)[0])


def _boxes(numbered: np.ndarray) -> list[tuple]:
    """(top, left, height, width, pixels) of each number above zero."""
    counts = np.bincount(numbered.ravel())[1:]
    found = find_objects(numbered)
    return [
        (y.start, x.start, y.stop - y.start, x.stop - x.start, count)
        for (y, x), count in zip(found, counts, strict=True)
    ]


def _table(rows: list[tuple]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["thing", "image", "top", "left", "height", "width", "pixels"])
    whole = {name: np.int32 for name in table if name != "thing"}
    return table.astype(whole).assign(size=size(table["height"], table["width"]))
