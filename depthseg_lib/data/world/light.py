"""Light of a street: sun and sky, the sun's shadow map and the ambient shade near things that stand up."""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from depthseg_lib.data.world.raycast import EMPTY, View, cast, nearest, split

_FAR = 1500.0
"""Distance of the two map cameras: so far that their rays are nearly parallel."""
_TALLEST = 3.0
"""Metres; what is higher shades the ground no more than this."""


@dataclass(frozen=True)
class Light:
    """Sun, sky, haze and the camera's exposure; colours are linear."""

    sun: tuple[float, float, float]
    """Unit vector to the sun, y down."""
    sun_colour: tuple[float, float, float]
    """Brightness of direct sunlight, near 0 under clouds."""
    sky_colour: tuple[float, float, float]
    """Brightness of the light from the sky."""
    zenith: tuple[float, float, float]
    """Colour of the sky above."""
    horizon: tuple[float, float, float]
    """Colour of the sky at the horizon, and of the haze."""
    clouds: float
    """Share of the sky under clouds."""
    visibility: float
    """Metres after which haze hides two thirds."""
    exposure: float
    """Factor before the film's curve."""


def random_light(rng: np.random.Generator) -> Light:
    """Clear, hazy or overcast; morning to evening."""
    overcast = rng.random() < 0.35
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(18, 65))
    sun = (np.cos(elevation) * np.sin(azimuth), -np.sin(elevation), np.cos(elevation) * np.cos(azimuth))
    warm = rng.uniform(0.0, 0.5) * (1.1 - np.sin(elevation))
    strength = rng.uniform(0.05, 0.25) if overcast else rng.uniform(0.8, 1.4)
    grey, blue = rng.uniform(0.55, 0.9), rng.uniform(0.12, 0.35)
    zenith = (grey, grey, grey * 1.03) if overcast else (blue, blue * 1.7, blue * 2.6)
    horizon = tuple(np.array([0.78, 0.83, 0.9]) * rng.uniform(0.75, 1.1) * (1 + warm * np.array([0.3, 0, -0.4])))
    ambient = rng.uniform(0.5, 0.8) if overcast else rng.uniform(0.3, 0.5)
    return Light(
        sun=tuple(map(float, sun)),
        sun_colour=tuple(strength * np.array([1.0, 0.95 - 0.25 * warm, 0.88 - 0.6 * warm])),
        sky_colour=tuple(ambient * np.array([0.92, 0.98, 1.08])),
        zenith=zenith,
        horizon=horizon,
        clouds=rng.uniform(0.6, 1.0) if overcast else rng.uniform(0.0, 0.7),
        visibility=float(np.exp(rng.uniform(np.log(90), np.log(900)))),
        exposure=rng.uniform(0.9, 1.9),
    )


@dataclass(frozen=True)
class Maps:
    """Pictures of the still part of a scene from the sun and from above, to which moving things are added."""

    sun: View
    above: View
    sun_keys: torch.Tensor
    """(H * W,) keys of the still scene seen from the sun."""
    above_keys: torch.Tensor
    """(H * W,) the same from above."""
    ground: torch.Tensor
    """(H, W) float32 distance of the ground alone below the camera above."""


def _aimed(back: torch.Tensor, points: torch.Tensor, along: torch.Tensor, texel: float) -> View:
    """A view from far away in direction `back`, its columns along `along`, covering `points` (n, 3)."""
    forward = -back / back.norm()
    across = torch.linalg.cross(forward, along)
    across = across / across.norm()
    turn = torch.stack([torch.linalg.cross(across, forward), across, forward])
    flat = points @ turn.T
    low, high = flat.amin(0), flat.amax(0)
    middle = (low + high) / 2
    shift = torch.stack([-middle[0], -middle[1], _FAR - middle[2]])
    bottom = torch.tensor([[0.0, 0.0, 0.0, 1.0]], dtype=turn.dtype, device=turn.device)
    width, height = ((high - low)[:2] / texel).ceil().long().clamp(min=2, max=2048).tolist()
    focal = (_FAR / texel, _FAR / texel)
    return View(torch.cat([torch.cat([turn, shift[:, None]], 1), bottom]), focal, (width / 2, height / 2), height, width)


