"""Trees and bushes."""

import numpy as np

from depthseg_lib.data.world.builder import Builder
from depthseg_lib.world.surfaces import FOLIAGE, Material, pick, vary

VEGETATION = 21


def leaves(rng: np.random.Generator) -> tuple[Material, ...]:
    """Three shades of the leaves of one tree."""
    colour = pick(rng, FOLIAGE)
    wave, contrast = rng.uniform(0.5, 1.1), rng.uniform(0.6, 0.9)
    return tuple(
        Material(vary(rng, colour, 0.03, 0.22), vary(rng, colour, 0.05, 0.3), 0.7, wave, contrast, bump=1.1)
        for _ in range(3)
    )


def tree(build: Builder, rng: np.random.Generator, height: float, conifer: bool = False) -> None:
    """A tree at the origin: trunk, boughs and a crown of many ellipsoids."""
    shades = [build.material(material) for material in leaves(rng)]
    bark = build.material(Material(vary(rng, (0.34, 0.27, 0.21)), contrast=0.5, wavelength=0.4))
    thick = 0.02 * height + rng.uniform(0.03, 0.1)
    clear = (0.12 if conifer else rng.uniform(0.25, 0.42)) * height
    base, top = (-thick, thick, -thick, thick), (-thick / 2, thick / 2, -thick / 2, thick / 2)
    build.frustum(base, top, -0.5, 0.75 * height, bark)
    if conifer:
        _cone(build, rng, height, clear, shades)
    else:
        _crown(build, rng, height, clear, shades)


def _cone(build: Builder, rng: np.random.Generator, height: float, clear: float, shades: list[int]) -> None:
    for level in np.linspace(0, 1, 7):
        radius = (1 - level) * 0.2 * height + 0.04 * height
        middle = (*rng.uniform(-0.05, 0.05, 2) * height, clear + level * (height - clear) * 0.95)
        radii = (radius * rng.uniform(0.8, 1.1), 0.11 * height, radius)
        build.ellipsoid((middle[0], middle[2], middle[1]), radii, shades[rng.integers(3)])


def _crown(build: Builder, rng: np.random.Generator, height: float, clear: float, shades: list[int]) -> None:
    tall = (height - clear) / 2
    wide = tall * rng.uniform(0.65, 1.15)
    middle = clear + tall
    build.ellipsoid((0, middle, 0), (0.72 * wide, 0.75 * tall, 0.72 * wide), shades[0])
    for _ in range(rng.integers(11, 18)):
        direction = rng.normal(size=3)
        x, y, z = direction / np.linalg.norm(direction) * rng.uniform(0.6, 0.9)
        size = rng.uniform(0.28, 0.48)
        radii = size * np.array([wide, tall, wide]) * rng.uniform(0.75, 1.2, 3)
        build.ellipsoid((x * wide, middle + y * tall, z * wide), radii, shades[rng.integers(3)])


def bush(build: Builder, rng: np.random.Generator, size: float) -> None:
    """A bush of about `size` metres."""
    shades = [build.material(material) for material in leaves(rng)]
    for _ in range(rng.integers(4, 8)):
        x, z = rng.uniform(-0.5, 0.5, 2) * size
        radii = size * rng.uniform(0.25, 0.5, 3)
        build.ellipsoid((x, radii[1] * 0.7, z), radii, shades[rng.integers(3)])
