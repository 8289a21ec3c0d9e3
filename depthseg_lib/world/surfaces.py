"""Surfaces: materials as rows of numbers, and the shader that colours what rays hit by them, or the sky."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F

from depthseg_lib.world.light import Light

Colour = tuple[float, float, float]
PLASTER = (
    (0.83, 0.78, 0.66), (0.72, 0.70, 0.66), (0.86, 0.84, 0.80), (0.76, 0.62, 0.45), (0.63, 0.50, 0.42),
    (0.58, 0.62, 0.60), (0.78, 0.68, 0.62), (0.52, 0.55, 0.48), (0.66, 0.70, 0.76),
)  # fmt: skip
BRICK = ((0.52, 0.28, 0.22), (0.60, 0.40, 0.30), (0.42, 0.30, 0.27), (0.66, 0.56, 0.44), (0.48, 0.44, 0.40))
ROOF = ((0.45, 0.24, 0.19), (0.30, 0.28, 0.28), (0.38, 0.33, 0.29), (0.55, 0.34, 0.24), (0.24, 0.26, 0.30))
FOLIAGE = ((0.24, 0.36, 0.14), (0.32, 0.40, 0.16), (0.18, 0.30, 0.16), (0.42, 0.44, 0.18), (0.48, 0.34, 0.14))
GRASS = ((0.32, 0.42, 0.18), (0.44, 0.46, 0.24), (0.52, 0.48, 0.30), (0.28, 0.36, 0.18), (0.42, 0.36, 0.26))
PAINT = (
    (0.08, 0.08, 0.09), (0.86, 0.86, 0.86), (0.62, 0.63, 0.65), (0.36, 0.37, 0.39), (0.55, 0.10, 0.09),
    (0.12, 0.20, 0.42), (0.14, 0.28, 0.20), (0.60, 0.54, 0.42), (0.30, 0.22, 0.17), (0.36, 0.52, 0.64),
)  # fmt: skip
CLOTH = (
    (0.12, 0.13, 0.18), (0.22, 0.26, 0.38), (0.66, 0.64, 0.60), (0.56, 0.16, 0.15), (0.30, 0.33, 0.24),
    (0.62, 0.48, 0.22), (0.20, 0.42, 0.42), (0.44, 0.32, 0.40),
)  # fmt: skip
SKIN = ((0.82, 0.62, 0.50), (0.62, 0.44, 0.34), (0.40, 0.28, 0.22))
_PERIOD = 32
"""Cells after which noise repeats."""
_OCTAVES = ((1.0, 0.8), (0.37, 0.7), (0.13, 0.6), (0.045, 0.5))
"""Wavelength, as a share of the material's, and weight of each octave of noise."""


@dataclass(frozen=True)
class Material:
    """The look of a surface; lengths are metres on the object, so that it looks the same from every side."""

    colour: Colour
    """Main colour as displayed, red, green, blue in 0..1."""
    other: Colour | None = None
    """Colour of the patches that coarse noise mixes in; None for `colour`."""
    mix: float = 0.6
    """How much of `other` the patches take, 0..1."""
    wavelength: float = 1.0
    """Of the coarsest noise octave; three finer ones follow."""
    contrast: float = 0.3
    """Amplitude of the noise, as a share of the brightness."""
    bump: float = 0.0
    """How much the noise tilts the normal, for foliage and grass."""
    gloss: float = 0.0
    """Share of mirrored sky, for glass and paint."""
    glow: float = 0.0
    """Light that the surface gives off, for lamps."""
    grid: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Bricks, slabs, slats: period along u and v, width of the joint, shift of every other row (0 or 0.5)."""
    joint: float = 0.5
    """How much darker a joint is."""
    tint: float = 0.0
    """How much the brightness varies from cell to cell of the grid."""
    windows: tuple[float, float, float, float] = (0.0, 0.0, 0.5, 0.5)
    """A facade: spacing of windows along u, storey height, width and height of a window as shares of its cell."""
    frame: float = 1.0
    """Brightness of the window frames."""
    door: float = 0.0
    """Share of the ground floor's windows that are doors."""

    def row(self, number: int) -> list[float]:
        """The fields as `COLUMNS` names them; colours squared: the shader is linear.

        The material's number shifts the noise, so that no two materials show the same.
        """
        colours = [channel**2 for colour in (self.colour, self.other or self.colour) for channel in colour]
        single = (self.mix, self.wavelength, self.contrast, self.bump, self.gloss, self.glow)
        shift = np.float32(number) * np.float32((7.31, 3.77, 5.13)) % np.float32(_PERIOD)
        pattern = (*self.grid, self.joint, self.tint, *self.windows, self.frame, self.door)
        return [*colours, *single, *shift.tolist(), *pattern]


