"""A user's own data: labelled images and video as a `dataset.json` describes them (see `described`)."""

import glob
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.sets import description as descriptions
from depthseg_lib.data.sets import listing as samples
from depthseg_lib.data.sets.description import INTRINSICS, NAME, Description, Footage, Globs, is_positive
from depthseg_lib.data.sets.listing import Sample
from depthseg_lib.errors import InputError

_LAYOUT = "frames as PNG or JPEG, directly or in one sub-folder per sequence"
_JSON = (
    'a json object like {"width": 640, "height": 320, "fx": 578.3, "fy": 575.7, "cx": 335.7, "cy": 194.6}, in pixels '
    "of the frames"
)


def video_of(
    source: str | Path | Sequence[str | Path],
    height: int,
    width: int,
    *,
    intrinsics: str | Path | None = None,
    step: int = 1,
    crop: bool = False,
    progress: Progress = None,
) -> Video:
    """Frames of one folder or several, at `height` x `width`; the images of a folder are a sequence in name order.

    A folder may hold frames, sub-folders of frames (a sequence each), or both. `intrinsics` is one json file for all;
    without it, `intrinsics.json` is looked for beside the frames, then in the folder above. With `step` above 1 frames
    that lie `step` apart become neighbours: for slow or fast-sampled video. With `crop`, frames keep their shape.
    Raises `InputError` for a missing or empty folder, missing or wrong intrinsics, frames of another size than the
    intrinsics are for, and broken images.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    if not sources:
        raise InputError(f"no folder of frames was given: expected at least one with {_LAYOUT}")
    clips = [_plain_clip(folder, intrinsics) for given in sources for folder in sequences(given)]
    return ingest.video(clips, height, width, crop, step, progress)


def sequences(source: str | Path) -> list[Path]:
    """The folders of frames in `source`: itself, its sub-folders, or both; `InputError` where there are none."""
    folder = image_files.existing(source, _LAYOUT)
    sequences = [part for part in (folder, *image_files.subfolders(folder)) if image_files.holds_images(part)]
    if not sequences:
        raise InputError(
            f"{folder} holds no frames: expected {_LAYOUT}, {image_files.found(folder)}; give another folder"
        )
    return sequences


def _plain_clip(folder: Path, intrinsics: str | Path | None) -> ingest.Clip:
    file = Path(intrinsics).expanduser() if intrinsics else beside(folder)
    size, matrix = read_intrinsics(file)
    return ingest.Clip(image_files.image_files(folder), size, matrix)


def beside(folder: Path) -> Path:
    """The `intrinsics.json` for the frames in `folder`, there or in the folder above; it need not exist."""
    file, above = folder / "intrinsics.json", folder.absolute().parent / "intrinsics.json"
    return above if above.exists() and not file.exists() else file


def read_intrinsics(file: Path) -> tuple[tuple[int, int], np.ndarray]:
    """The size (height, width) that an intrinsics json is for, and its matrix (3, 3) in pixels of that size.

    Raises `InputError` where the file is missing, no json, or lacks a key or a positive number for it.
    """
    try:
        values = json.loads(image_files.file_text(file, _JSON))
    except json.JSONDecodeError as error:
        raise InputError(f"{file} is not json ({error}): expected {_JSON}; correct it") from error
    wrong = [key for key in INTRINSICS if not isinstance(values, dict) or not is_positive(values.get(key))]
    if wrong:
        raise InputError(f"{file} has no positive number for {', '.join(wrong)}: expected {_JSON}; add what is missing")
    return camera(values)


def camera(values: Mapping) -> tuple[tuple[int, int], np.ndarray]:
    """The size (height, width) and the matrix (3, 3) of positive numbers for the keys of `INTRINSICS`."""
    matrix = np.array([[values["fx"], 0, values["cx"]], [0, values["fy"], values["cy"]], [0, 0, 1]], float)
    return (int(values["height"]), int(values["width"])), matrix


Pair = tuple[Path, Path]
"""An image and its label image."""


def pairs(folder: Path, globs: Globs) -> list[Pair]:
    """The pairs below `folder`, in the order of the globs and then of the images' names, numbers by value.

    Raises `InputError` where a glob matches nothing, and where an image has no label image or the reverse.
    """
    return [pair for one in zip(globs.images, globs.labels, strict=True) for pair in _matched(folder, globs, *one)]


def _matched(folder: Path, globs: Globs, images: str, labels: str) -> list[Pair]:
    image_of, label_of = (
        _found(folder, pattern, where) for pattern, where in zip((images, labels), globs.where, strict=True)
    )
    if apart := sorted(image_of.keys() ^ label_of.keys()):
        side, other = ("image", "label image") if apart[0] in image_of else ("label image", "image")
        file = {**image_of, **label_of}[apart[0]]
        raise InputError(
            f"{globs.where[1]}: expected a label image for every image, where the stars of '{images}' and '{labels}' "
            f"stand for the same text, found {len(apart)} of {len(image_of.keys() | label_of.keys())} with only one of "
            f"the two: {file}, for one, is {'a' if side[0] == 'l' else 'an'} {side} without its {other}; correct the "
            "globs, or take out what has no counterpart"
        )
    return [(image_of[key], label_of[key]) for key in sorted(image_of, key=lambda key: _order(image_of[key]))]


def _order(file: Path) -> tuple:
    return [image_files.natural(part) for part in reversed((file, *file.parents))]


def _found(folder: Path, pattern: str, where: str) -> dict[tuple[str, ...], Path]:
    """The files that `pattern` matches, by what its stars stand for."""
    expression = re.compile(_expression(pattern))
    found = {}
    for name in glob.iglob(pattern, root_dir=folder, recursive=True):
        file = folder / name
        if file.suffix.lower() in image_files.IMAGE_SUFFIXES and (match := expression.fullmatch(name)):
            found[tuple(part or "" for part in match.groups())] = file
    if not found:
        raise InputError(
            f"{where}: expected the glob '{pattern}' to match PNG or JPEG files in {folder}, found none "
            f"({image_files.found(folder)}); correct it there"
        )
    return found


def _expression(pattern: str) -> str:
    """A glob as a regular expression with a group for each of its wildcards."""
    known = {"**/": "(.*/)?", "**": "(.*)", "*": "([^/]*)", "?": "([^/])"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    return "".join(
        known.get(part, f"({part.replace('[!', '[^')})" if part[:1] == "[" else re.escape(part)) for part in parts
    )


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
    sequences = {os.path.relpath(place, folder): image_files.image_files(place) for place in places}
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
        return sequences(footage.folder)
    except InputError as error:
        raise InputError(f"{footage.where}: {error}") from error


def _clip(footage: Footage, folder: Path) -> ingest.Clip:
    files = image_files.image_files(folder)
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
        return camera(footage.intrinsics)
    file = _file(footage, folder)
    if not file.is_file():
        raise InputError(
            f"{footage.where}: the frames in {folder} have no intrinsics, there is no file {file}: expected it, or "
            f"'intrinsics' here with {', '.join(descriptions.INTRINSICS)} in pixels of the frames; add them"
        )
    return read_intrinsics(file)


def _file(footage: Footage, folder: Path) -> Path:
    return footage.intrinsics or beside(folder)


def _apart(clip: ingest.Clip, needed: int) -> list[ingest.Clip]:
    """A single sequence as two, of which the second, a tenth or as many frames as `needed`, is held out."""
    cut = len(clip.files) - max(needed, len(clip.files) // 10)
    return [replace(clip, files=files) for files in (clip.files[:cut], clip.files[cut:])]
