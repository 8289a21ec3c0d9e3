"""Lamp posts, traffic lights, signs and other things on posts."""

import numpy as np

from depthseg_lib.data.world.builder import Builder
from depthseg_lib.world.surfaces import Material, pick, vary

POLE, LIGHT, SIGN = 17, 19, 20

_METAL = ((0.42, 0.43, 0.44), (0.22, 0.26, 0.24), (0.60, 0.60, 0.58), (0.16, 0.16, 0.17), (0.40, 0.32, 0.24))
_SIGNS = ((0.72, 0.10, 0.09), (0.10, 0.22, 0.55), (0.80, 0.66, 0.10), (0.10, 0.40, 0.22), (0.84, 0.84, 0.84))


def _metal(build: Builder, rng: np.random.Generator) -> int:
    return build.material(Material(pick(rng, _METAL), contrast=0.4, wavelength=0.9))


def _post(build: Builder, height: float, thick: float, material: int) -> None:
    wide = (-thick, thick, -thick, thick)
    slim = tuple(0.7 * value for value in wide)
    build.frustum(wide, slim, -0.3, height, material)


def lamp(build: Builder, rng: np.random.Generator, reach: float | None = None) -> None:
    """A street lamp; its arm reaches towards +z."""
    height, metal = rng.uniform(4.5, 8.0), _metal(build, rng)
    _post(build, height, rng.uniform(0.06, 0.11), metal)
    reach = rng.uniform(0.5, 2.2) if reach is None else reach
    build.box((-0.05, 0.05), (height - 0.1, height), (0, reach), metal)
    glass = build.material(Material((0.75, 0.75, 0.7), glow=0.1))
    build.box((-0.13, 0.13), (height - 0.2, height - 0.06), (reach - 0.3, reach + 0.3), metal, glass)


def pole(build: Builder, rng: np.random.Generator) -> None:
    """A bare pole: a telegraph pole with a cross-beam, or a bollard."""
    if rng.random() < 0.5:
        metal = _metal(build, rng)
        _post(build, rng.uniform(0.8, 1.1), 0.08, metal)
        return
    wood = build.material(Material(vary(rng, (0.36, 0.28, 0.21)), contrast=0.5, wavelength=0.5))
    height = rng.uniform(6, 8.5)
    _post(build, height, 0.12, wood)
    build.box((-0.9, 0.9), (height - 0.6, height - 0.45), (-0.05, 0.05), wood)


def traffic_light(build: Builder, rng: np.random.Generator, overhead: float = 0.0) -> None:
    """Three lamps facing +z on a post; `overhead` metres of arm towards -x carry a second head."""
    metal, black = _metal(build, rng), build.material(Material(vary(rng, (0.09, 0.1, 0.09)), contrast=0.2))
    height = 5.2 if overhead else rng.uniform(2.6, 3.2)
    _post(build, height, 0.07, metal)
    heads = [(0.0, 2.4)]
    if overhead:
        build.box((-overhead, 0), (height - 0.12, height), (-0.06, 0.06), metal)
        heads.append((-overhead, height - 0.8))
    colours, lit = ((0.9, 0.12, 0.08), (0.95, 0.62, 0.1), (0.15, 0.8, 0.4)), rng.integers(3)
    build.label(LIGHT)
    lamps = [
        build.material(Material(colour if i == lit else tuple(0.25 * c for c in colour), glow=1.5 * (i == lit)))
        for i, colour in enumerate(colours)
    ]
    for x, low in heads:
        build.box((x - 0.19, x + 0.19), (low - 0.1, low + 0.95), (0.06, 0.34), black)
        for i, material in enumerate(lamps):
            build.ellipsoid((x, low + 0.72 - 0.29 * i, 0.34), (0.12, 0.12, 0.05), material)


def sign(build: Builder, rng: np.random.Generator) -> None:
    """A round, triangular, square or large sign facing +z on a post."""
    metal = _metal(build, rng)
    kind = rng.choice(["round", "triangle", "square", "board"], p=[0.35, 0.2, 0.3, 0.15])
    size = rng.uniform(0.3, 0.42) * (2.2 if kind == "board" else 1)
    middle = rng.uniform(2.1, 2.7) + (0.8 if kind == "board" else 0)
    _post(build, middle + size, 0.045, metal)
    outer, inner = Material(pick(rng, _SIGNS, 0.05)), Material(pick(rng, _SIGNS[:2] + _SIGNS[2:], 0.05))
    ink = build.material(Material(pick(rng, ((0.08, 0.08, 0.08), (0.9, 0.9, 0.9)))))
    outer, inner = build.material(outer), build.material(inner)
    build.label(SIGN)
    if kind == "round":
        build.ellipsoid((0, middle, 0.08), (size, size, 0.03), outer)
        build.ellipsoid((0, middle, 0.1), (0.72 * size, 0.72 * size, 0.03), inner)
    elif kind == "triangle":
        for scale, z, material in ((1.2, 0.07, outer), (0.75, 0.09, inner)):
            half, low, top = scale * size, middle - 0.6 * scale * size, (0, middle + scale * size, z)
            build.quads([[(-half, low, z), (half, low, z), top, top]], material)
    else:
        high = size * (0.6 if kind == "board" else 1)
        build.box((-size, size), (middle - high, middle + high), (0.05, 0.08), outer)
        build.box((-0.85 * size, 0.85 * size), (middle - 0.82 * high, middle + 0.82 * high), (0.08, 0.09), inner)
    build.box((-0.3 * size, 0.3 * size), (middle - 0.12 * size, middle + 0.12 * size), (0.12, 0.14), ink)
