"""Photographs in a folder per class, as in ImageNet's training set: classification can be pre-trained on them."""

import hashlib
import os
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files, resize
from depthseg_lib.data.arrays import Photographs
from depthseg_lib.data.cache import Progress, packed
from depthseg_lib.errors import InputError
from depthseg_lib.fingerprint import source_hash

LAYOUT = "a folder per class with PNG or JPEG photographs of it, or such folders below `train`, as ImageNet has them"


def photographs(folder: str | Path, size: int, progress: Progress = None) -> Photographs:
    """All photographs below `folder`, `size` x `size`: the shorter side resized, the middle of the longer one kept.

    Classes are the folders' names, in the order of their characters, as torchvision's ImageFolder has them. Raises
    `InputError` where there are fewer than two classes, one has no photographs, or a file is broken.
    """
    files, labels, classes = listed(folder)

    def one(file: str) -> tuple[np.ndarray]:
        image = image_files.photograph(file)
        return (resize.plan((image.height, image.width), size, size, crop=True).image(image),)

    key = {"size": size, "code": source_hash(__file__, resize.__file__, image_files.__file__)}
    (pixels,) = packed("photographs", key, files, {"images": (np.uint8, (3, size, size))}, files, one, progress)
    return Photographs(pixels, labels, classes)


def listed(folder: str | Path) -> tuple[list[str], np.ndarray, tuple[str, ...]]:
    """The files below `folder`, class after class, the class (N,) int64 of each, and the classes' names.

    Names are plain text, of which millions take little memory. Raises `InputError` as `photographs` does.
    """
    root, files, counts = _root(folder), [], []
    classes = tuple(sorted(entry.name for entry in image_files.subfolders(root)))
    if len(classes) < 2:
        raise InputError(
            f"{root} has {len(classes)} folders of photographs: expected two at least, {LAYOUT}; "
            f"{image_files.found(root)}"
        )
    for name in classes:
        members = [
            os.path.join(place, file)
            for place, names in image_files.below(root / name)
            for file in names
            if image_files.is_image(file)
        ]
        if not members:
            raise InputError(
                f"{root / name} holds no photographs: expected {LAYOUT}; {image_files.found(root / name)}; put them "
                "there, or remove the folder"
            )
        files += members
        counts.append(len(members))
    return files, np.repeat(np.arange(len(classes)), counts), classes


def digest(folder: str | Path) -> str:
    """A digest of the names and sizes of all photographs below `folder`, by which another set is noticed."""
    root, whole = _root(folder), hashlib.sha256()
    for file in listed(folder)[0]:
        whole.update(f"{file.removeprefix(f'{root}/')} {os.stat(file).st_size}\n".encode())
    return whole.hexdigest()[:16]


def _root(folder: str | Path) -> Path:
    root = image_files.existing(folder, LAYOUT)
    return root / "train" if (root / "train").is_dir() else root
