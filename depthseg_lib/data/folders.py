"""Looking into folders of images: what is there, in which order, and what to say when it is not what was expected."""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from depthseg_lib.errors import InputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
_SMALL = 2**20
"""Bytes up to which a file's content is in a digest."""
_CALIBRATION = re.compile(r"calib.*\.txt|intrinsics\.json|.*_camera\.json")


def existing(folder: str | Path, expected: str) -> Path:
    """`folder` as a path; raises `InputError`, saying what was `expected`, where it is missing, a file or empty."""
    folder = Path(folder).expanduser()
    entries = _entries(folder, expected)
    if not entries:
        raise InputError(f"{folder} is empty: expected {expected}; put the data there, or give the right folder")
    return folder


def image_files(folder: Path, expected: str = "PNG or JPEG images") -> tuple[Path, ...]:
    """The image files of `folder` in name order, numbers by value (`9.png` before `10.png`).

    Raises `InputError` where there are none, or two for the same name (`1.png` and `1.jpg`).
    """
    files = [file for file in _entries(folder, expected) if file.suffix.lower() in IMAGE_SUFFIXES]
    if not files:
        raise InputError(f"{folder} holds no images: expected {expected}, {found(folder)}; give the right folder")
    first_of = {}
    for file in files:
        if first_of.setdefault(file.stem, file) is not file:
            raise InputError(f"{folder} holds both {first_of[file.stem].name} and {file.name}: remove one of the two")
    return tuple(files)


def digest(places: Sequence[Path]) -> str:
    """A short digest of `places`: of a small file, its content; of a large one and of a folder, names and sizes.

    Those of a folder are of all files below it, with the content of calibrations, in which a digit may change alone.
    What is missing counts as an empty folder.
    """
    lines = [_file_digest(place) for place in places if place.is_file()]
    for folder in places:
        for place, _, names in os.walk(folder):
            files = [Path(place, name) for name in names]
            lines += [f"{folder.name}/{f.relative_to(folder).as_posix()} {f.stat().st_size}" for f in files]
            lines += [_file_digest(file) for file in files if _CALIBRATION.fullmatch(file.name)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _file_digest(file: Path) -> str:
    if file.stat().st_size > _SMALL:
        return f"{file.name} {file.stat().st_size}"
    return hashlib.sha256(file.read_bytes()).hexdigest()


def subfolders(folder: Path) -> tuple[Path, ...]:
    """The folders in `folder` in name order, hidden ones left out."""
    return tuple(entry for entry in _entries(folder, "folders") if entry.is_dir())


def holds_images(folder: Path) -> bool:
    """Whether at least one image file lies directly in `folder`."""
    return any(file.suffix.lower() in IMAGE_SUFFIXES for file in _entries(folder, "images"))


def paired(images: Sequence[Path], labels: Sequence[Path]) -> list[Path]:
    """`labels` in the order of `images`, matched by stem; raises `InputError` where a stem has only one of the two."""
    label_of = {file.stem: file for file in labels}
    unpaired = {file.stem for file in images} ^ label_of.keys()
    if unpaired:
        raise InputError(
            f"{images[0].parent} and {labels[0].parent} do not match: expected an image and a label image for every "
            f"name, found {len(unpaired)} with only one of them, such as {min(unpaired)}; fetch what is missing"
        )
    return [label_of[file.stem] for file in images]


def found(folder: Path) -> str:
    """What `folder` holds, in a few words for an error message."""
    names = [entry.name for entry in _entries(folder, "a folder")]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"found {', '.join(names[:6])}{more}" if names else "found it empty"


def file_text(file: Path, expected: str) -> str:
    """The text of `file`; raises `InputError`, saying what was `expected` in it, where it cannot be read."""
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{file} cannot be read ({reason}): expected {expected}; put that file there") from error


def _entries(folder: Path, expected: str) -> list[Path]:
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be read ({error.strerror}): expected {expected}; give the right folder"
        ) from error
    return sorted(entries, key=natural)


def natural(file: Path) -> tuple:
    """The key by which files are sorted: names in order, numbers in them by value."""
    parts = re.split(r"(\d+)", file.name)  # text, number, text, ...
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), file.name
