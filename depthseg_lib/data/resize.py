"""Crop to the aspect ratio of the target, then resize: images, labels and intrinsics, by the same box.

Pixel centres lie at whole numbers: the pixel `x` covers `x - 0.5 .. x + 0.5`. A crop by `left` and a scale by `s`
take it to `x' = (x - left + 0.5) * s - 0.5`.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Resize:
    """The part of a source image that is kept, and the size that it is brought to; build it with `plan`."""

    top: int
    """First kept row of the source."""
    left: int
    """First kept column of the source."""
    rows: int
    """Kept rows."""
    columns: int
    """Kept columns."""
    height: int
    """Rows of the result."""
    width: int
    """Columns of the result."""

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
