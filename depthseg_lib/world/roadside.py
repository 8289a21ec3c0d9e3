"""What stands beside a street: buildings, walls and fences, lamps and signs, trees. Things are built at the origin."""

import numpy as np

from depthseg_lib.world.scene import Builder, Label
from depthseg_lib.world.surfaces import BRICK, FOLIAGE, PLASTER, ROOF, Material, pick, vary

_METAL = ((0.42, 0.43, 0.44), (0.22, 0.26, 0.24), (0.60, 0.60, 0.58), (0.16, 0.16, 0.17), (0.40, 0.32, 0.24))
_PAINTED = ((0.72, 0.10, 0.09), (0.10, 0.22, 0.55), (0.80, 0.66, 0.10), (0.10, 0.40, 0.22), (0.84, 0.84, 0.84))


def house(build: Builder, rng: np.random.Generator, width: float, depth: float, storeys: int, gabled: bool) -> None:
    """A building centred at the origin, its front towards +z, `width` along x."""
    storey = rng.uniform(2.7, 3.4)
    height = storey * storeys + rng.uniform(0.3, 0.9)
    front = facade(rng, storey)
    tiles = Material(pick(rng, ROOF), None, 0.5, 1.5, 0.35, grid=(0.35, 0.4, 0.05, 0.5), tint=0.3)
    wall, top = build.material(front), build.material(tiles)
    x, z = (-width / 2, width / 2), (-depth / 2, depth / 2)
    base = build.material(Material(vary(rng, front.colour, 0.03, 0.35), contrast=0.3))
    build.box(x, (-1.5, 0.0), z, base)  # goes into the ground, which may slope
    build.box(x, (0.0, height), z, wall, top)
    if gabled:  # a pitched roof with its ridge along the street, or across it
        over = (-0.35, 0.35)
        high, (x0, x1), (z0, z1) = height + rng.uniform(0.5, 0.95) * depth / 2, np.add(x, over), np.add(z, over)
        if rng.random() < 0.65:
            eaves = ((x0, height, z1), (x1, height, z1)), ((x1, height, z0), (x0, height, z0))
            ridge = ((x1, high, 0), (x0, high, 0))
            ends = [[(i, height, z[0]), (i, height, z[1]), (i, high - 0.2, 0), (i, high - 0.2, 0)] for i in x]
        else:
            eaves = ((x0, height, z0), (x0, height, z1)), ((x1, height, z1), (x1, height, z0))
            ridge = ((0, high, z1), (0, high, z0))
            ends = [[(x[0], height, i), (x[1], height, i), (0, high - 0.2, i), (0, high - 0.2, i)] for i in z]
        build.quads([[*eaves[0], *ridge], [*eaves[1], *ridge[::-1]]], top)
        build.quads(ends, wall)
    else:
        rim = build.material(Material(vary(rng, front.colour, 0.05, 0.3), contrast=0.2))
        build.box((x[0] - 0.15, x[1] + 0.15), (height, height + 0.35), (z[0] - 0.15, z[1] + 0.15), rim, top)
    _details(build, rng, x, z[1], height, storey)


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


def posts(build: Builder, points, height: float, material: int) -> None:
    """Posts of a fence at `points` (n, 3) of the ground: x, height, z."""
    for x, base, z in points:
        build.box((x - 0.06, x + 0.06), (base - 0.3, base + height), (z - 0.06, z + 0.06), material)


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
    build.label(Label.LIGHT)
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
    outer, inner = Material(pick(rng, _PAINTED, 0.05)), Material(pick(rng, _PAINTED, 0.05))
    ink = build.material(Material(pick(rng, ((0.08, 0.08, 0.08), (0.9, 0.9, 0.9)))))
    outer, inner = build.material(outer), build.material(inner)
    build.label(Label.SIGN)
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


def _metal(build: Builder, rng: np.random.Generator) -> int:
    return build.material(Material(pick(rng, _METAL), contrast=0.4, wavelength=0.9))


def _post(build: Builder, height: float, thick: float, material: int) -> None:
    wide = (-thick, thick, -thick, thick)
    slim = tuple(0.7 * value for value in wide)
    build.frustum(wide, slim, -0.3, height, material)


def tree(build: Builder, rng: np.random.Generator, height: float, conifer: bool = False) -> None:
    """A tree at the origin: trunk, boughs and a crown of many ellipsoids."""
    shades = _leaves(build, rng)
    bark = build.material(Material(vary(rng, (0.34, 0.27, 0.21)), contrast=0.5, wavelength=0.4))
    thick = 0.02 * height + rng.uniform(0.03, 0.1)
    clear = (0.12 if conifer else rng.uniform(0.25, 0.42)) * height
    base, top = (-thick, thick, -thick, thick), (-thick / 2, thick / 2, -thick / 2, thick / 2)
    build.frustum(base, top, -0.5, 0.75 * height, bark)
    if conifer:
        for level in np.linspace(0, 1, 7):
            radius = (1 - level) * 0.2 * height + 0.04 * height
            x, z = rng.uniform(-0.05, 0.05, 2) * height
            radii = (radius * rng.uniform(0.8, 1.1), 0.11 * height, radius)
            middle = (x, clear + level * (height - clear) * 0.95, z)
            build.ellipsoid(middle, radii, shades[rng.integers(3)])
        return
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
    shades = _leaves(build, rng)
    for _ in range(rng.integers(4, 8)):
        x, z = rng.uniform(-0.5, 0.5, 2) * size
        radii = size * rng.uniform(0.25, 0.5, 3)
        build.ellipsoid((x, radii[1] * 0.7, z), radii, shades[rng.integers(3)])


def _leaves(build: Builder, rng: np.random.Generator) -> list[int]:
    """Three shades of the leaves of one tree."""
    colour, wave, contrast = pick(rng, FOLIAGE), rng.uniform(0.5, 1.1), rng.uniform(0.6, 0.9)
    shades = ((vary(rng, colour, 0.03, 0.22), vary(rng, colour, 0.05, 0.3)) for _ in range(3))
    return [build.material(Material(*shade, 0.7, wave, contrast, bump=1.1)) for shade in shades]
