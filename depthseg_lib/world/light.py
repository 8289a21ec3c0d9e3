"""Light of a street: sun, sky and haze, drawn at random, and how much of the sun and the sky reaches each point."""

from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F

from depthseg_lib.world.raycast import EMPTY, Shapes, View, cast, nearest, of_each, split

_FAR = 1500.0
"""Distance of the two map cameras: so far that their rays are nearly parallel."""
_TALLEST = 3.0
"""Metres; what is higher shades the ground no more than this."""


@dataclass(frozen=True)
class Light:
    """Sun, sky, haze and the camera's exposure; colours are linear.

    Of one view they are vectors of 3 and numbers; of V views, tensors (3, V) and (V,), and at N points (3, N) and (N,).
    """

    sun: np.ndarray | torch.Tensor
    """Unit vector to the sun, y down."""
    sun_colour: np.ndarray | torch.Tensor
    """Brightness of direct sunlight, near 0 under clouds."""
    sky_colour: np.ndarray | torch.Tensor
    """Brightness of the light from the sky."""
    zenith: np.ndarray | torch.Tensor
    """Colour of the sky above."""
    horizon: np.ndarray | torch.Tensor
    """Colour of the sky at the horizon, and of the haze."""
    clouds: float | torch.Tensor
    """Share of the sky under clouds."""
    visibility: float | torch.Tensor
    """Metres after which haze hides two thirds."""
    exposure: float | torch.Tensor
    """Factor before the film's curve."""

    def at(self, views: torch.Tensor) -> "Light":
        """The light at points of these views (N,); left as it is, to be broadcast, where there is but one."""
        if self.sun.shape[1] == 1:
            return self
        return Light(*(getattr(self, field.name).index_select(-1, views) for field in fields(self)))


def random_light(rng: np.random.Generator) -> Light:
    """Clear, hazy or overcast; morning to evening."""
    overcast = rng.random() < 0.35
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(18, 65))
    flat = np.cos(elevation)
    warm = rng.uniform(0.0, 0.5) * (1.1 - np.sin(elevation))
    strength = rng.uniform(0.05, 0.3) if overcast else rng.uniform(1.0, 1.9)
    grey, blue = rng.uniform(0.45, 0.9), rng.uniform(0.06, 0.26)
    zenith = (grey, grey, grey * 1.03) if overcast else (blue, blue * 1.7, blue * 2.6)
    horizon = np.array([0.74, 0.82, 0.92]) * rng.uniform(0.7, 1.05) * (1 + warm * np.array([0.3, 0, -0.4]))
    ambient = rng.uniform(0.5, 0.8) if overcast else rng.uniform(0.24, 0.42)
    return Light(
        sun=np.array([flat * np.sin(azimuth), -np.sin(elevation), flat * np.cos(azimuth)]),
        sun_colour=strength * np.array([1.0, 0.95 - 0.25 * warm, 0.88 - 0.6 * warm]),
        sky_colour=ambient * np.array([0.92, 0.98, 1.08]),
        zenith=np.array(zenith),
        horizon=horizon,
        clouds=rng.uniform(0.6, 1.0) if overcast else rng.uniform(0.0, 0.65),
        visibility=float(np.exp(rng.uniform(*np.log([70, 200] if rng.random() < 0.15 else [200, 2500])))),
        exposure=rng.uniform(0.8, 1.7),
    )


def stacked(lights: list[Light]) -> Light:
    """The light of V views from that of each."""
    tables = (np.array([getattr(light, field.name) for light in lights], np.float32) for field in fields(Light))
    return Light(*(torch.from_numpy(np.ascontiguousarray(table.T)) for table in tables))


@dataclass(frozen=True)
class Maps:
    """Pictures of the still part of a scene from the sun and from above, one of each per view of the scene."""

    sun: View
    above: View
    sun_keys: torch.Tensor
    """(V * H * W,) keys of the still scene seen from the sun."""
    above_keys: torch.Tensor
    """(V * H * W,) the same from above."""
    ground: torch.Tensor
    """(V, H, W) float32 distance of the ground alone below the camera above."""


def light_maps(sun: torch.Tensor, still: Shapes, ground: Shapes, points: torch.Tensor, texel: torch.Tensor) -> Maps:
    """Maps of the `still` shapes and of the `ground` alone, made on the CPU.

    `sun` (V, 3) points to it; `points` (V, n, 3) lie around what the maps cover, the last ahead of the first; `texel`
    (V,) is their resolution in metres.
    """
    along = points[:, -1] - points[:, 0]
    upwards = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64).expand_as(along)
    above = _aimed(upwards, points, along * torch.tensor([1.0, 0.0, 1.0]), 2 * texel)
    sun_view = _aimed(sun, points, along, texel)
    floor = _distance(nearest(above, cast(above, ground)), above)
    return Maps(sun_view, above, nearest(sun_view, cast(sun_view, still)), nearest(above, cast(above, still)), floor)


