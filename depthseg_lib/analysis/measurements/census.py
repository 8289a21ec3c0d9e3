"""The census of a profile's annotated images: taken where the images are, else the committed one."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from depthseg_lib.analysis import store
from depthseg_lib.analysis.measurements import load as measuring
from depthseg_lib.analysis.measurements.load import Progress, Runs
from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.store import Kept, Kind
from depthseg_lib.data.labels import VOID, LabelSet

UNLABELLED = "void"
"""The row of pixels without a class."""
_CODE = ("analysis/measurements/census.py", "data/labels.py")
KIND = Kind("census", tables=("classes", "images"), arrays=(), code=_CODE)


@dataclass(frozen=True, eq=False)
class Census:
    """The classes of a profile's annotated images."""

    source: str
    """Where it came from, as a sentence for the reader."""
    classes: pd.DataFrame
    """`census` of the training and the validation images together."""
    images: int
    """How many images these are."""
    made_from: dict
    """The data's settings and hashes of the code."""


def load(results: Results, runs: str | Path = "runs", figures: str | Path = "", progress: Progress = print) -> Census:
    """The census of the images that these results' runs were trained and validated on.

    From where, and when it is taken anew, says `measuring.load`.
    """

    def compute(chosen: Runs) -> tuple[dict, dict]:
        classes, images = _count(chosen, progress)
        return {"classes": classes, "images": pd.DataFrame({"images": [images]})}, {}

    found, source = measuring.load(KIND, results, (runs, figures), measuring.annotated_data, compute)
    return Census(source, found.tables["classes"], int(found.tables["images"]["images"].iloc[0]), found.made_from)


def save(census: Census, profile: str, figures: str | Path) -> None:
    """Keep it with the committed results, for machines without the images."""
    tables = {"classes": census.classes, "images": pd.DataFrame({"images": [census.images]})}
    store.write_measurements(measuring.store(KIND, figures), profile, Kept(tables, {}, census.made_from))


def _count(runs: Runs, progress: Progress) -> tuple[pd.DataFrame, int]:
    from depthseg_lib.analysis.measurements.networks import (
        annotated,  # loads PyTorch, which a stored census does not need
    )

    training, validation = annotated(runs, progress)
    labels = [*training.labels, *validation.labels]
    return census(labels, training.label_set), len(labels)


def census(labels: Iterable[np.ndarray], label_set: LabelSet) -> pd.DataFrame:
    """Count the classes of label images (each H W uint8): a row per class, in training order, and one of void, last.

    Columns: class, images (that hold it), pixels, and `share`, of the labelled pixels 0..1; void's is that of all
    pixels. A class that no image holds has zeros. Images are taken one by one, so that a memory map stays on disk.
    """
    images, pixels = np.zeros(VOID + 1, np.int64), np.zeros(VOID + 1, np.int64)
    for image in labels:
        counts = np.bincount(image.ravel(), minlength=VOID + 1)
        images, pixels = images + (counts > 0), pixels + counts
    rows = [*range(len(label_set.classes)), VOID]
    images, pixels = images[rows], pixels[rows]
    of = np.where(np.arange(len(rows)) < len(rows) - 1, pixels[:-1].sum(), pixels.sum())
    names = [*label_set.classes, UNLABELLED]
    return pd.DataFrame({"class": names, "images": images, "pixels": pixels, "share": pixels / np.maximum(of, 1)})
