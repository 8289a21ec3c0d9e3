"""Image files: size from the header, decoded pixels, decoded label ids; whatever is broken is named."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.errors import InputError

_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises for files that are cut short, damaged or no image at all."""
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Modes of more than 8 bits per channel, which a conversion to RGB would clip without a word."""


def size(file: Path) -> tuple[int, int]:
    """Height and width in pixels, from the header alone."""
    with _opened(file) as image:
        return image.height, image.width


def label_size(file: Path) -> tuple[int, int]:
    """Height and width of a label image; raises `InputError` unless it has one channel of 8 bits."""
    with _opened(file) as image:
        if image.mode not in ("L", "P"):
            raise InputError(
                f"{file} is no label image: expected one channel of 8 bits with an id per pixel, found "
                f"{_description(image.mode)}; give the label-id images, not the coloured or the instance ones"
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


def label_ids(file: Path) -> np.ndarray:
    """The ids (H, W) uint8 of a label image; raises `InputError` where it is broken or no label image."""
    label_size(file)
    with _opened(file) as image:
        return np.asarray(image)


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
