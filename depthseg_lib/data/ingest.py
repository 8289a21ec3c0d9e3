"""Real images, decoded once: resized to the size of the study and packed as uint8 under the cache.

Every real set comes through here, as clips of video and annotated images. The cache key holds the name, size and time
of every file, so a file that changed is read again, and one that changes meanwhile is an error; the source is never
written to.
"""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.data import image_files, resize
from depthseg_lib.data import labels as label_sets
from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.cache import Progress, packed
from depthseg_lib.errors import InputError
from depthseg_lib.fingerprint import source_hash


@dataclass(frozen=True)
class Clip:
    """Consecutive frames of one camera, as files."""

    files: tuple[Path, ...]
    """In time order."""
    size: tuple[int, int]
    """Height and width that every file must have, those that the intrinsics hold for."""
    intrinsics: np.ndarray
    """(3, 3), in pixels of the files, pixel centres at whole numbers."""

    def __post_init__(self):
        """Raise `InputError` for intrinsics that are no camera's: normalised by the size, or of another."""
        (height, width), matrix = self.size, self.intrinsics
        lengths = {"fx": (matrix[0, 0], width), "fy": (matrix[1, 1], height)}
        centres = {"cx": (matrix[0, 2], width), "cy": (matrix[1, 2], height)}
        wrong = [f"{n} {value:g}" for n, (value, side) in lengths.items() if not 0.1 * side < value < 10 * side]
        wrong += [f"{n} {value:g}" for n, (value, side) in centres.items() if not 0 <= value <= side]
        if wrong:
            raise InputError(
                f"the intrinsics of {self.files[0].parent} cannot be those of frames of {_text(self.size)}, in pixels: "
                f"expected fx and fy from a tenth to ten times the width and the height, cx and cy within the image, "
                f"found {', '.join(wrong)}; multiply normalised ones, such as Monodepth2's, with the width (fx, cx) "
                "and the height (fy, cy)"
            )

    def every(self, step: int) -> list["Clip"]:
        """The clip as `step` clips of frames `step` apart: no frame is lost, and neighbours lie further apart."""
        return [replace(self, files=self.files[i::step]) for i in range(min(step, len(self.files)))]


@dataclass(frozen=True)
class Annotated:
    """One annotated image, which is read when it is asked for; `pair` makes the usual one."""

    name: str
    """For figures and error messages."""
    where: str
    """Its label image, for messages."""
    files: tuple[Path, ...]
    """All that is read."""
    image: Callable[[], Image.Image]
    """Decodes the image, grey or RGB."""
    ids: Callable[[], np.ndarray]
    """Decodes its label ids (H, W), as the label set's `encode` takes them."""
    check: Callable[[], None]
    """Raises `InputError`, before anything is decoded, where image and labels don't fit."""


def pair(name: str, photograph: Path, labels: Path, coloured: bool = False, like: Path | None = None) -> Annotated:
    """An image and its label image, a PNG of the same size that is `coloured` as its `LabelSet` is.

    `like` is a label image of the set with whose palette that of this one has to agree.
    """

    def check() -> None:
        image, ids = image_files.size(photograph), image_files.label_size(labels, coloured)
        if image != ids:
            raise InputError(
                f"{photograph} is {_text(image)}, but its label image {labels} is {_text(ids)}: expected one size; "
                "fetch both files again from the same release of the set, or leave the pair out"
            )

    return Annotated(
        name,
        str(labels),
        (photograph, labels),
        lambda: image_files.photograph(photograph),
        lambda: image_files.label_ids(labels, coloured, like),
        check,
    )


def video(clips: Sequence[Clip], height: int, width: int, crop: bool = False, progress: Progress = None) -> Video:
    """All frames of `clips`, a sequence each, at `height` x `width`, squeezed or, with `crop`, cropped to that shape.

    Raises `InputError` where a file is broken or has another size than its clip.
    """
    frames = [(file, clip.size) for clip in clips for file in clip.files]

    def check(frame: tuple[Path, tuple[int, int]]) -> None:
        file, expected = frame
        if (found := image_files.size(file)) != expected:
            raise InputError(
                f"{file} is {_text(found)}, but {_text(expected)} was expected, the size that the intrinsics and the "
                "other frames of its sequence are for; give frames of one size, and the intrinsics of that size"
            )

    def one(frame: tuple[Path, tuple[int, int]]) -> tuple[np.ndarray]:
        return (resize.plan(frame[1], height, width, crop).image(image_files.photograph(frame[0])),)

    key, sizes = _key(height, width, crop), hashlib.sha256(repr([size for _, size in frames]).encode()).hexdigest()
    arrays, files = {"images": (np.uint8, (3, height, width))}, [file for file, _ in frames]
    (images,) = packed("ingest", key, files, arrays, frames, one, progress, check, of_all={"sizes": sizes})
    lengths = [len(clip.files) for clip in clips]
    intrinsics = [resize.plan(clip.size, height, width, crop).intrinsics(clip.intrinsics) for clip in clips]
    sequence = np.repeat(np.arange(len(clips), dtype=np.int32), lengths)
    return Video(images, sequence, np.repeat(np.stack(intrinsics), lengths, axis=0))


def labelled(
    annotated: Sequence[Annotated],
    label_set: label_sets.LabelSet,
    height: int,
    width: int,
    crop: bool = False,
    progress: Progress = None,
) -> Labelled:
    """Annotated images at `height` x `width`, squeezed or, with `crop`, cropped to that shape.

    Raises `InputError` where a file is broken, image and labels differ in size, or an id is not in `label_set`.
    """

    def one(item: Annotated) -> tuple[np.ndarray, np.ndarray]:
        ids = item.ids()
        how = resize.plan(ids.shape, height, width, crop)
        return how.image(item.image()), how.label(label_set.encode(ids, item.where))

    reader = inspect.getfile(annotated[0].ids)
    key = _key(height, width, crop, reader, label_sets.__file__) | {"label_set": asdict(label_set)}
    key["names"] = hashlib.sha256("\n".join(item.name for item in annotated).encode()).hexdigest()
    arrays = {"images": (np.uint8, (3, height, width)), "labels": (np.uint8, (height, width))}
    files = list(dict.fromkeys(file for item in annotated for file in item.files))
    found = packed("ingest", key, files, arrays, annotated, one, progress, lambda item: item.check())
    return Labelled(*found, label_set, tuple(item.name for item in annotated))


def _key(height: int, width: int, crop: bool, *sources: str) -> dict:
    code = source_hash(__file__, resize.__file__, image_files.__file__, *sources)
    return {"size": [height, width], "crop": crop, "code": code}


def _text(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