def light_maps(light: Light, primitives, ground, points: torch.Tensor, texel: float) -> Maps:
    """Both maps of the still `primitives` (corners, centres, axes, first) around `points`; `ground` likewise."""
    along = points[-1] - points[0]
    sun = _aimed(torch.tensor(light.sun, dtype=torch.float64, device=points.device), points, along, texel)
    up = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64, device=points.device)
    above = _aimed(up, points, along * torch.tensor([1.0, 0.0, 1.0], device=points.device), 2 * texel)
    floor = _distance(nearest(above, cast(above, *ground)), above)
    return Maps(sun, above, nearest(sun, cast(sun, *primitives)), nearest(above, cast(above, *primitives)), floor)


def with_moving(maps: Maps, moving) -> tuple[torch.Tensor, torch.Tensor]:
    """The sun's distance map and the map of shade (H, W), the height of what stands around, with moving things."""
    keys = [maps.sun_keys, maps.above_keys]
    if len(moving[0]) or len(moving[1]):
        keys = [nearest(view, cast(view, *moving), k) for view, k in zip((maps.sun, maps.above), keys, strict=True)]
    sun, above = _distance(keys[0], maps.sun), _distance(keys[1], maps.above)
    height = (maps.ground - above).clamp(0, _TALLEST)
    return sun, F.avg_pool2d(height[None], 5, 1, 2, count_include_pad=False)[0]


def _distance(keys: torch.Tensor, view: View) -> torch.Tensor:
    depth, _ = split(keys)
    return torch.where(keys == EMPTY, 2 * _FAR, depth).view(view.height, view.width)


def sunlit(maps: Maps, sun: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Share (N,) of each point that the sun reaches: four texels compared, then blended."""
    x, y, depth = _project(maps.sun, points)
    x, y = x.clamp(0, maps.sun.width - 1.001), y.clamp(0, maps.sun.height - 1.001)
    column, row = x.floor(), y.floor()
    index = row.long() * maps.sun.width + column.long()
    flat = sun.reshape(-1)
    lit = [(flat[index + step] > depth - 0.12).float() for step in (0, 1, maps.sun.width, maps.sun.width + 1)]
    x, y = x - column, y - row
    return torch.lerp(torch.lerp(lit[0], lit[1], x), torch.lerp(lit[2], lit[3], x), y)


def openness(maps: Maps, shade: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Share (N,) of the sky's light that reaches each point, less near and under what stands higher than it."""
    x, y, depth = _project(maps.above, points)
    at = torch.stack([x / (maps.above.width - 1), y / (maps.above.height - 1)], -1)[None, None] * 2 - 1
    layers = torch.stack([shade, maps.ground])[None]
    around, floor = F.grid_sample(layers, at, align_corners=True, padding_mode="border")[0, :, 0]
    return 1 / (1 + 0.55 * (around - (floor - depth).clamp(0, _TALLEST)).clamp(min=0))


def _project(view: View, points: torch.Tensor):
    matrix = view.world_to_camera
    turn, shift = matrix[:3, :3].float(), matrix[:3, 3].float()
    x, y, depth = (points @ turn.T + shift).unbind(-1)
    return x / depth * view.focal[0] + view.centre[0], y / depth * view.focal[1] + view.centre[1], depth


def move_maps(maps: Maps, device) -> Maps:
    """The maps in the memory of `device`."""
    views = {name: getattr(maps, name) for name in ("sun", "above")}
    views = {name: replace(view, world_to_camera=view.world_to_camera.to(device)) for name, view in views.items()}
    tensors = {name: getattr(maps, name).to(device) for name in ("sun_keys", "above_keys", "ground")}
    return Maps(**views, **tensors)
