"""Image files: size from the header, decoded pixels, decoded label ids; whatever is broken is named."""

import struct
import zlib
from collections.abc import Iterator
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
