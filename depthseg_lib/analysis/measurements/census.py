"""The census of a profile's annotated images: taken where the images are, else the committed one."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from depthseg_lib.analysis.measurements import load as measuring
from depthseg_lib.analysis.measurements.load import Runs
from depthseg_lib.analysis.results import Results
from depthseg_lib.data.labels import VOID, LabelSet


@dataclass(frozen=True, eq=False)
class Census(measuring.Measured):
    """The classes of a profile's annotated images."""

    classes: pd.DataFrame
    """`census` of the training and the validation images together."""
    images: int
    """How many images these are."""


def load(results: Results, runs: str | Path = "runs", figures: str | Path = "") -> Census:
    """The census of the images that these results' runs were trained and validated on; see `measuring.load`."""
    stored, source = measuring.load("census", results, runs, figures, _compute)
    return Census(source, stored, stored.tables["classes"], int(stored.tables["images"]["images"].iloc[0]))


def _compute(runs: Runs) -> tuple[dict, dict]:
    training, validation = measuring.annotated(runs)
    labels = [*training.labels, *validation.labels]
    return {"classes": census(labels, training.label_set), "images": pd.DataFrame({"images": [len(labels)]})}, {}


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
    names = [*label_set.classes, "void"]
    return pd.DataFrame({"class": names, "images": images, "pixels": pixels, "share": pixels / np.maximum(of, 1)})
