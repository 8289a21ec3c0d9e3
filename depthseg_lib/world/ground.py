"""The ground of a street: road, marks, kerbs, pavement and terrain, as strips of quads along a path."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from depthseg_lib.world.scene import Builder, Label
from depthseg_lib.world.surfaces import GRASS, Material, pick, vary

NODE = 2.5
"""Distance of the nodes along the street, metres; between them everything is straight."""
KERB = 0.13
"""Height of the pavement above the road, metres."""


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
    curvature = bend * _waves(rng, along, 90.0, 260.0)
    slope = rng.choice([0.004, 0.02, 0.05], p=[0.35, 0.35, 0.3]) * _waves(rng, along, 80.0, 220.0)
    origin = int(np.argmin(np.abs(along)))
    heading = np.cumsum(curvature) * NODE
    heading -= heading[origin]
    x, z, height = (np.cumsum(step) * NODE for step in (np.sin(heading), np.cos(heading), slope))
    position = np.stack([x - x[origin], height - height[origin], z - z[origin]], axis=-1)
    return Path(along, position, np.stack([np.cos(heading), -np.sin(heading)], axis=-1), heading, slope)


def _waves(rng: np.random.Generator, along: np.ndarray, shortest: float, longest: float) -> np.ndarray:
    """The mean of two sine waves of random length and phase, between -1 and 1."""
    waves = [np.sin(along * 2 * np.pi / rng.uniform(shortest, longest) + rng.uniform(0, 2 * np.pi)) for _ in range(2)]
    return (waves[0] + waves[1]) / 2


@dataclass(frozen=True)
class Profile:
    """Widths of a street's cross-section, in metres from its middle line."""

    lane: float
    """Width of a lane; one in each direction."""
    parking: tuple[float, float]
    """Width of the parked cars' strip on the left and on the right, 0 for none."""
    pavement: tuple[float, float]
    """Width of the pavement on the left and on the right, 0 for none."""
    verge: tuple[float, float]
    """From the pavement to the buildings' line."""
    paved: bool
    """Whether the verge is paved, as in a city."""
    bank: tuple[float, float]
    """How high the terrain rises beside the street."""
    side_streets: tuple[tuple[float, float, int], ...]
    """Gaps (from, to, side) where another street joins; side is -1 left or 1 right."""

    def kerb(self, side: int) -> float:
        """Distance of the kerb."""
        return self.lane + self.parking[side > 0]

    def edge(self, side: int) -> float:
        """Distance of the pavement's outer edge."""
        return self.kerb(side) + self.pavement[side > 0]

    def line(self, side: int) -> float:
        """Distance of the buildings' line."""
        return self.edge(side) + self.verge[side > 0]

    def joins(self, side: int, first: float, last: float) -> bool:
        """Whether a side street takes any of this stretch."""
        return any(side == s and first < end and last > start for start, end, s in self.side_streets)


