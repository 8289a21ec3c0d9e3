"""What a depth camera would have measured of exact depth: a limited range, and holes where it sees nothing."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DepthCamera:
    """A camera that measures semi-dense depth, as NYU-V2's does, with a range made for streets instead of rooms."""

    nearest: float = 0.5
    """Metres below which nothing is measured."""
    farthest: float = 40.0
    """Metres beyond which nothing is measured: the sky, the street's end."""
    jump: float = 0.2
    """Relative step of depth from which both neighbours lie in the projector's shadow; flat ground has less."""
    blobs: int = 6
    """Round patches per frame that give no echo, as glass, wet and black surfaces don't."""
    radius: tuple[float, float] = (0.02, 0.1)
    """Least and largest radius of a patch, as a share of the image's height."""

    def measure(self, depth: np.ndarray, frames: np.ndarray, seed: int) -> np.ndarray:
        """Semi-dense depth (N H W float32 metres, 0 where nothing was measured) of exact depth (N H W).

        `frames` (N) are numbers that tell the frames apart: with the `seed` they are the seed of a frame's patches,
        which so are the same whenever the frame is seen, as in a recorded data set. No noise is added.
        """
        depth = np.asarray(depth, np.float32)
        missing = (depth < self.nearest) | (depth > self.farthest) | at_discontinuities(depth, self.jump)
        patches = np.stack([self._patches(depth.shape[1:], (seed, int(frame))) for frame in frames])
        return np.where(missing | patches, np.float32(0), depth)

    def _patches(self, size: tuple[int, int], seed: tuple[int, int]) -> np.ndarray:
        rng, (height, width) = np.random.default_rng(seed), size
        radii = height * rng.uniform(*self.radius, (self.blobs, 1, 1))
        y, x = rng.uniform(0, height, radii.shape), rng.uniform(0, width, radii.shape)
        rows, columns = np.arange(height)[:, None], np.arange(width)
        return ((rows - y) ** 2 + (columns - x) ** 2 < radii**2).any(0)


def at_discontinuities(depth: np.ndarray, jump: float) -> np.ndarray:
    """The pixels (N H W bool) on either side of a relative step of more than `jump` across or down, N H W metres.

    A step is measured against the nearer of the two; no depth (0) beside some is a step too.
    """
    found = np.zeros(depth.shape, bool)
    for axis in (1, 2):
        first, second = (np.take(depth, range(s, depth.shape[axis] - 1 + s), axis) for s in (0, 1))
        step = np.abs(first - second) > jump * np.minimum(first, second)
        edge = np.zeros_like(step[:, :1] if axis == 1 else step[:, :, :1])
        found |= np.concatenate([step, edge], axis) | np.concatenate([edge, step], axis)
    return found
