"""Photographs in a folder per class, as in ImageNet's training set: classification can be pre-trained on them."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files, resize
from depthseg_lib.data.arrays import Photographs, held_out_photographs
from depthseg_lib.data.cache import Progress, packed
from depthseg_lib.errors import InputError, together
from depthseg_lib.files import project_path
from depthseg_lib.fingerprint import source_hash

LAYOUT = "a folder per class with PNG or JPEG photographs of it, or such folders below `train`, as ImageNet has them"
READ_FIRST = 20_000
"""Photographs up to which all are read before anything is trained."""
_SPLIT = re.compile(
    r"(?:[a-z]+[_ -])?(?:(?P<training>train|training)|val|valid|validation|test|testing|eval|evaluation)\d*"
    r"(?:[_ -]?(?:set|split|data|dataset|images?|photos?))?",
    re.IGNORECASE,
)
"""How folders of splits are called, such as `train`, `training_set`, `Val`, `test1` and `seg_test`."""


@dataclass(frozen=True)
class Listed:
    """What a folder of photographs holds."""

    root: Path
    """The folder that the classes lie in."""
    files: list[str]
    """Class after class; plain text, of which millions take little memory."""
    labels: np.ndarray
    """(N,) int64, the class of each file."""
    classes: tuple[str, ...]
    remarks: tuple[str, ...]
    """What is there and not read, a sentence each."""


def photographs(found: Listed, size: int, progress: Progress = None) -> Photographs:
    """All photographs of a folder, `size` x `size`: the shorter side resized, the middle of the longer one kept.

    `progress` is told what is not read. Raises `InputError`, after all were tried, where files are broken.
    """
    for remark in found.remarks if progress else ():
        progress(f"note: {remark}")

    def one(file: str) -> tuple[np.ndarray]:
        image = image_files.photograph(file)
        return (resize.plan((image.height, image.width), size, size, crop=True).image(image),)

    key = {"size": size, "code": source_hash(__file__, resize.__file__, image_files.__file__)}
    arrays = {"images": (np.uint8, (3, size, size))}
    (pixels,) = packed("photographs", key, found.files, arrays, found.files, one, progress)
    return Photographs(pixels, found.labels, found.classes)


def listed(folder: str | Path) -> Listed:
    """The photographs below `folder` and their classes; opens none.

    Classes are the folders' names, in the order of their characters, as torchvision's ImageFolder has them. Raises
    `InputError` where there are fewer than two classes, some have no photographs, or none to train on.
    """
    root, remarks = _root(image_files.existing(project_path(folder), LAYOUT))
    classes, counts, files, others, wrong = [], [], [], [], []
    for place in sorted(_folders(root), key=lambda entry: entry.name):
        names = [os.path.join(inner, name) for inner, of in image_files.below(place) for name in of]
        members = [name for name in names if image_files.is_image(name)]
        unread = [os.path.relpath(name, root) for name in names if not image_files.is_image(name)]
        if not members:
            why = "; ".join(image_files.unread_of(root, unread)) or image_files.found(place)
            wrong.append(
                f"{place} holds no photographs: expected {LAYOUT}; {why}; put them there, or remove the folder"
            )
        classes.append(place.name)
        counts.append(len(members))
        files += members
        others += unread
    if len(classes) < 2:
        raise InputError(
            f"{root} has {len(classes)} folders of photographs: expected two at least, {LAYOUT}; "
            f"{image_files.found(root)}"
        )
    labels = np.repeat(np.arange(len(classes)), counts)
    trained = np.bincount(labels[~held_out_photographs(len(labels))], minlength=len(classes))
    wrong += [
        f"{root / name} has a single photograph, and that is kept for evaluation, as every tenth is: expected some to "
        "train on; put at least one more there, or remove the folder"
        for name, count, left in zip(classes, counts, trained, strict=True)
        if count and not left
    ]
    if wrong:
        raise together([InputError(text) for text in wrong], f"of {len(classes)} classes cannot be trained on")
    beside = [entry.name for entry in image_files.entries(root, LAYOUT) if entry.is_file()]
    if loose := sum(map(image_files.is_image, beside)):
        remarks.append(f"{root} holds {loose} photographs beside the folders of classes, which are not read")
    remarks += image_files.unread_of(root, [*beside, *others])
    return Listed(root, files, labels, tuple(classes), tuple(remarks))


def digest(found: Listed) -> str:
    """A digest of the names and sizes of all photographs of a folder, by which another set is noticed."""
    whole = hashlib.sha256()
    for file in found.files:
        whole.update(f"{file.removeprefix(f'{found.root}/')} {os.stat(file).st_size}\n".encode())
    return whole.hexdigest()[:16]


def _root(folder: Path, within: bool = False) -> tuple[Path, list[str]]:
    """The folder that the classes lie in: `folder` or, where that holds splits, the one to train on; with remarks.

    What is called `train` and holds folders is a split. Else one that is called so in another way is, where all others
    are called as splits too, or some are and hold folders as it does; `within` a split, only where all are. Raises
    `InputError` where there are splits, but not one with classes to train on.
    """

    def holds_classes(place: Path) -> bool:
        inner = image_files.subfolders(place)
        return bool(inner) and not image_files.holds_images(place) and any(map(_has_photographs, inner))

    places = _folders(folder)
    splits = {place: match for place in places if (match := _SPLIT.fullmatch(place.name))}
    plain = folder / "train"
    all_are = len(splits) == len(places)
    if plain in places and (all_are or image_files.subfolders(plain) and not within):
        training = [plain]
    else:
        whole = [place for place in splits if holds_classes(place)]
        training = [place for place in whole if splits[place]["training"]]
        some_are = not within and training and len(whole) > len(training)
        if not splits or not (all_are or some_are):
            return folder, []
    if len(training) != 1:
        what = (
            f"{len(training)} to train on ({', '.join(p.name for p in training)})" if training else "none to train on"
        )
        raise InputError(
            f"{folder} holds {', '.join(place.name for place in places)}, which are called as splits are: expected one "
            f"to train on, with {LAYOUT}; found {what}; give the folder that the classes lie in, or put them into train"
        )
    root, remarks = _root(training[0], within=True)
    aside = [place.name for place in places if place != training[0]]
    if training[0] != plain and aside:
        remarks.insert(0, f"{folder}: the photographs are those of {training[0].name}, not of {', '.join(aside)}")
    return root, remarks


def _folders(folder: Path) -> list[Path]:
    """The folders in `folder`, but for links that lead back to it or to where it lies."""
    around = {folder.resolve(), *folder.resolve().parents}
    return [place for place in image_files.subfolders(folder) if place.resolve() not in around]


def _has_photographs(folder: Path) -> bool:
    return any(image_files.is_image(name) for _, names in image_files.below(folder) for name in names)
