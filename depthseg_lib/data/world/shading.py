"""What colour each ray sees: materials under the light, haze, and the sky."""

from dataclasses import dataclass

import torch

from depthseg_lib.data.world.light import Light
from depthseg_lib.data.world.materials import COLUMNS
from depthseg_lib.data.world.textures import fade, grid_pattern, noise, windows

_OCTAVES = ((1.0, 0.8), (0.37, 0.7), (0.13, 0.6), (0.045, 0.5))
"""Wavelength, as a share of the material's, and weight of each octave of noise."""


@dataclass(frozen=True)
class Surface:
    """The points that rays hit, one row each."""

    points: torch.Tensor
    """(N, 3) on the object, for solid textures: metres in its body's frame."""
    normals: torch.Tensor
    """(N, 3) unit, towards the camera, world frame."""
    rays: torch.Tensor
    """(N, 3) direction from the camera, unit, world frame."""
    flat: torch.Tensor
    """(N, 3) u and v along the quad and its width, metres; zeros on an ellipsoid."""
    material: torch.Tensor
    """(N, K) rows of the material table."""
    number: torch.Tensor
    """(N,) of the material: shifts its noise."""
    distance: torch.Tensor
    """(N,) from the camera, metres."""
    footprint: torch.Tensor
    """(N,) metres on the surface that one sample covers."""
    lit: torch.Tensor
    """(N,) share of the sun that arrives."""
    open: torch.Tensor
    """(N,) share of the sky's light that arrives."""


def shade(surface: Surface, light: Light, table: torch.Tensor) -> torch.Tensor:
    """Linear colours (N, 3) of the surface under the light, through the haze."""
    columns = {name: surface.material[:, at] for name, at in COLUMNS.items()}
    albedo, tilt = _albedo(surface, columns, table)
    pane = _paint_windows(surface, columns, albedo)
    normals = torch.nn.functional.normalize(surface.normals + columns["bump"][:, None] * tilt, dim=-1)
    as_row = lambda values: torch.tensor(values, dtype=torch.float32, device=albedo.device)  # noqa: E731
    facing = normals @ as_row(light.sun)
    soft = 0.35 * columns["bump"].clamp(max=1)  # light passes through leaves
    direct = ((facing + soft) / (1 + soft)).clamp(min=0) * surface.lit
    ambient = (0.68 - 0.32 * normals[:, 1]) * surface.open
    colour = albedo * (direct[:, None] * as_row(light.sun_colour) + ambient[:, None] * as_row(light.sky_colour))
    gloss = (columns["gloss"] + 0.35 * pane).clamp(max=0.6)[:, None]
    mirrored = surface.rays - 2 * (surface.rays * surface.normals).sum(-1, keepdim=True) * surface.normals
    upward = (0.25 - 0.9 * mirrored[:, 1:2]).clamp(0, 1)
    colour = torch.lerp(colour, upward * as_row(light.horizon) * surface.open[:, None], gloss * upward)
    colour = colour + columns["glow"][:, None] * columns["colour"]
    clear = torch.exp(-surface.distance / light.visibility)[:, None]
    return torch.lerp(as_row(light.horizon), colour, clear)


def _albedo(surface: Surface, columns, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Colours (N, 3) from noise and the cell pattern, and the noise's tilt of the normals (N, 3)."""
    wavelength, number = columns["wavelength"], surface.number.to(surface.points.dtype)
    shift = torch.stack([number * 7.31, number * 3.77, number * 5.13], -1) % 32
    total = torch.zeros_like(wavelength)
    for index, (share, weight) in enumerate(_OCTAVES):
        length = wavelength * share
        seen = fade(length, surface.footprint)
        near = (seen > 0).nonzero()[:, 0] if index else slice(None)
        value = noise(table, surface.points[near] / length[near, None] + shift[near] + 0.37 * index)
        total[near] += weight * seen[near] * value[0]
        if index == 0:
            patches, tilt = value[1], value[1:4].T * seen[:, None]
        elif index == 1:
            tilt[near] += value[1:4].T * seen[near, None]
    blend = (0.5 + 1.4 * patches).clamp(0, 1) * columns["mix"]
    colour = torch.lerp(columns["colour"], columns["other"], blend[:, None])
    bright = (1 + columns["contrast"] * total).clamp(min=0.12) ** 1.5
    marked = (columns["grid"][:, 0] > 0).nonzero()[:, 0]
    u, v, _ = surface.flat[marked].unbind(-1)
    bright[marked] *= grid_pattern(
        u, v, columns["grid"][marked], columns["joint"][marked], columns["tint"][marked], surface.footprint[marked]
    )
    return colour * bright[:, None], tilt


def _paint_windows(surface: Surface, columns, albedo: torch.Tensor) -> torch.Tensor:
    """Paint windows and doors over the albedo of facades; returns the share of glass (N,)."""
    glass = torch.zeros_like(surface.distance)
    at = ((columns["windows"][:, 0] > 0) & (surface.flat[:, 2] > 0)).nonzero()[:, 0]
    u, v, width = surface.flat[at].unbind(-1)
    footprint = surface.footprint[at]
    pane, frame, number, door = windows(u, v, width, columns["windows"][at], columns["door"][at], footprint)
    # Dark glass; behind a third of the panes a curtain. A door is painted, each its own colour.
    curtain = (number > 0.68).float() * 0.35
    dark = 0.02 + curtain + torch.where(door, 0.1 * number * 3, 0.0)
    tint = torch.stack([dark * (1 + 0.3 * (number - 0.5)), dark, dark * (1.15 - 0.5 * door * number)], -1)
    painted = torch.lerp(albedo[at], columns["frame"][at, None].expand(-1, 3) ** 2, frame[:, None])
    albedo[at] = torch.lerp(painted, tint, pane[:, None])
    glass[at] = pane * (~door) * (curtain == 0)
    return glass


def sky(rays: torch.Tensor, light: Light, table: torch.Tensor) -> torch.Tensor:
    """Linear colours (N, 3) of the sky along unit `rays` (N, 3): a gradient, and clouds on a plane far above."""
    row = lambda values: torch.tensor(values, dtype=torch.float32, device=rays.device)  # noqa: E731
    up = (-rays[:, 1]).clamp(min=0.0)
    colour = torch.lerp(row(light.horizon), row(light.zenith), (up * 2.2).clamp(max=1).sqrt()[:, None])
    plane = torch.stack([rays[:, 0], torch.zeros_like(up), rays[:, 2]], -1) / (up + 0.12)[:, None]
    layer = noise(table, plane * 0.9 + 3.3)[0] + 0.55 * noise(table, plane * 2.3)[1] + 0.3 * noise(table, plane * 6)[2]
    cover = ((layer + 1.6 * light.clouds - 0.9) * 1.6).clamp(0, 1) * (up * 6).clamp(0, 1)
    white = torch.lerp(row(light.horizon), row((1.0, 1.0, 1.0)), 0.6) * (0.85 + 0.25 * layer[:, None]).clamp(0.5, 1.2)
    return torch.lerp(colour, white, 0.85 * cover[:, None])


def develop(colour: torch.Tensor, exposure: float) -> torch.Tensor:
    """Displayed colours in 0..1 from linear ones: a soft shoulder, then gamma 2."""
    return (1 - torch.exp(-1.6 * exposure * colour.clamp(min=0))).sqrt()
