"""Images at another scale: resized, and continued by mirroring to a size that networks take."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from depthseg_lib.data import resize

FACTORS = (0.5, 2 / 3, 1.0, 1.5, 2.0)
"""Resize factors of the study, as even steps as they can be in a logarithm: things from half to twice their size."""
_MULTIPLE, _LEAST = 32, 64
"""Sizes that encoder and decoder take."""


@dataclass(frozen=True)
class Canvas:
    """Where the resized image lies on the canvas that a network sees; all in pixels."""

    top: int
    """First row of the image."""
    left: int
    """First column of the image."""
    rows: int
    """Rows of the image."""
    columns: int
    """Columns of the image."""
    height: int
    """Of the canvas, a multiple of 32, 64 at least."""
    width: int
    """Of the canvas, a multiple of 32, 64 at least."""


def canvas(height: int, width: int, factor: float) -> Canvas:
    """The canvas for an image of this size, `factor` times as large: the image in its middle."""
    rows, columns = (max(1, round(factor * length)) for length in (height, width))
    tall, wide = (max(_LEAST, -(-length // _MULTIPLE) * _MULTIPLE) for length in (rows, columns))
    return Canvas((tall - rows) // 2, (wide - columns) // 2, rows, columns, tall, wide)


def rescaled(image: np.ndarray, factor: float) -> np.ndarray:
    """An image (3 H W uint8) `factor` times as large, antialiased (Lanczos), whatever its size then is."""
    place = canvas(*image.shape[1:], factor)
    if (place.rows, place.columns) == image.shape[1:]:
        return image
    how = resize.plan(image.shape[1:], place.rows, place.columns, crop=False)
    return how.image(Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))))


def on_canvas(image: np.ndarray, factor: float) -> np.ndarray:
    """The image (3 H W uint8) `factor` times as large on its `canvas`, continued by its mirror image.

    A canvas is larger than its image where this is no multiple of 32, or below 64: then the deepest maps would be one
    pixel high, and the decoder's convolutions have nothing to reflect there. Enlarging the image instead would undo
    the factor.
    """
    place = canvas(*image.shape[1:], factor)
    below, right = place.height - place.top - place.rows, place.width - place.left - place.columns
    return np.pad(rescaled(image, factor), ((0, 0), (place.top, below), (place.left, right)), mode="symmetric")
