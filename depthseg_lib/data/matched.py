"""Images and their label images, found by two globs whose stars stand for the same text."""

import glob
import re
from pathlib import Path

from depthseg_lib.data import folders
from depthseg_lib.data.sets.description import Globs
from depthseg_lib.errors import InputError

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
    return [folders.natural(part) for part in reversed((file, *file.parents))]


def _found(folder: Path, pattern: str, where: str) -> dict[tuple[str, ...], Path]:
    """The files that `pattern` matches, by what its stars stand for."""
    expression = re.compile(_expression(pattern))
    found = {}
    for name in glob.iglob(pattern, root_dir=folder, recursive=True):
        file = folder / name
        if file.suffix.lower() in folders.IMAGE_SUFFIXES and (match := expression.fullmatch(name)):
            found[tuple(part or "" for part in match.groups())] = file
    if not found:
        raise InputError(
            f"{where}: expected the glob '{pattern}' to match PNG or JPEG files in {folder}, found none "
            f"({folders.found(folder)}); correct it there"
        )
    return found


def _expression(pattern: str) -> str:
    """A glob as a regular expression with a group for each of its wildcards."""
    known = {"**/": "(.*/)?", "**": "(.*)", "*": "([^/]*)", "?": "([^/])"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    return "".join(
        known.get(part, f"({part.replace('[!', '[^')})" if part[:1] == "[" else re.escape(part)) for part in parts
    )
