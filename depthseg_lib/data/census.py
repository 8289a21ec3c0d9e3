"""A census of label images: in how many each class occurs, and how many pixels it has."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from depthseg_lib.data.labels import VOID, LabelSet

UNLABELLED = "void"
"""The row of pixels without a class."""


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
