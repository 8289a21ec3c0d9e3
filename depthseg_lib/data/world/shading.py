"""What colour each ray sees: materials under the light, haze, and the sky. Components come first: (3, N), (N,)."""

from dataclasses import dataclass

import torch

from depthseg_lib.data.world.textures import fade, grid_pattern, noise, windows
from depthseg_lib.world.light import Lights
from depthseg_lib.world.surfaces import COLUMNS

_OCTAVES = ((1.0, 0.8), (0.37, 0.7), (0.13, 0.6), (0.045, 0.5))
"""Wavelength, as a share of the material's, and weight of each octave of noise."""


@dataclass(frozen=True)
class Surface:
    """The points that rays hit."""

    points: torch.Tensor
    """(3, N) on the object, for solid textures: metres in its body's frame."""
    normals: torch.Tensor
    """(3, N) unit, towards the camera, world frame."""
    rays: torch.Tensor
    """(3, N) direction from the camera, unit, world frame."""
    patterned: torch.Tensor
    """(M,) which of the N points lie on a quad with a cell pattern or windows."""
    flat: torch.Tensor
    """(3, M) u and v along the quad of these and its width, metres."""
    material: torch.Tensor
    """(K, N) columns of the material table."""
    distance: torch.Tensor
    """(N,) from the camera, metres."""
    footprint: torch.Tensor
    """(N,) metres on the surface that one sample covers."""
    lit: torch.Tensor
    """(N,) share of the sun that arrives."""
    open: torch.Tensor
    """(N,) share of the sky's light that arrives."""


def shade(surface: Surface, light: Lights, table: torch.Tensor) -> torch.Tensor:
    """Linear colours (3, N) of the surface under the light at each point (or one for all), through the haze."""
    columns = {name: surface.material[at] for name, at in COLUMNS.items()}
    albedo, tilt = _albedo(surface, columns, table)
    pane = _paint_windows(surface, columns, albedo)
    normals = unit(surface.normals + columns["bump"] * tilt)
    soft = 0.35 * columns["bump"].clamp(max=1)  # light passes through leaves
    direct = ((_dot(light.sun, normals) + soft) / (1 + soft)).clamp(min=0) * surface.lit
    ambient = (0.68 - 0.32 * normals[1]) * surface.open
    colour = albedo * (direct * light.sun_colour + ambient * light.sky_colour)
    gloss = (columns["gloss"] + 0.35 * pane).clamp(max=0.6)
    mirrored = surface.rays[1] - 2 * _dot(surface.rays, surface.normals) * surface.normals[1]
    upward = (0.2 - 0.9 * mirrored).clamp(0, 1)
    colour = torch.lerp(colour, light.horizon * (upward * surface.open), gloss * upward)
    colour = colour + columns["glow"] * columns["colour"]
    return torch.lerp(light.horizon.expand_as(colour), colour, torch.exp(-surface.distance / light.visibility))


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (3, N) scaled to length 1."""
    x, y, z = vectors
    return vectors * (x * x + y * y + z * z).clamp(min=1e-20).rsqrt()


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _albedo(surface: Surface, columns, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Colours (3, N) from noise and the cell pattern, and the noise's tilt of the normals (3, N)."""
    number = columns["number"]  # shifts the noise, so that no two materials show the same
    points = surface.points / columns["wavelength"]
    shift = [(number * factor) % 32 for factor in (7.31, 3.77, 5.13)]
    total = torch.zeros_like(number)
    for index, (share, weight) in enumerate(_OCTAVES):
        seen = fade(columns["wavelength"] * share, surface.footprint)
        near = (seen > 0).nonzero()[:, 0]
        faded = seen.index_select(0, near)
        moved = [p.index_select(0, near) / share + s.index_select(0, near) for p, s in zip(points, shift, strict=True)]
        value = noise(table, *moved)
        total.index_add_(0, near, value[0] * faded * weight)
        if index == 0:
            tilt = torch.zeros_like(surface.points)
            patches = torch.zeros_like(total).index_copy_(0, near, value[1])
        if index < 2:
            tilt.index_add_(1, near, value[1:4] * faded)
    blend = (0.5 + 1.4 * patches).clamp(0, 1) * columns["mix"]
    bright = (1 + columns["contrast"] * total).clamp(min=0.12) ** 1.5
    at = surface.patterned
    chosen = {name: columns[name].index_select(-1, at) for name in ("grid", "joint", "tint")}
    pattern = grid_pattern(*surface.flat[:2], **chosen, footprint=surface.footprint[at])
    bright.index_copy_(0, at, bright[at] * pattern)
    return torch.lerp(columns["colour"], columns["other"], blend) * bright, tilt


def _paint_windows(surface: Surface, columns, albedo: torch.Tensor) -> torch.Tensor:
    """Paint windows and doors over the albedo of facades; returns the share of glass (N,)."""
    glass = torch.zeros_like(surface.distance)
    facade = (columns["windows"][0, surface.patterned] > 0).nonzero()[:, 0]
    at, (u, v, width) = surface.patterned[facade], surface.flat[:, facade]
    pattern, door = columns["windows"].index_select(1, at), columns["door"][at]
    pane, frame, number, door = windows(u, v, width, pattern, door, surface.footprint[at])
    # Dark glass; behind a third of the panes a curtain. A door is painted, each its own colour.
    curtain = (number > 0.68).float() * 0.35
    dark = 0.02 + curtain + torch.where(door, 0.3 * number, 0.0)
    tint = torch.stack([dark * (1 + 0.3 * (number - 0.5)), dark, dark * (1.15 - 0.5 * door * number)])
    painted = torch.lerp(albedo.index_select(1, at), columns["frame"][at] ** 2, frame)
    albedo.index_copy_(1, at, torch.lerp(painted, tint, pane))
    return glass.index_copy_(0, at, pane * (~door) * (curtain == 0))


def sky(rays: torch.Tensor, light: Lights, table: torch.Tensor) -> torch.Tensor:
    """Linear colours (3, N) of the sky along unit `rays` (3, N): a gradient, and clouds on a plane far above."""
    up = (-rays[1]).clamp(min=0.0)
    colour = torch.lerp(light.horizon, light.zenith, (up * 2.2).clamp(max=1).sqrt())
    x, z = rays[0] / (up + 0.12), rays[2] / (up + 0.12)
    still = torch.full_like(x, 3.3)
    layer = sum(weight * noise(table, x * f, still, z * f)[0] for f, weight in ((0.9, 1.0), (2.3, 0.55), (6.0, 0.3)))
    cover = ((layer + 1.6 * light.clouds - 0.9) * 1.6).clamp(0, 1) * (up * 6).clamp(0, 1)
    white = (0.4 * light.horizon + 0.6) * (0.85 + 0.25 * layer).clamp(0.5, 1.2)
    return torch.lerp(colour, white, 0.85 * cover)


def develop(colour: torch.Tensor, exposure: torch.Tensor) -> torch.Tensor:
    """Displayed colours in 0..1 from linear ones: a soft shoulder, then gamma 2."""
    return (1 - torch.exp(-1.6 * exposure * colour.clamp(min=0))).sqrt()