COLUMNS = {"colour": slice(0, 3), "other": slice(3, 6)}
COLUMNS |= {name: 6 + n for n, name in enumerate(("mix", "wavelength", "contrast", "bump", "gloss", "glow"))}
COLUMNS |= {"shift": slice(12, 15), "grid": slice(15, 19), "joint": 19, "tint": 20, "windows": slice(21, 25)}
COLUMNS |= {"frame": 25, "door": 26}
"""Where the fields stand in a row."""
PLAIN = 15
"""As many columns, the first ones, are all that surfaces without a pattern need."""


def vary(rng: np.random.Generator, colour: Colour, hue: float = 0.04, light: float = 0.1) -> Colour:
    """A colour near `colour`: every channel moved by up to `hue`, all of them scaled by up to 1 +- `light`."""
    channels = (np.asarray(colour) + rng.uniform(-hue, hue, 3)) * (1 + rng.uniform(-light, light))
    red, green, blue = np.clip(channels, 0.02, 0.98)
    return float(red), float(green), float(blue)


def pick(rng: np.random.Generator, colours: tuple[Colour, ...], hue: float = 0.04, light: float = 0.12) -> Colour:
    """One of `colours`, varied."""
    return vary(rng, colours[rng.integers(len(colours))], hue, light)


@dataclass(frozen=True)
class Surface:
    """The points that rays hit."""

    points: torch.Tensor
    """(3, N) on the object, for solid textures: metres in its body's frame."""
    normals: torch.Tensor
    """(3, N) unit, towards the camera, world frame."""
    rays: torch.Tensor
    """(3, N) direction from the camera, unit, world frame."""
    flat: torch.Tensor | None
    """(3, N) u and v along the quad and its width, metres; None where none of them has a cell pattern or windows."""
    bumped: bool
    """Whether the noise tilts any of the normals."""
    material: torch.Tensor
    """(K, N) columns of the material table, or the `PLAIN` ones."""
    distance: torch.Tensor
    """(N,) from the camera, metres."""
    footprint: torch.Tensor
    """(N,) metres on the surface that one sample covers."""
    lit: torch.Tensor
    """(N,) share of the sun that arrives."""
    open: torch.Tensor
    """(N,) share of the sky's light that arrives."""

    def of(self, name: str) -> torch.Tensor:
        """One of `COLUMNS`, (N,) or (k, N)."""
        return self.material[COLUMNS[name]]


def shade(surface: Surface, light: Light, table: torch.Tensor) -> torch.Tensor:
    """Linear colours (3, N) of the surface under the light at each point (or one for all), through the haze."""
    albedo, tilt = _albedo(surface, table)
    gloss, normals = surface.of("gloss"), surface.normals
    if surface.flat is not None:
        gloss = gloss + 0.35 * _paint_windows(surface, albedo)
    if surface.bumped:
        normals = normals + surface.of("bump") * tilt
    normals = unit(normals)
    direct = _dot(light.sun, normals)
    if surface.bumped:
        soft = 0.35 * surface.of("bump").clamp(max=1)  # light passes through leaves
        direct = (direct + soft) / (1 + soft)
    ambient = (0.68 - 0.32 * normals[1]) * surface.open
    colour = albedo * (direct.clamp(min=0) * surface.lit * light.sun_colour + ambient * light.sky_colour)
    mirrored = surface.rays[1] - 2 * _dot(surface.rays, surface.normals) * surface.normals[1]
    upward = (0.2 - 0.9 * mirrored).clamp(0, 1)
    colour = torch.lerp(colour, light.horizon * (upward * surface.open), gloss.clamp(max=0.6) * upward)
    colour = colour + surface.of("glow") * surface.of("colour")
    return torch.lerp(light.horizon.expand_as(colour), colour, torch.exp(-surface.distance / light.visibility))


