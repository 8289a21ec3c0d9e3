"""What `make check-data` looks at in a real set: names of all files, and readers for the few that it opens.

A set's module has a function `sample(folder) -> Sample`. It lists files and opens none, so that it takes seconds for
forty thousand frames too; `labelled`, `sequences` and `evenly` do most of what it needs.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.data import image_files
from depthseg_lib.data.labels import LabelSet


@dataclass(frozen=True)
class LabelledImage:
    """One annotated image of a set."""

    where: str
    """Its label image, for messages."""
    image: Callable[[], Image.Image]
    """Decodes the image."""
    ids: Callable[[], np.ndarray]
    """Decodes its label ids (H, W), as the label set's `encode` takes them."""


@dataclass(frozen=True)
class Measured:
    """One image with measured depth."""

    where: str
    """Its file of depth, for messages."""
    image: Callable[[], Image.Image]
    """Decodes the image."""
    depth: Callable[[], np.ndarray]
    """Reads its depth (H, W) in metres, 0 where there is none."""


@dataclass(frozen=True)
class Sample:
    """A real set, listed."""

    label_set: LabelSet
    """The classes of its label images."""
    labelled: Mapping[str, Sequence[LabelledImage]]
    """All annotated images by split, such as `training` and `test`; those to train on first."""
    sequences: Mapping[str, Sequence[Path]]
    """The frames of each sequence of the video, in time order, by a name for messages."""
    depth: Sequence[Measured] = ()
    """A few images with measured depth."""
    remarks: Sequence[str] = field(default=())
    """What the user should know or do, a sentence each, such as that intrinsics are guessed."""


def labelled(pairs: Sequence[tuple[Path, Path]], coloured: bool = False) -> list[LabelledImage]:
    """Images with label images, both PNG or JPEG files; `coloured` as in `LabelSet`."""
    return [LabelledImage(str(label), _photograph(image), _ids(label, coloured)) for image, label in pairs]


def sequences(root: Path, below: str = "") -> dict[str, Sequence[Path]]:
    """Every folder in `root`, however deep, that holds images, as a sequence; only those under a folder named `below`.

    `below` is empty for all. Hidden folders are left out.
    """
    found = {}
    for place, inner, names in os.walk(root, followlinks=True):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        if any(name.lower().endswith(image_files.IMAGE_SUFFIXES) for name in names):
            if not below or below in Path(place).relative_to(root).parts:
                found[str(Path(root.name, Path(place).relative_to(root)))] = image_files.image_files(Path(place))
    return found


def evenly(items: Sequence, count: int) -> list:
    """`count` of `items`, evenly over all of them, or all."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int) if len(items) else ()
    return [items[i] for i in places]


def _photograph(file: Path) -> Callable[[], Image.Image]:
    return lambda: image_files.photograph(file)


def _ids(file: Path, coloured: bool) -> Callable[[], np.ndarray]:
    return lambda: image_files.label_ids(file, coloured)
