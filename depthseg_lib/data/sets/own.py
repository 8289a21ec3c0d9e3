"""A user's own data: labelled images and video as a `dataset.json` describes them (see `described`)."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from depthseg_lib.data import folders, frames, image_files, ingest
from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.matched import Pair, pairs
from depthseg_lib.data.pack import Progress
from depthseg_lib.data.sets import description as descriptions
from depthseg_lib.data.sets import listing as samples
from depthseg_lib.data.sets.description import NAME, Description, Footage
from depthseg_lib.data.sets.listing import Sample
from depthseg_lib.errors import InputError

READ_FIRST = True
"""Whether the whole video is read before anything is trained."""
LAYOUT = f"one with a {NAME} in it, which `make describe DATA=folder` writes"


def video(folder: Path, height: int, width: int, progress: Progress = None) -> Video:
    """All frames of the described video, cropped to the shape of `height` x `width` and resized.

    The last tenth of the sequences, one at least, is held out for evaluation; of a single one, its last tenth.
    """
    return ingest.video(_clips(descriptions.read(folder)), height, width, True, 1, progress)


def annotated(folder: Path, height: int, width: int, progress: Progress = None) -> tuple[Labelled, Labelled | None]:
    """The labelled images, of which a run is trained on some, and those of the test split where there is one.

    They may have several sizes: each is cropped to the shape of `height` x `width`, with its label image.
    """
    description = descriptions.read(folder)
    training, test = _pairs(description)
    read = _labelled(description, training, height, width, progress)
    return read, _labelled(description, test, height, width, progress) if test else None


def annotated_count(folder: Path) -> int:
    """Images that a training set can be taken from, counted without decoding any."""
    return len(_pairs(descriptions.read(folder))[0])


def parts(folder: Path) -> list[Path]:
    """The folders whose content results depend on, and the files: the description and the cameras' intrinsics."""
    description = descriptions.read(folder)
    labelled = {file.parent for pairs_of in _pairs(description) for pair in pairs_of for file in pair}
    sequences = [(one, place) for one in description.footage for place in _sequences(one)]
    cameras = {_file(one, place) for one, place in sequences if not isinstance(one.intrinsics, dict)}
    return [description.file, *sorted(cameras | labelled | {place for _, place in sequences})]


def check(folder: Path) -> None:
    """Raise `InputError` unless the description is right and what it names is there; decodes nothing."""
    description = descriptions.read(_existing(folder))
    training, test = _pairs(description)
    if len(training) < (1 if test else 2):
        raise InputError(
            f"{description.labelled.where[0]}: expected two labelled images at least, one to train on and one to "
            f"validate on, found {len(training)}; label more, or describe a 'test' split"
        )
    _clips(description)


def sample(folder: Path) -> Sample:
    """What `make check-data` looks at: everything that the description names."""
    description = descriptions.read(folder)
    training, test = _pairs(description)
    places = [place for one in description.footage for place in _sequences(one)]
    sequences = {os.path.relpath(place, folder): folders.image_files(place) for place in places}
    splits = {"training": training} | ({"test": test} if test else {})
    return Sample(
        description.label_set,
        {name: samples.labelled(of, description.label_set.coloured) for name, of in splits.items()},
        sequences,
        remarks=[
            f"{one.where}: these intrinsics are guessed: correct them, then take the key '{descriptions.GUESSED}' out"
            for one in description.footage
            if isinstance(one.intrinsics, dict) and descriptions.GUESSED in one.intrinsics
        ],
    )


def usable(description: Description) -> int:
    """The largest training set that leaves enough to validate on: a quarter of the images, or the test split."""
    training, test = _pairs(description)
    return len(training) if test else max(1, len(training) * 3 // 4)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"DATA={folder}: there is no such folder; expected {LAYOUT}")
    return folder


def _pairs(description: Description) -> tuple[list[Pair], list[Pair]]:
    training = pairs(description.file.parent, description.labelled)
    test = pairs(description.file.parent, description.test) if description.test else []
    if shared := {image for image, _ in training} & {image for image, _ in test}:
        raise InputError(
            f"{description.test.where[0]}: expected images of the test split alone, found {len(shared)} that are "
            f"trained on too, such as {min(shared)}; correct the globs, so that no image is in both"
        )
    return training, test


def _labelled(description: Description, chosen: list[Pair], height: int, width: int, progress: Progress) -> Labelled:
    files = tuple(zip(*chosen, strict=True))
    read = ingest.labelled(*files, description.label_set, height, width, True, progress)
    if len(set(read.names)) == len(read.names):
        return read
    root = description.file.parent
    return replace(read, names=tuple(os.path.relpath(file, root) for file in files[0]))


def _clips(description: Description) -> list[ingest.Clip]:
    """The sequences of the video, two at least, each long enough for a triplet."""
    clips = [_clip(one, folder) for one in description.footage for folder in _sequences(one)]
    needed = (2 * description.frame_step + 1) * (2 if len(clips) == 1 else 1)
    if short := [clip for clip in clips if len(clip.files) < needed]:
        raise InputError(
            f"{description.footage[0].where}: expected {needed} frames at least in each of {len(clips)} sequences, "
            f"with frame_step {description.frame_step}, found {len(short[0].files)} in {short[0].files[0].parent}; "
            "give more of that video, leave the folder out, or lower frame_step"
        )
    return _apart(clips[0], needed // 2) if len(clips) == 1 else clips


def _sequences(footage: Footage) -> list[Path]:
    try:
        return frames.sequences(footage.folder)
    except InputError as error:
        raise InputError(f"{footage.where}: {error}") from error


def _clip(footage: Footage, folder: Path) -> ingest.Clip:
    files = folders.image_files(folder)
    size, matrix = _camera(footage, folder)
    if (found := image_files.size(files[0])) != size:
        raise InputError(
            f"{footage.where}: the intrinsics are for frames of {size[1]}x{size[0]}, but {files[0]} is "
            f"{found[1]}x{found[0]}: expected one size; give the intrinsics of these frames, and an entry of its own "
            "to each folder of another size"
        )
    return ingest.Clip(files, size, matrix)


def _camera(footage: Footage, folder: Path) -> tuple[tuple[int, int], np.ndarray]:
    if isinstance(footage.intrinsics, dict):
        return frames.camera(footage.intrinsics)
    file = _file(footage, folder)
    if not file.is_file():
        raise InputError(
            f"{footage.where}: the frames in {folder} have no intrinsics, there is no file {file}: expected it, or "
            f"'intrinsics' here with {', '.join(frames.INTRINSICS)} in pixels of the frames; add them"
        )
    return frames.read_intrinsics(file)


def _file(footage: Footage, folder: Path) -> Path:
    return footage.intrinsics or frames.beside(folder)


def _apart(clip: ingest.Clip, needed: int) -> list[ingest.Clip]:
    """A single sequence as two, of which the second, a tenth or as many frames as `needed`, is held out."""
    cut = len(clip.files) - max(needed, len(clip.files) // 10)
    return [replace(clip, files=files) for files in (clip.files[:cut], clip.files[cut:])]
