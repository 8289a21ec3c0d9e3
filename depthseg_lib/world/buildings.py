"""Buildings, walls, fences and hedges."""

import numpy as np

from depthseg_lib.data.world.builder import Builder
from depthseg_lib.world.surfaces import BRICK, FOLIAGE, PLASTER, ROOF, Material, pick, vary

BUILDING, WALL, FENCE, VEGETATION = 11, 12, 13, 21


def facade(rng: np.random.Generator, storey: float) -> Material:
    """A wall of brick, plaster or panels with rows of windows."""
    kind = rng.choice(["brick", "plaster", "panel"], p=[0.35, 0.5, 0.15])
    colour = pick(rng, BRICK if kind == "brick" else PLASTER)
    grid = {"brick": (0.5, 0.16, 0.025, 0.5), "plaster": (0, 0, 0, 0), "panel": (2.4, storey, 0.05, 0)}[kind]
    shares = (rng.uniform(0.3, 0.75), rng.uniform(0.4, 0.66))
    return Material(
        colour,
        vary(rng, colour, 0.03, 0.25),
        wavelength=rng.uniform(1.5, 4.0),
        contrast=rng.uniform(0.2, 0.45),
        grid=grid,
        joint=0.3,
        tint=0.35 if kind == "brick" else 0.12,
        windows=(rng.uniform(1.7, 3.6), storey, *shares),
        frame=rng.choice([0.15, 0.5, 0.9, 0.95]),
        door=rng.uniform(0.1, 0.35),
    )


def roof(rng: np.random.Generator) -> Material:
    """Tiles or slate."""
    return Material(pick(rng, ROOF), None, 0.5, 1.5, 0.35, grid=(0.35, 0.4, 0.05, 0.5), tint=0.3)


def house(build: Builder, rng: np.random.Generator, width: float, depth: float, storeys: int, gabled: bool) -> None:
    """A building centred at the origin, its front towards +z, `width` along x."""
    storey = rng.uniform(2.7, 3.4)
    height = storey * storeys + rng.uniform(0.3, 0.9)
    front = facade(rng, storey)
    wall, top = build.material(front), build.material(roof(rng))
    x, z = (-width / 2, width / 2), (-depth / 2, depth / 2)
    base = build.material(Material(vary(rng, front.colour, 0.03, 0.35), contrast=0.3))
    build.box(x, (-1.5, 0.0), z, base)  # goes into the ground, which may slope
    build.box(x, (0.0, height), z, wall, top)
    if gabled:
        _gable(build, x, z, height, rng.uniform(0.5, 0.95) * depth / 2, wall, top, along=rng.random() < 0.65)
    else:
        rim = build.material(Material(vary(rng, front.colour, 0.05, 0.3), contrast=0.2))
        build.box((x[0] - 0.15, x[1] + 0.15), (height, height + 0.35), (z[0] - 0.15, z[1] + 0.15), rim, top)
    _details(build, rng, x, z[1], height, storey)


def _gable(build: Builder, x, z, low: float, rise: float, wall: int, top: int, along: bool) -> None:
    """A pitched roof with its ridge along the street, or across it."""
    e, high = 0.35, low + rise
    x0, x1, z0, z1 = x[0] - e, x[1] + e, z[0] - e, z[1] + e
    if along:
        a, b, c, d = (x0, low, z1), (x1, low, z1), (x1, low, z0), (x0, low, z0)
        ridge = ((x1, high, 0), (x0, high, 0))
        build.quads([[a, b, *ridge], [c, d, *ridge[::-1]]], top)
        ends = [[(i, low, z[0]), (i, low, z[1]), (i, high - 0.2, 0), (i, high - 0.2, 0)] for i in x]
    else:
        a, b, c, d = (x0, low, z0), (x0, low, z1), (x1, low, z1), (x1, low, z0)
        ridge = ((0, high, z1), (0, high, z0))
        build.quads([[a, b, *ridge], [c, d, *ridge[::-1]]], top)
        ends = [[(x[0], low, i), (x[1], low, i), (0, high - 0.2, i), (0, high - 0.2, i)] for i in z]
    build.quads(ends, wall)