def lay_ground(build: Builder, rng: np.random.Generator, path: Path, profile: Profile) -> None:
    """Lay everything that is walked or driven on."""
    build.place(0, 0, 0, label=Label.ROAD)
    asphalt = build.material(asphalt_material(rng))
    _strip(build, path, path.along, (-profile.kerb(-1), profile.kerb(1)), (0, 0), asphalt, Label.ROAD)
    granite = vary(rng, (0.58, 0.57, 0.55))
    stone = build.material(Material(granite, wavelength=0.6, contrast=0.25, grid=(1.0, 9, 0.03, 0)))
    paving, grass = build.material(paving_material(rng)), build.material(grass_material(rng))
    for side in (-1, 1):
        _side(build, path, profile, side, asphalt, stone, paving, grass)
    # the plain far away
    x, z = path.position[len(path.position) // 2, [0, 2]]
    low, reach = path.position[:, 1].min() - 0.6, 3000.0
    corners = [(x + a * reach, low, z + b * reach) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    build.quads([corners], grass, Label.TERRAIN)
    _marks(build, rng, path, profile)
    # patches of other asphalt, trenches and lids, which give the road its grain at ten metres and more
    patches = [build.material(asphalt_material(rng)) for _ in range(3)]
    count = int((path.along[-1] - path.along[0]) * rng.uniform(0.15, 0.5))
    for start in rng.uniform(path.along[0], path.along[-1] - 12, count):
        wide, long = (rng.uniform(0.4, 2.5), rng.uniform(0.6, 9)) if rng.random() < 0.7 else (0.6, 0.6)
        left = rng.uniform(-profile.kerb(-1), profile.kerb(1) - wide)
        _mark(build, path, patches[rng.integers(3)], (start, start + long), (left, left + wide), lift=0.006)


def _side(build: Builder, path: Path, profile: Profile, side: int, asphalt, stone, paving, grass) -> None:
    kerb, edge, line, bank = profile.kerb(side), profile.edge(side), profile.line(side), profile.bank[side > 0]
    level = KERB if edge > kerb else 0.02
    verge = (paving, Label.PAVEMENT) if profile.paved else (grass, Label.TERRAIN)
    # the path's nodes in stretches that do, and do not, belong to a side street
    ends = zip(path.along[:-1], path.along[1:], strict=True)
    joined = np.array([profile.joins(side, first, last) for first, last in ends])
    cuts = np.concatenate([[0], (joined[1:] != joined[:-1]).nonzero()[0] + 1, [len(joined)]])
    for first, last in zip(cuts[:-1], cuts[1:], strict=True):
        along = path.along[first : last + 1]
        if joined[first]:
            _strip(build, path, along, (side * kerb, side * 60.0), (0, 0), asphalt, Label.ROAD)
            continue
        if edge > kerb:
            _strip(build, path, along, (side * kerb, side * kerb), (0, level), stone, Label.PAVEMENT)
            _strip(build, path, along, (side * kerb, side * (kerb + 0.2)), (level, level), stone, Label.PAVEMENT)
            _strip(build, path, along, (side * (kerb + 0.2), side * edge), (level, level), paving, Label.PAVEMENT)
        _strip(build, path, along, (side * edge, side * line), (level, level), *verge)
        _strip(build, path, along, (side * line, side * (line + 9)), (level, level + bank), grass, Label.TERRAIN)
        _strip(build, path, along, (side * (line + 9), side * 60.0), (level + bank, 1.5 * bank), grass, Label.TERRAIN)


def _marks(build: Builder, rng: np.random.Generator, path: Path, profile: Profile) -> None:
    """Lane marks, edge lines and crossings; worn paint differs from street to street."""
    paint = rng.uniform(0.62, 0.9)
    colour = (paint, paint, paint * rng.choice([1, 0.98, 0.72]))
    mark = partial(_mark, build, path, build.material(Material(colour, contrast=0.5, wavelength=0.7)))
    style = rng.choice(["dashed", "solid", "double", "none"], p=[0.5, 0.15, 0.15, 0.2])
    period, dash = rng.uniform(5, 9), rng.uniform(2, 3.5)
    first, last = path.along[0], path.along[-1]
    if style == "dashed":
        for start in np.arange(first, last - dash, period):
            mark((start, start + dash), (-0.07, 0.07))
    for middle in {"solid": (0.0,), "double": (-0.14, 0.14)}.get(style, ()):
        mark((first, last), (middle - 0.06, middle + 0.06))
    if rng.random() < 0.6:
        for side in (-1, 1):
            line = side * (profile.lane - 0.15)
            mark((first, last), (line - 0.06, line + 0.06))
    left, right = -profile.kerb(-1) + 0.3, profile.kerb(1) - 0.3
    for start in np.arange(rng.uniform(8, 40), last, rng.uniform(35, 80)):
        if rng.random() < 0.6:
            for across in np.arange(left, right - 0.5, 1.0):
                mark((start, start + 3.0), (across, across + 0.5))
        else:
            mark((start, start + 0.3), (left, right))
            mark((start + 3.0, start + 3.3), (left, right))
        mark((start - 1.6, start - 1.2), (0.2, right))


def _mark(build: Builder, path: Path, material: int, along, across, lift: float = 0.012) -> None:
    """A thin quad on the road, cut at the nodes so that it lies flat on it."""
    first, last = np.ceil(along[0] / NODE + 1e-6), np.floor(along[1] / NODE - 1e-6)
    cuts = np.concatenate([[along[0]], np.arange(first, last + 1) * NODE, [along[1]]])
    _strip(build, path, cuts, across, (lift, lift), material, Label.ROAD)


def _strip(build: Builder, path: Path, along: np.ndarray, across, lift, material: int, label: int) -> None:
    """Quads between consecutive values of `along`, from across[0] at lift[0] to across[1] at lift[1]."""
    near, far = (path.point(along, across[i], lift[i]) for i in (0, 1))
    if across[0] != across[1] or lift[0] != lift[1]:
        build.quads(np.stack([near[:-1], far[:-1], far[1:], near[1:]], axis=1), material, label)


def asphalt_material(rng: np.random.Generator) -> Material:
    """Asphalt, light or dark."""
    grey = rng.uniform(0.24, 0.5)
    colour = vary(rng, (grey, grey, grey), hue=0.025)
    contrast = rng.uniform(0.35, 0.6)
    return Material(colour, vary(rng, colour, 0.02, 0.3), 0.8, rng.uniform(1.2, 2.5), contrast)


def paving_material(rng: np.random.Generator) -> Material:
    """Slabs or blocks, grey to reddish."""
    grey = rng.uniform(0.36, 0.66)
    warm = rng.choice([0.0, 0.05, 0.12], p=[0.5, 0.3, 0.2])
    slab = rng.choice([0.3, 0.5, 0.9])
    return Material(
        vary(rng, (grey + warm, grey, grey - warm), 0.02),
        wavelength=rng.uniform(1.0, 2.0),
        contrast=rng.uniform(0.3, 0.45),
        grid=(slab * rng.choice([1, 2]), slab, 0.03, rng.choice([0, 0.5])),
        tint=rng.uniform(0.1, 0.45),
    )


def grass_material(rng: np.random.Generator) -> Material:
    """Grass, green or dry, or bare soil."""
    colour = pick(rng, GRASS)
    return Material(colour, pick(rng, GRASS), rng.uniform(0.4, 0.9), rng.uniform(1.0, 2.5), 0.6, bump=0.5)
