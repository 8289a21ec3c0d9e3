"""Cameras, and the part of a camera's samples that a primitive can reach."""

from dataclasses import dataclass

import torch

NEAR = 0.05
"""Metres; nothing nearer is seen."""
SLACK = 1e-3
"""Samples; neighbours that share an edge overlap by this much, so that no ray slips between them."""


@dataclass(frozen=True)
class View:
    """V pinhole cameras, each over a grid of samples of the same size, centres at whole numbers."""

    world_to_camera: torch.Tensor
    """(V, 4, 4) float64."""
    focal: torch.Tensor
    """(V, 2) float64, in samples, along x and y."""
    centre: torch.Tensor
    """(V, 2) float64, principal point in samples."""
    height: int
    """Rows of samples."""
    width: int
    """Columns of samples."""


def quad_bounds(view: View, lens, points: torch.Tensor) -> torch.Tensor:
    """Bounds (x0, x1, y0, y1) in samples of the part of each quad before the near plane."""
    following = points.roll(-1, 1)
    step = (NEAR - points[..., 2:]) / (following[..., 2:] - points[..., 2:]).where(
        (following[..., 2:] - points[..., 2:]).abs() > 1e-12, 1e-12
    )
    crossing = points + step.clamp(0, 1) * (following - points)
    candidates = torch.cat([points, crossing], dim=1)
    seen = candidates[..., 2] >= NEAR * 0.999
    depth = candidates[..., 2].clamp(min=NEAR)
    flat = candidates[..., :2] / depth[..., None] * lens[0][:, None] + lens[1][:, None]
    x, y = flat.unbind(-1)
    low = [torch.where(seen, value, torch.inf).amin(1) for value in (x, y)]
    high = [torch.where(seen, value, -torch.inf).amax(1) for value in (x, y)]
    return _clip(view, low[0], high[0], low[1], high[1])


def ellipsoid_bounds(view: View, lens, centres: torch.Tensor, spread: torch.Tensor):
    """Which ellipsoids can be seen, and their bounds: tangent planes through the camera; spread is axes axes^T."""
    behind = centres[:, 2] <= spread[:, 2, 2].sqrt() + NEAR
    bounds = []
    for axis, size in ((0, view.width), (1, view.height)):
        p = (centres[:, 2] ** 2 - spread[:, 2, 2]).clamp(min=1e-9)
        q = centres[:, axis] * centres[:, 2] - spread[:, axis, 2]
        r = (q**2 - p * (centres[:, axis] ** 2 - spread[:, axis, axis])).clamp(min=0).sqrt()
        reach, middle = lens[0][:, axis], lens[1][:, axis]
        low, high = (q - r) / p * reach + middle, (q + r) / p * reach + middle
        # One that spans the camera's plane is tested against the sides of the view, then over the whole grid.
        inside = _reaches(centres, spread, axis, (-middle - 1) / reach, (size - middle) / reach)
        bounds += [torch.where(behind, torch.where(inside, -1.0, torch.inf), low)]
        bounds += [torch.where(behind, torch.where(inside, float(size), -torch.inf), high)]
    box = _clip(view, *bounds)
    seen = (box[:, 0] <= box[:, 1]) & (box[:, 2] <= box[:, 3]) & (centres[:, 2] + spread[:, 2, 2].sqrt() > NEAR)
    return seen, box


def _reaches(centres: torch.Tensor, spread: torch.Tensor, axis: int, low, high) -> torch.Tensor:
    """Whether an ellipsoid reaches in between the planes x = low z and x = high z."""
    inside = torch.ones_like(centres[:, 0], dtype=torch.bool)
    for bound, sign in ((low, 1.0), (high, -1.0)):
        variance = spread[:, axis, axis] - 2 * bound * spread[:, axis, 2] + bound**2 * spread[:, 2, 2]
        inside &= sign * (centres[:, axis] - bound * centres[:, 2]) + variance.sqrt() > 0
    return inside


def _clip(view: View, x0, x1, y0, y1) -> torch.Tensor:
    low = [(value - SLACK).clamp(min=0).nan_to_num(posinf=1e9).ceil() for value in (x0, y0)]
    high = [
        (value + SLACK).clamp(max=size - 1).nan_to_num(neginf=-1e9).floor()
        for value, size in ((x1, view.width), (y1, view.height))
    ]
    return torch.stack([low[0], high[0], low[1], high[1]], -1)
