"""Real images, decoded once: resized to the size of the study and packed as uint8 under the cache.

Every reader of a real set comes through here. The cache key holds the name, size and time of every file, so a file that
changed is read again, and one that changes meanwhile is an error; the source is never written to.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files as files_of_images
from depthseg_lib.data import labels as label_sets
from depthseg_lib.data import resize
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
    poses: np.ndarray | None = None
    """(N, 4, 4) camera-to-world, metres; None where unknown."""

    def every(self, step: int) -> list["Clip"]:
        """The clip as `step` clips of frames `step` apart: no frame is lost, and neighbours lie further apart."""
        if step == 1:
            return [self]
        poses = [None if self.poses is None else self.poses[i::step] for i in range(step)]
        return [replace(self, files=self.files[i::step], poses=poses[i]) for i in range(min(step, len(self.files)))]


def video(clips: Sequence[Clip], height: int, width: int, crop: bool, step: int, progress: Progress) -> Video:
    """All frames of `clips` at `height` x `width`; poses only where every clip has them.

    Raises `InputError` where a file is broken or has another size than its clip.
    """
    if step < 1:
        raise InputError(f"step is {step}: expected a whole number of frames of at least 1")
    clips = [part for clip in clips for part in clip.every(step)]
    files = [file for clip in clips for file in clip.files]
    sizes = [clip.size for clip in clips for _ in clip.files]
    images = _images(files, sizes, height, width, crop, progress)
    lengths = [len(clip.files) for clip in clips]
    intrinsics = [resize.plan(clip.size, height, width, crop).intrinsics(clip.intrinsics) for clip in clips]
    poses = None
    if all(clip.poses is not None for clip in clips):
        poses = np.concatenate([clip.poses for clip in clips]).astype(np.float32)
    sequence = np.repeat(np.arange(len(clips), dtype=np.int32), lengths)
    return Video(images, sequence, np.repeat(np.stack(intrinsics), lengths, axis=0), poses=poses)


def labelled(
    images: Sequence[Path],
    labels: Sequence[Path],
    label_set: label_sets.LabelSet,
    height: int,
    width: int,
    crop: bool = False,
    progress: Progress = None,
) -> Labelled:
    """The pairs `images[i]`, `labels[i]` at `height` x `width`, named by the images' stems.

    Raises `InputError` where a file is broken, a pair differs in size, or an id is not in `label_set`.
    """

    def one(pair: tuple[Path, Path]) -> tuple[np.ndarray, np.ndarray]:
        ids = files_of_images.label_ids(pair[1], label_set.coloured)
        how = resize.plan(ids.shape, height, width, crop)
        return how.image(files_of_images.photograph(pair[0])), how.label(label_set.encode(ids, where=str(pair[1])))

    key = _key(height, width, crop) | {"label_set": [asdict(label_set), source_hash(label_sets.__file__)]}
    arrays = {"images": (np.uint8, (3, height, width)), "labels": (np.uint8, (height, width))}
    pairs = list(zip(images, labels, strict=True))
    check = partial(_check_pair, coloured=label_set.coloured)
    found = packed("ingest", key, [*images, *labels], arrays, pairs, one, progress, check)
    return Labelled(*found, label_set, tuple(file.stem for file in images))


def _images(files, sizes, height, width, crop, progress) -> np.ndarray:
    def one(item: tuple[Path, tuple[int, int]]) -> tuple[np.ndarray]:
        return (resize.plan(item[1], height, width, crop).image(files_of_images.photograph(item[0])),)

    key = _key(height, width, crop) | {"sizes": hashlib.sha256(repr(sizes).encode()).hexdigest()}
    arrays, items = {"images": (np.uint8, (3, height, width))}, list(zip(files, sizes, strict=True))
    return packed("ingest", key, files, arrays, items, one, progress, _check_size)[0]


def _check_size(item: tuple[Path, tuple[int, int]]) -> None:
    file, expected = item
    found = files_of_images.size(file)
    if found != expected:
        raise InputError(
            f"{file} is {_text(found)}, but {_text(expected)} was expected, the size that the intrinsics and the other "
            "frames of its sequence are for; give frames of one size, and the intrinsics of that size"
        )


def _check_pair(pair: tuple[Path, Path], coloured: bool) -> None:
    image, label = files_of_images.size(pair[0]), files_of_images.label_size(pair[1], coloured)
    if image != label:
        raise InputError(
            f"{pair[0]} is {_text(image)}, but its label image {pair[1]} is {_text(label)}: expected one size; fetch "
            "both files again from the same release of the set, or leave the pair out"
        )


def _text(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def _key(height: int, width: int, crop: bool) -> dict:
    code = source_hash(__file__, resize.__file__, files_of_images.__file__)
    return {"size": [height, width], "crop": crop, "code": code}
