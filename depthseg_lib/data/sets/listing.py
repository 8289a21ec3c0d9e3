"""What a real set holds, said once: checking, counting, sampling, packing and digests all come from it.

A set is a subclass of `Listing` in a file of its own, named in `sources.REAL_SETS`. It lists files and opens few, so
that it takes seconds for forty thousand frames too; what is listed is kept, so build a new one to look again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.arrays import Labelled, Video, spread
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.ingest import Annotated
from depthseg_lib.data.labels import LabelSet
from depthseg_lib.errors import InputError


@dataclass(frozen=True)
class Measured:
    """One image with measured depth."""

    where: str
    """Its file of depth, for messages."""
    image: Callable[[], Image.Image]
    """Decodes the image."""
    depth: Callable[[], np.ndarray]
    """Reads its depth (H, W) in metres, 0 where there is none."""


class Listing(ABC):
    """A real set in a folder. Every property raises `InputError`, saying what to do, where something is not there."""

    LAYOUT: ClassVar[str]
    """What the folder is to hold."""
    READ_FIRST: ClassVar[bool] = False
    """Whether the video is short enough to be read before anything is trained."""
    crop: ClassVar[bool] = False
    """Whether images are cropped to the shape of the study's, else squeezed."""
    label_set: LabelSet
    """The classes of its label images."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder).expanduser()

    def check(self) -> None:
        """Raise `InputError` unless everything is there; decodes nothing. A set looks for more than the folder."""
        if not self.folder.is_dir():
            raise InputError(f"DATA={self.folder}: there is no such folder; expected {self.LAYOUT}")

    @property
    @abstractmethod
    def labelled(self) -> Mapping[str, Sequence[Annotated]]:
        """All annotated images: those to train on first, then, where the set has some apart, those to test on."""

    @property
    @abstractmethod
    def sequences(self) -> Mapping[str, Sequence[Path]]:
        """The frames of each sequence of the video, in time order, by a name for messages."""

    @property
    @abstractmethod
    def parts(self) -> Sequence[Path]:
        """The files and folders on whose content results depend; what is not there counts as empty."""

    @abstractmethod
    def video(self, height: int, width: int, progress: Progress = None) -> Video:
        """The unlabelled video that depth is pre-trained on, with what depth is evaluated on."""

    @property
    def depth(self) -> Sequence[Measured]:
        """A few images with measured depth."""
        return ()

    @property
    def remarks(self) -> Sequence[str]:
        """What the user should know or do, a sentence each, such as that intrinsics are guessed or files not read."""
        return ()

    @cached_property
    def digest(self) -> str:
        """A digest of the names and sizes of the files, by which changed data is noticed."""
        return image_files.digest(self.parts)

    def annotated(self, height: int, width: int, progress: Progress = None) -> tuple[Labelled, Labelled | None]:
        """The images that a run takes its training images from, and those of the test split where there is one."""
        read = [
            ingest.labelled(of, self.label_set, height, width, self.crop, progress) for of in self.labelled.values()
        ]
        return read[0], read[1] if len(read) > 1 else None

    @property
    def count(self) -> int:
        """Images that a training set can be taken from."""
        return len(next(iter(self.labelled.values())))


def evenly(items: Sequence, count: int) -> list:
    """`count` of `items`, evenly over all of them, or all."""
    return [items[i] for i in spread(np.arange(len(items)), count)] if len(items) else []
