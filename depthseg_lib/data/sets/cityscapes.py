"""The `cityscapes` profile's data: the training split's video and labels, tested on the validation split."""

from pathlib import Path

from depthseg_lib.data import cityscapes
from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.labels import CITYSCAPES
from depthseg_lib.data.sets import listing as samples
from depthseg_lib.data.sets.listing import Sample

LAYOUT = f"one that holds {', '.join(cityscapes.FOLDERS.values())} of Cityscapes"
READ_FIRST = False
"""Whether the video is short enough to be read before anything is trained."""


def video(folder: Path, height: int, width: int, progress: Progress = None) -> Video:
    """The 2975 snippets of 30 frames of the training split: the test images' cities are not among them."""
    return cityscapes.video(folder, "train", height, width, progress=progress)


def annotated(folder: Path, height: int, width: int, progress: Progress = None) -> tuple[Labelled, Labelled]:
    """The 2975 training images, of which a run takes some, and the 500 of val (those of test have no labels)."""
    training, test = (cityscapes.labelled(folder, s, height, width, progress=progress) for s in ("train", "val"))
    return training, test


def annotated_count(folder: Path) -> int:
    """Images that a training set can be taken from, counted without decoding any."""
    return len(cityscapes.pairs(folder, "train")[0])


def parts(folder: Path) -> list[Path]:
    """The folders whose content results depend on."""
    return [folder / part for part in cityscapes.FOLDERS.values()]


def check(folder: Path) -> None:
    """Raise `InputError` unless all parts are there."""
    cityscapes.check(folder)


def sample(folder: Path) -> Sample:
    """What `make check-data` looks at: train and val, and the training split's snippets."""
    splits = {name: list(zip(*cityscapes.pairs(folder, name), strict=True)) for name in ("train", "val")}
    labelled = {name: samples.labelled(pairs) for name, pairs in splits.items()}
    return Sample(CITYSCAPES, labelled, cityscapes.sequences(folder, "train"))
