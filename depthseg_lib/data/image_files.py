"""Image files: size from the header, decoded pixels, decoded label ids; whatever is broken is named."""

import hashlib
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.data.labels import packed_colour
from depthseg_lib.errors import InputError

_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises for files that are cut short, damaged or no image at all."""
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Modes of more than 8 bits per channel, which a conversion to RGB would clip without a word."""

_SMALL = 2**20
"""Bytes up to which a file's content is in a digest."""
_CALIBRATION = re.compile(r"calib.*\.txt|intrinsics\.json|.*_camera\.json")
_SYSTEM = re.compile(r"\..*|thumbs\.db|ehthumbs\.db|desktop\.ini|~\$.*|.*~|#.*#", re.IGNORECASE)
"""Names of what systems, editors and Jupyter leave in folders: hidden files, previews, locks, backups."""


def size(file: Path) -> tuple[int, int]:
    """Height and width in pixels, from the header alone."""
    with _opened(file) as image:
        return image.height, image.width


def label_size(file: Path, coloured: bool = False) -> tuple[int, int]:
    """Height and width of a label image; raises `InputError` unless it has one channel of 8 bits, or is `coloured`."""
    with _opened(file) as image:
        if not coloured and image.mode not in ("L", "P"):
            raise InputError(
                f"{file} is no label image: expected one channel of 8 bits with an id per pixel, found "
                f"{_description(image.mode)}; give the label-id images, not the coloured or the instance ones"
            )
        if coloured and image.mode not in ("RGB", "RGBA", "P"):
            raise InputError(
                f"{file} is no coloured label image: expected 8-bit RGB with its class's colour in every pixel, found "
                f"{_description(image.mode)}; give the coloured images, or map ids to classes and not colours"
            )
        if image.format == "JPEG":
            raise InputError(
                f"{file} is a JPEG, which changes ids and colours near every border: expected PNG label images; take "
                "them as they were before they were compressed"
            )
        return image.height, image.width


def photograph(file: Path) -> Image.Image:
    """The decoded image, grey (mode L) or RGB; raises `InputError` where it is broken or has more than 8 bits."""
    with _opened(file) as image:
        if image.mode in _DEEP:
            raise InputError(
                f"{file} has {_description(image.mode)}: expected 8-bit grey or colour; convert the frames to 8 bits"
            )
        image.load()
        if image.mode in ("L", "RGB"):
            return image.copy()
        # a palette's transparency has to become a channel of its own first, or Pillow warns
        return (image.convert("RGBA") if "transparency" in image.info else image).convert("RGB")


def label_ids(file: Path, coloured: bool = False) -> np.ndarray:
    """The ids (H, W) uint8 of a label image; raises `InputError` where it is broken or no label image.

    Of a `coloured` one, the colours as numbers (H, W) int32, as `labels.packed_colour` makes them.
    """
    label_size(file, coloured)
    with _opened(file) as image:
        if not coloured:
            return np.asarray(image)
        red, green, blue = np.asarray(image.convert("RGB")).astype(np.int32).transpose(2, 0, 1)
        return packed_colour(red, green, blue)


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(file) as image:
            yield image
    except InputError:
        raise
    except _DECODING_ERRORS as error:
        raise InputError(
            f"{file} cannot be read ({getattr(error, 'strerror', None) or error}): expected a whole PNG or JPEG "
            "image; fetch or copy it again"
        ) from error


def _description(mode: str) -> str:
    return "a single channel of more than 8 bits" if mode in _DEEP else f"a {mode} image"


def existing(folder: str | Path, expected: str) -> Path:
    """`folder` as a path; raises `InputError`, saying what was `expected`, where it is missing, a file or empty."""
    folder = Path(folder).expanduser()
    if not entries(folder, expected):
        raise InputError(f"{folder} is empty: expected {expected}; put the data there, or give the right folder")
    return folder


def image_files(folder: Path, expected: str = "PNG or JPEG images") -> tuple[Path, ...]:
    """The image files of `folder` in name order, numbers by value (`9.png` before `10.png`).

    Raises `InputError` where there are none, or two for the same name (`1.png` and `1.jpg`).
    """
    files = [file for file in entries(folder, expected) if is_image(file.name)]
    if not files:
        raise InputError(f"{folder} holds no images: expected {expected}, {found(folder)}; give the right folder")
    first_of = {}
    for file in files:
        if first_of.setdefault(file.stem, file) is not file:
            raise InputError(f"{folder} holds both {first_of[file.stem].name} and {file.name}: remove one of the two")
    return tuple(files)


def digest(places: Sequence[Path], *texts: str) -> str:
    """A short digest of `places`: of a small file, its content; of a large one and of a folder, names and sizes.

    Those of a folder are of all files below it, with the content of calibrations, in which a digit may change alone.
    What is missing counts as an empty folder, and what a system or an editor leaves there does not count. `texts` do.
    """

    def one(file: Path) -> str:
        small = file.stat().st_size <= _SMALL
        return hashlib.sha256(file.read_bytes()).hexdigest() if small else f"{file.name} {file.stat().st_size}"

    lines = [*texts, *(one(place) for place in places if place.is_file())]
    for folder in places:
        for place, names in below(folder):
            files = [Path(place, name) for name in names]
            lines += [f"{folder.name}/{f.relative_to(folder).as_posix()} {f.stat().st_size}" for f in files]
            lines += [one(file) for file in files if _CALIBRATION.fullmatch(file.name)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def below(folder: str | Path) -> Iterator[tuple[str, list[str]]]:
    """Every folder in `folder`, itself first, with the names of its files, in order of characters; links are followed.

    What systems, editors and Jupyter leave there is left out.
    """
    for place, inner, names in os.walk(folder, followlinks=True):
        inner[:] = sorted(name for name in inner if not _SYSTEM.fullmatch(name))
        yield place, sorted(name for name in names if not _SYSTEM.fullmatch(name))


def is_image(name: str) -> bool:
    """Whether a file of this name is a PNG or JPEG image, and none that a system or an editor left."""
    return name.lower().endswith((".png", ".jpg", ".jpeg")) and not _SYSTEM.fullmatch(name)


def subfolders(folder: Path) -> tuple[Path, ...]:
    """The folders in `folder` in name order."""
    return tuple(entry for entry in entries(folder, "folders") if entry.is_dir())


def holds_images(folder: Path) -> bool:
    """Whether at least one image file lies directly in `folder`."""
    return any(is_image(file.name) for file in entries(folder, "images"))


def found(folder: Path) -> str:
    """What `folder` holds, in a few words for an error message."""
    names = [entry.name for entry in entries(folder, "a folder")]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"found {', '.join(names[:6])}{more}" if names else "found it empty"


def file_text(file: Path, expected: str) -> str:
    """The text of `file`; raises `InputError`, saying what was `expected` in it, where it cannot be read."""
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{file} cannot be read ({reason}): expected {expected}; put that file there") from error


def is_positive(value: object) -> bool:
    """Whether a value of a json text is a positive number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def entries(folder: Path, expected: str) -> list[Path]:
    """What `folder` holds, in name order, numbers by value; raises `InputError` where it cannot be read.

    What systems, editors and Jupyter leave there is left out.
    """
    try:
        entries = [entry for entry in folder.iterdir() if not _SYSTEM.fullmatch(entry.name)]
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be read ({error.strerror}): expected {expected}; give the right folder"
        ) from error
    return sorted(entries, key=natural)


def natural(file: Path) -> tuple:
    """The key by which files are sorted: names in order, numbers in them by value."""
    parts = re.split(r"(\d+)", file.name)  # text, number, text, ...
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), file.name
