"""The line that a street follows: curved in plan, rising and falling, and the frame beside it."""

from dataclasses import dataclass

import numpy as np

NODE = 2.5
"""Distance of the nodes along the street, metres; between them everything is straight."""


@dataclass(frozen=True)
class Path:
    """Nodes of the street's middle line; `along` is metres along it, `across` metres to its right."""

    along: np.ndarray
    """(N,) evenly spaced."""
    position: np.ndarray
    """(N, 3) x, height, z."""
    right: np.ndarray
    """(N, 2) unit vector to the right, x and z."""
    heading: np.ndarray
    """(N,) radians from +z towards +x."""
    slope: np.ndarray
    """(N,) rise over run."""

    def point(self, along, across=0.0, lift=0.0) -> np.ndarray:
        """World points (..., 3), as x, height, z, `lift` metres above the street's middle line."""
        at = (np.asarray(along, float) - self.along[0]) / NODE
        node = np.clip(np.floor(at).astype(int), 0, len(self.along) - 2)
        share = np.clip(at - node, 0, 1)[..., None]
        x, height, z = np.moveaxis((1 - share) * self.position[node] + share * self.position[node + 1], -1, 0)
        right_x, right_z = np.moveaxis((1 - share) * self.right[node] + share * self.right[node + 1], -1, 0)
        return np.stack(np.broadcast_arrays(x + across * right_x, height + lift, z + across * right_z), axis=-1)

    def turn(self, along) -> np.ndarray:
        """The street's heading there, radians."""
        return np.interp(along, self.along, self.heading)

    def climb(self, along) -> np.ndarray:
        """The street's slope there, rise over run."""
        return np.interp(along, self.along, self.slope)


def wander(rng: np.random.Generator, first: float, last: float) -> Path:
    """A random path from `first` to `last` metres: gentle curves of 80 m radius or more, slopes up to about 6 %."""
    along = np.arange(np.floor(first / NODE), np.ceil(last / NODE) + 1) * NODE
    bend = rng.choice([0.0015, 0.006, 0.011], p=[0.4, 0.35, 0.25])
    curvature = bend * _waves(rng, along, (90.0, 260.0))
    slope = rng.choice([0.004, 0.02, 0.05], p=[0.35, 0.35, 0.3]) * _waves(rng, along, (80.0, 220.0))
    origin = int(np.argmin(np.abs(along)))
    heading = np.cumsum(curvature) * NODE
    heading -= heading[origin]
    x, z, height = (np.cumsum(step) * NODE for step in (np.sin(heading), np.cos(heading), slope))
    position = np.stack([x - x[origin], height - height[origin], z - z[origin]], axis=-1)
    return Path(along, position, np.stack([np.cos(heading), -np.sin(heading)], axis=-1), heading, slope)


def _waves(rng: np.random.Generator, along: np.ndarray, lengths: tuple[float, float]) -> np.ndarray:
    """Two sine waves of random length and phase, between -1 and 1."""
    waves = [np.sin(along * 2 * np.pi / rng.uniform(*lengths) + rng.uniform(0, 2 * np.pi)) for _ in range(2)]
    return (waves[0] + waves[1]) / 2
