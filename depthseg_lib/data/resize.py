"""Crop to the aspect ratio of the target, then resize: images, labels and intrinsics, by the same box.

Pixel centres lie at whole numbers: the pixel `x` covers `x - 0.5 .. x + 0.5`. A crop by `left` and a scale by `s`
take it to `x' = (x - left + 0.5) * s - 0.5`.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Resize:
    """`rows` x `columns` pixels of a source image, from `top`, `left` on, as `height` x `width`; from `plan`."""

    top: int
    left: int
    rows: int
    columns: int
    height: int
    width: int

    def image(self, image: Image.Image) -> np.ndarray:
        """A grey or RGB image as (3, H, W) uint8, antialiased (Lanczos); grey fills all three channels."""
        box = (self.left, self.top, self.left + self.columns, self.top + self.rows)
        pixels = np.asarray(image.resize((self.width, self.height), Image.Resampling.LANCZOS, box=box))
        return np.broadcast_to(pixels, (3, *pixels.shape)) if pixels.ndim == 2 else pixels.transpose(2, 0, 1)

    def label(self, labels: np.ndarray) -> np.ndarray:
        """Labels (h, w) as (H, W), each pixel that of the nearest source pixel: no id appears that was not there."""
        rows = self.top + ((np.arange(self.height) + 0.5) * self.rows / self.height).astype(int)
        columns = self.left + ((np.arange(self.width) + 0.5) * self.columns / self.width).astype(int)
        return labels[rows[:, None], columns]

    def intrinsics(self, matrix: np.ndarray) -> np.ndarray:
        """The intrinsics (3, 3) of the source, in its pixels, as those of the result (float32, in its pixels)."""
        x, y = self.width / self.columns, self.height / self.rows
        change = [[x, 0, (0.5 - self.left) * x - 0.5], [0, y, (0.5 - self.top) * y - 0.5], [0, 0, 1]]
        return (np.array(change) @ matrix).astype(np.float32)


def plan(size: tuple[int, int], height: int, width: int, crop: bool) -> Resize:
    """How to bring an image of `size` (height, width) to `height` x `width`.

    With `crop` the largest centred part of the target's aspect ratio is kept, so that shapes stay as they are; without,
    the whole image is, squeezed where the ratios differ.
    """
    rows, columns = size
    if crop:
        rows, columns = min(rows, round(columns * height / width)), min(columns, round(rows * width / height))
    return Resize((size[0] - rows) // 2, (size[1] - columns) // 2, max(rows, 1), max(columns, 1), height, width)


FACTORS = (0.5, 2 / 3, 1.0, 1.5, 2.0)
"""Resize factors of the study, as even steps as they can be in a logarithm: things from half to twice their size."""


@dataclass(frozen=True)
class Canvas:
    """Where the resized image lies on the canvas that a network sees, in pixels: `rows` x `columns` from `top`, `left`
    on of `height` x `width`, which are multiples of 32, 64 at least."""

    top: int
    left: int
    rows: int
    columns: int
    height: int
    width: int


def canvas(height: int, width: int, factor: float) -> Canvas:
    """The canvas for an image of this size, `factor` times as large: the image in its middle."""
    rows, columns = (max(1, round(factor * length)) for length in (height, width))
    tall, wide = (max(64, -(-length // 32) * 32) for length in (rows, columns))
    return Canvas((tall - rows) // 2, (wide - columns) // 2, rows, columns, tall, wide)


def rescaled(image: np.ndarray, factor: float) -> np.ndarray:
    """An image (3 H W uint8) `factor` times as large, antialiased (Lanczos), whatever its size then is."""
    place = canvas(*image.shape[1:], factor)
    if (place.rows, place.columns) == image.shape[1:]:
        return image
    how = plan(image.shape[1:], place.rows, place.columns, crop=False)
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
