"""Light of a street: sun, sky and haze, drawn at random."""

from dataclasses import dataclass, fields

import numpy as np
import torch


@dataclass(frozen=True)
class Light:
    """Sun, sky, haze and the camera's exposure; colours are linear."""

    sun: tuple[float, float, float]
    """Unit vector to the sun, y down."""
    sun_colour: tuple[float, float, float]
    """Brightness of direct sunlight, near 0 under clouds."""
    sky_colour: tuple[float, float, float]
    """Brightness of the light from the sky."""
    zenith: tuple[float, float, float]
    """Colour of the sky above."""
    horizon: tuple[float, float, float]
    """Colour of the sky at the horizon, and of the haze."""
    clouds: float
    """Share of the sky under clouds."""
    visibility: float
    """Metres after which haze hides two thirds."""
    exposure: float
    """Factor before the film's curve."""


def random_light(rng: np.random.Generator) -> Light:
    """Clear, hazy or overcast; morning to evening."""
    overcast = rng.random() < 0.35
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(18, 65))
    sun = (np.cos(elevation) * np.sin(azimuth), -np.sin(elevation), np.cos(elevation) * np.cos(azimuth))
    warm = rng.uniform(0.0, 0.5) * (1.1 - np.sin(elevation))
    strength = rng.uniform(0.05, 0.3) if overcast else rng.uniform(1.0, 1.9)
    grey, blue = rng.uniform(0.45, 0.9), rng.uniform(0.06, 0.26)
    zenith = (grey, grey, grey * 1.03) if overcast else (blue, blue * 1.7, blue * 2.6)
    horizon = tuple(np.array([0.74, 0.82, 0.92]) * rng.uniform(0.7, 1.05) * (1 + warm * np.array([0.3, 0, -0.4])))
    ambient = rng.uniform(0.5, 0.8) if overcast else rng.uniform(0.24, 0.42)
    return Light(
        sun=tuple(map(float, sun)),
        sun_colour=tuple(strength * np.array([1.0, 0.95 - 0.25 * warm, 0.88 - 0.6 * warm])),
        sky_colour=tuple(ambient * np.array([0.92, 0.98, 1.08])),
        zenith=zenith,
        horizon=horizon,
        clouds=rng.uniform(0.6, 1.0) if overcast else rng.uniform(0.0, 0.65),
        visibility=float(np.exp(rng.uniform(*np.log([70, 200] if rng.random() < 0.15 else [200, 2500])))),
        exposure=rng.uniform(0.8, 1.7),
    )


@dataclass(frozen=True)
class Lights:
    """The lights of V views as tensors, components first; see `Light`."""

    sun: torch.Tensor
    sun_colour: torch.Tensor
    sky_colour: torch.Tensor
    zenith: torch.Tensor
    horizon: torch.Tensor
    clouds: torch.Tensor
    visibility: torch.Tensor
    exposure: torch.Tensor

    def at(self, views: torch.Tensor) -> "Lights":
        """The light at samples of these views (N,); left as it is, to be broadcast, where there is but one."""
        if self.sun.shape[1] == 1:
            return self
        return Lights(*(getattr(self, field.name).index_select(-1, views) for field in fields(self)))

    def to(self, device) -> "Lights":
        """The lights in the memory of `device`."""
        return Lights(*(getattr(self, field.name).to(device) for field in fields(self)))


def stacked(lights: list[Light]) -> Lights:
    """Several lights as tensors (3, V) and (V,)."""
    tables = (np.array([getattr(light, field.name) for light in lights], np.float32) for field in fields(Lights))
    return Lights(*(torch.from_numpy(np.ascontiguousarray(table.T)) for table in tables))