def _aimed(back: torch.Tensor, points: torch.Tensor, along: torch.Tensor, texel: torch.Tensor) -> View:
    """Cameras far away in the directions `back` (V, 3), their columns along `along`, that cover `points`."""
    forward = -back / back.norm(dim=-1, keepdim=True)
    across = torch.linalg.cross(forward, along)
    across = across / across.norm(dim=-1, keepdim=True)
    turn = torch.stack([torch.linalg.cross(across, forward), across, forward], 1)
    flat = points @ turn.mT
    low, high = flat.amin(1), flat.amax(1)
    middle = (low + high) / 2
    pose = torch.eye(4, dtype=torch.float64).repeat(len(turn), 1, 1)
    pose[:, :3, :3] = turn
    pose[:, :3, 3] = torch.tensor([0.0, 0.0, _FAR]) - middle
    width, height = ((high - low)[:, :2] / texel[:, None]).ceil().long().amax(0).clamp(min=2, max=2048).tolist()
    focal = (_FAR / texel)[:, None].repeat(1, 2)
    centre = torch.tensor([[width / 2, height / 2]], dtype=torch.float64).expand_as(focal)
    return View(pose, focal, centre, height, width)


def shadows(maps: Maps, sun_keys: torch.Tensor, above_keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The sun's distance maps (V * H * W,), and from above (2, V * H * W) the height of what stands around, the ground.

    The keys are those of `maps`, or the nearer ones of moving things.
    """
    sun, above = _distance(sun_keys, maps.sun), _distance(above_keys, maps.above)
    height = (maps.ground - above).clamp(0, _TALLEST)
    shade = F.avg_pool2d(height, 5, 1, 2, count_include_pad=False)
    return sun.view(-1), torch.stack([shade.view(-1), maps.ground.reshape(-1)])


def _distance(keys: torch.Tensor, view: View) -> torch.Tensor:
    depth, _ = split(keys)
    return torch.where(keys == EMPTY, 2 * _FAR, depth).view(-1, view.height, view.width)


def sunlit(maps: Maps, sun: torch.Tensor, points: torch.Tensor, views: torch.Tensor) -> torch.Tensor:
    """Share (N,) of each of `points` (3, N) that the sun reaches: four texels compared, then blended."""
    texels, depth = _texels(maps.sun, points, views)
    depth -= 0.12
    return sum(share * (sun[step:].index_select(0, first) > depth) for step, first, share in texels)


def openness(maps: Maps, shade: torch.Tensor, points: torch.Tensor, views: torch.Tensor) -> torch.Tensor:
    """Share (N,) of the sky's light that reaches each of `points` (3, N), less near and under what is higher."""
    texels, depth = _texels(maps.above, points, views)
    around, floor = sum(share * shade[:, step:].index_select(1, first) for step, first, share in texels)
    return 1 / (1 + 0.55 * (around - (floor - depth).clamp(0, _TALLEST)).clamp(min=0))


def _texels(view: View, points: torch.Tensor, views: torch.Tensor):
    """The four texels around each of the world's `points` (3, N) in the map of its view, and the points' depth (N,).

    A texel is a number added to the index (N,) of the first, that index, and its bilinear share (N,). Outside the map
    they are those at its border.
    """
    if len(view.focal) == 1:
        pose = view.world_to_camera[0].float()
        x, y, depth = pose[:3, :3] @ points + pose[:3, 3:]
    else:
        pose = of_each(view.world_to_camera[:, :3].float(), views)
        x, y, depth = ((row[:3] * points).sum(0) + row[3] for row in pose)
    focal, centre = of_each(view.focal.float(), views), of_each(view.centre.float(), views)
    right = (x / depth * focal[0] + centre[0]).clamp_(0, view.width - 1.001)
    below = (y / depth * focal[1] + centre[1]).clamp_(0, view.height - 1.001)
    column, row = right.floor(), below.floor()
    size = view.height * view.width
    starts = torch.arange(0, len(view.focal) * size, size, dtype=torch.int32, device=row.device)
    first = (row * view.width + column).int() + of_each(starts, views)
    left, over = 1 - right.sub_(column), 1 - below.sub_(row)
    shares = (left * over, right * over, left * below, right * below)
    steps = (0, 1, view.width, view.width + 1)
    return [(step, first, share) for step, share in zip(steps, shares, strict=True)], depth
