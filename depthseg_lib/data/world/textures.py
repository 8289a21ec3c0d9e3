"""Solid noise and cell patterns, faded out where they are finer than the samples."""

from functools import cache

import torch
import torch.nn.functional as F

_PERIOD = 32
_SEED = 7


@cache
def noise_table() -> torch.Tensor:
    """Random values (1, 4, P * (P + 1), P + 1) in -1..1: P slices of a periodic cube, P = 32, each padded by its wrap.

    Slices in one image let two bilinear look-ups and a blend stand for a trilinear one, which is far slower on a CPU.
    """
    cube = torch.rand(4, _PERIOD, _PERIOD, _PERIOD, generator=torch.Generator().manual_seed(_SEED)) * 2 - 1
    padded = F.pad(cube, (0, 1, 0, 1), mode="circular")
    return padded.reshape(1, 4, _PERIOD * (_PERIOD + 1), _PERIOD + 1).contiguous()


def noise(table: torch.Tensor, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Four value noises (4, N) in -1..1 at the points x, y, z (N,), one lattice cell per unit."""
    x, y, z = (value - (value / _PERIOD).floor() * _PERIOD for value in (x, y, z))
    cell = z.floor().clamp(max=_PERIOD - 1)
    blend = z - cell
    x = x * (2 / _PERIOD) - 1
    values = []
    for layer in (cell, (cell + 1) % _PERIOD):
        row = (layer * (_PERIOD + 1) + y) * (2 / (_PERIOD * (_PERIOD + 1) - 1)) - 1
        at = torch.stack([x, row], -1)[None, None]
        values.append(F.grid_sample(table, at, align_corners=True, padding_mode="border")[0, :, 0])
    return torch.lerp(values[0], values[1], blend * blend * (3 - 2 * blend))


def fade(wavelength: torch.Tensor, footprint: torch.Tensor) -> torch.Tensor:
    """How much of a pattern samples of this size still resolve: 1 when two or more fit in a wavelength's half."""
    return (wavelength / (2 * footprint) - 0.5).clamp(0, 1)


def cell_hash(*numbers: torch.Tensor) -> torch.Tensor:
    """A number in 0..1 for each cell, from its integer coordinates."""
    mixed = sum(number * factor for number, factor in zip(numbers, (12.9898, 78.233, 37.719), strict=False))
    wave = torch.sin(mixed) * 437.5453
    return wave - wave.floor()


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


def windows(u, v, width, pattern, door, footprint):
    """Shares (N,) of pane and of frame on a facade `width` wide, and a number in 0..1 per window; see `Material`.

    Windows stand in whole columns, centred. On the ground floor a share `door` of them reaches down to the ground.
    """
    spacing, storey, wide, high = pattern
    columns = (width / spacing).floor().clamp(min=1)
    across = (u - width / 2) / spacing + columns / 2
    column, row = across.floor(), (v / storey).floor()
    number = cell_hash(column, row, wide * 91.7)
    x = (across - column - 0.5).abs() * spacing
    inside = torch.minimum(wide / 2 * spacing - x, high / 2 * storey - (v - (row + 0.55) * storey).abs())
    is_door = (row == 0) & (number < door)
    inside = torch.where(is_door, torch.minimum(0.55 - x, torch.minimum(v, 2.15 - v)), inside)
    inside = torch.where((across > 0) & (across < columns) & (v > 0), inside, -1.0)
    bar = torch.where(is_door, inside - 0.08, torch.minimum(x - 0.03, inside - 0.1))
    pane = (bar / footprint + 0.5).clamp(0, 1)
    frame = (inside / footprint + 0.5).clamp(0, 1) - pane
    return pane, frame.clamp(min=0), number, is_door