def _albedo(surface: Surface, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Colours (3, N) from noise and the cell pattern, and the noise's tilt of the normals (3, N)."""
    wavelength, footprint = surface.of("wavelength"), surface.footprint
    points, shift = surface.points / wavelength, surface.of("shift")
    seen = fade(wavelength * torch.tensor([[share] for share, _ in _OCTAVES], device=table.device), footprint)
    # the first two octaves tilt, the first one mixes; only the last, finest one is hidden from many points
    channels = (4, 4, 1, 1) if surface.bumped else (2, 1, 1, 1)
    total, tilt = 0.0, 0.0
    for index, ((share, weight), faded) in enumerate(zip(_OCTAVES, seen, strict=True)):
        near = None
        if index == 3:
            near = (faded > 0).nonzero()[:, 0]
            points, shift, faded = (part.index_select(-1, near) for part in (points, shift, faded))
        value = noise(table[:, : channels[index]], points / share + shift)
        if index == 0:
            patches = value[1].masked_fill(faded == 0, 0.0)
        if channels[index] == 4:
            tilt = tilt + value[1:] * faded
        part = value[0] * faded * weight
        total = total + part if near is None else total.index_add_(0, near, part)
    blend = (0.5 + 1.4 * patches).clamp(0, 1) * surface.of("mix")
    bright = (1 + surface.of("contrast") * total).clamp(min=0.12)
    bright = bright * bright.sqrt()
    if surface.flat is not None:
        chosen = {name: surface.of(name) for name in ("grid", "joint", "tint")}
        bright = bright * grid_pattern(*surface.flat[:2], **chosen, footprint=footprint)
    return torch.lerp(surface.of("colour"), surface.of("other"), blend) * bright, tilt


def _paint_windows(surface: Surface, albedo: torch.Tensor) -> torch.Tensor:
    """Paint windows and doors over the albedo of facades, see `Material`; returns the share of glass (N,).

    Windows stand in whole columns, centred. On the ground floor a share of them are doors and reach down to the ground.
    """
    glass = torch.zeros_like(surface.distance)
    at = (surface.of("windows")[0] > 0).nonzero()[:, 0]
    u, v, width = surface.flat.index_select(1, at)
    footprint, (spacing, storey, wide, high) = surface.footprint[at], surface.of("windows").index_select(1, at)
    count = (width / spacing).floor().clamp(min=1)
    across = (u - width / 2) / spacing + count / 2
    column, row = across.floor(), (v / storey).floor()
    number = cell_hash(column, row, wide * 91.7)
    x = (across - column - 0.5).abs() * spacing
    inside = torch.minimum(wide / 2 * spacing - x, high / 2 * storey - (v - (row + 0.55) * storey).abs())
    door = (row == 0) & (number < surface.of("door")[at])
    inside = torch.where(door, torch.minimum(0.55 - x, torch.minimum(v, 2.15 - v)), inside)
    inside = torch.where((across > 0) & (across < count) & (v > 0), inside, -1.0)
    bar = torch.where(door, inside - 0.08, torch.minimum(x - 0.03, inside - 0.1))
    pane = (bar / footprint + 0.5).clamp(0, 1)
    frame = ((inside / footprint + 0.5).clamp(0, 1) - pane).clamp(min=0)
    # Dark glass; behind a third of the panes a curtain. A door is painted, each its own colour.
    curtain = (number > 0.68).float() * 0.35
    dark = 0.02 + curtain + torch.where(door, 0.3 * number, 0.0)
    tint = torch.stack([dark * (1 + 0.3 * (number - 0.5)), dark, dark * (1.15 - 0.5 * door * number)])
    painted = torch.lerp(albedo.index_select(1, at), surface.of("frame")[at] ** 2, frame)
    albedo.index_copy_(1, at, torch.lerp(painted, tint, pane))
    return glass.index_copy_(0, at, pane * (~door) * (curtain == 0))


def sky(rays: torch.Tensor, light: Light, table: torch.Tensor) -> torch.Tensor:
    """Linear colours (3, N) of the sky along unit `rays` (3, N): a gradient, and clouds on a plane far above."""
    up = (-rays[1]).clamp(min=0.0)
    colour = torch.lerp(light.horizon, light.zenith, (up * 2.2).clamp(max=1).sqrt())
    x, z = rays[0] / (up + 0.12), rays[2] / (up + 0.12)
    plane = torch.stack([x, torch.zeros_like(x), z])
    lift = torch.tensor([[0.0], [3.3], [0.0]], device=x.device)
    waves = ((0.9, 1.0), (2.3, 0.55), (6.0, 0.3))
    layer = sum(weight * noise(table[:, :1], plane * f + lift)[0] for f, weight in waves)
    cover = ((layer + 1.6 * light.clouds - 0.9) * 1.6).clamp(0, 1) * (up * 6).clamp(0, 1)
    white = (0.4 * light.horizon + 0.6) * (0.85 + 0.25 * layer).clamp(0.5, 1.2)
    return torch.lerp(colour, white, 0.85 * cover)


@cache
def noise_table() -> torch.Tensor:
    """Random values (1, 4, P * (P + 1), P + 1) in -1..1: P slices of a periodic cube, P = 32, each padded by its wrap.

    Slices in one image let two bilinear look-ups and a blend stand for a trilinear one, which is far slower on a CPU.
    """
    cube = torch.rand(4, _PERIOD, _PERIOD, _PERIOD, generator=torch.Generator().manual_seed(7)) * 2 - 1
    padded = F.pad(cube, (0, 1, 0, 1), mode="circular")
    return padded.reshape(1, 4, _PERIOD * (_PERIOD + 1), _PERIOD + 1).contiguous()


def noise(table: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Value noises (C, N) in -1..1, one for each channel of the table, at `points` (3, N); a lattice cell is a unit."""
    x, y, z = points.sub((points / _PERIOD).floor_(), alpha=_PERIOD)
    cell = z.floor().clamp_(max=_PERIOD - 1)
    following = cell + 1
    following.sub_((following / _PERIOD).floor_(), alpha=_PERIOD)
    at = points.new_empty(2, 2, len(x))  # x and y in the table, in this cell's slice and the next one's
    torch.mul(x, 2 / _PERIOD, out=at[0, 0])
    at[0, 1] = at[0, 0].sub_(1)
    torch.add(y, cell, alpha=_PERIOD + 1, out=at[1, 0])
    torch.add(y, following, alpha=_PERIOD + 1, out=at[1, 1])
    at[1].mul_(2 / (_PERIOD * (_PERIOD + 1) - 1)).sub_(1)
    low, high = F.grid_sample(table, at.permute(1, 2, 0)[None], align_corners=True, padding_mode="border")[0].unbind(1)
    blend = z - cell
    return torch.lerp(low, high, (3 - 2 * blend).mul_(blend * blend))


def grid_pattern(u, v, grid, joint, tint, footprint) -> torch.Tensor:
    """Brightness factors (N,) of bricks, slabs or slats, see `Material.grid`; 1 where the period is 0."""
    period_u, period_v, line, stagger = grid
    has = period_u > 0
    period_u, period_v = torch.where(has, period_u, 1.0), torch.where(period_v > 0, period_v, 1.0)
    row = (v / period_v).floor()
    along = u / period_u + stagger * (row % 2)
    column = along.floor()
    edge_u = (0.5 - (along - column - 0.5).abs()) * period_u
    edge_v = (0.5 - (v / period_v - row - 0.5).abs()) * period_v
    # The joint's share of a sample: a line of this width, blurred over the footprint.
    blurred = (line / 2 - torch.minimum(edge_u, edge_v)) / footprint + 0.5
    share = blurred.clamp(0, 1) * fade(torch.minimum(period_u, period_v), footprint)
    shift = (cell_hash(column, row) - 0.5) * tint * fade(torch.minimum(period_u, period_v), footprint)
    return torch.where(has, (1 + shift) * (1 - joint * share), 1.0)


def fade(wavelength: torch.Tensor, footprint: torch.Tensor) -> torch.Tensor:
    """How much of a pattern samples of this size still resolve: 1 when two or more fit in a wavelength's half."""
    return (wavelength / (2 * footprint) - 0.5).clamp(0, 1)


def cell_hash(*numbers: torch.Tensor) -> torch.Tensor:
    """A number in 0..1 for each cell, from its integer coordinates."""
    mixed = sum(number * factor for number, factor in zip(numbers, (12.9898, 78.233, 37.719), strict=False))
    wave = torch.sin(mixed) * 437.5453
    return wave - wave.floor()


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (3, N) scaled to length 1."""
    x, y, z = vectors
    return vectors * (x * x + y * y + z * z).clamp(min=1e-20).rsqrt()


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