def _details(build: Builder, rng: np.random.Generator, x, front: float, height: float, storey: float) -> None:
    """Ledges, an awning, balconies and a chimney: relief that shows in the depth."""
    plain = build.material(Material(pick(rng, PLASTER), contrast=0.2))
    if rng.random() < 0.5:
        build.box(x, (storey - 0.15, storey + 0.1), (front, front + rng.uniform(0.1, 0.3)), plain)
    if rng.random() < 0.25:
        cloth = build.material(Material(pick(rng, PLASTER, 0.25), (0.9, 0.9, 0.88), 0.3, grid=(0.6, 9, 0.3, 0)))
        low, out = (x[0] + 0.5, x[1] - 0.5, front, front + 1.4), (x[0] + 0.5, x[1] - 0.5, front, front + 0.2)
        build.frustum(low, out, storey - 0.6, storey - 0.1, cloth)
    if rng.random() < 0.3:
        middle = rng.uniform(x[0] + 1.5, x[1] - 1.5)
        for level in np.arange(storey, height - 2, storey):
            build.box((middle - 1.2, middle + 1.2), (level, level + 0.9), (front, front + 0.9), plain)
    if rng.random() < 0.6:
        at = rng.uniform(x[0] + 0.5, x[1] - 1.2)
        brick = build.material(Material(pick(rng, BRICK), grid=(0.4, 0.15, 0.03, 0.5)))
        build.box((at, at + 0.7), (height, height + rng.uniform(1.5, 3.2)), (-1.0, -0.3), brick)


def wall_material(rng: np.random.Generator) -> Material:
    """Stone, brick or render, as on garden walls."""
    stone = rng.random() < 0.6
    colour = pick(rng, BRICK if rng.random() < 0.5 else PLASTER)
    grid = (rng.uniform(0.4, 0.8), rng.uniform(0.2, 0.35), 0.04, 0.5) if stone else (0, 0, 0, 0)
    return Material(colour, vary(rng, colour, 0.05, 0.3), wavelength=1.5, contrast=0.4, grid=grid, tint=0.4)


def fence_material(rng: np.random.Generator) -> Material:
    """Slats with gaps between them."""
    colour = pick(rng, ((0.46, 0.33, 0.22), (0.78, 0.77, 0.73), (0.30, 0.34, 0.30), (0.40, 0.41, 0.43)))
    return Material(colour, contrast=0.3, grid=(rng.uniform(0.18, 0.4), 50.0, 0.05, 0), joint=0.75, tint=0.25)


def hedge_material(rng: np.random.Generator) -> Material:
    """Clipped leaves."""
    return Material(pick(rng, FOLIAGE), pick(rng, FOLIAGE), 0.5, 0.9, 0.7, bump=0.9)


def enclosure(build: Builder, path, along, across: float, height: float, thick: float, lift, material: int) -> None:
    """A wall, fence or hedge that follows the street over `along` (nodes), standing `lift` above its middle line."""
    inner, outer = across - thick / 2, across + thick / 2
    low = [path.point(along, a, lift - 0.3) for a in (inner, outer)]
    high = [path.point(along, a, lift + height) for a in (inner, outer)]
    for bottom, top in ((low[0], high[0]), (low[1], high[1]), (high[0], high[1])):
        build.quads(np.stack([bottom[:-1], bottom[1:], top[1:], top[:-1]], axis=1), material)
    for end in (0, -1):
        build.quads([[low[0][end], low[1][end], high[1][end], high[0][end]]], material)


def posts(build: Builder, path, along, across: float, height: float, lift: float, material: int) -> None:
    """Posts of a fence at each of `along`."""
    for x, base, z in path.point(along, across, lift):
        build.box((x - 0.06, x + 0.06), (base - 0.3, base + height), (z - 0.06, z + 0.06), material)
