"""A frame of a street: colour, and per pixel exact depth, label, flow and motion."""

from dataclasses import dataclass

import torch

from depthseg_lib.data.world.picture import pictures
from depthseg_lib.data.world.street import Street
from depthseg_lib.world.raycast import EMPTY, split

SKY = 23


@dataclass(frozen=True)
class Frame:
    """One frame; everything but the image is that of the ray through the pixel's centre."""

    image: torch.Tensor
    """(3, H, W) uint8, RGB, antialiased."""
    depth: torch.Tensor
    """(H, W) float32 metres along the optical axis, 0 in the sky."""
    labels: torch.Tensor
    """(H, W) uint8 KITTI label ids."""
    things: torch.Tensor
    """(H, W) int32, the number of the object; 0 in the sky."""
    flow: torch.Tensor
    """(2, H, W) float32 pixels to the next frame, along x and y, whether or not the point is visible there."""
    moving: torch.Tensor
    """(H, W) bool, whether the point moves by itself until the next frame."""
    pose: torch.Tensor
    """(4, 4) float32 camera-to-world, metres."""
    intrinsics: torch.Tensor
    """(3, 3) float32 in pixels, pixel centres at whole numbers."""


def intrinsics(height: int, width: int) -> torch.Tensor:
    """(3, 3) float64, square pixels, KITTI's field of view: fx = 0.58 W, which is fy = 1.93 H where W : H is 10 : 3."""
    focal = 0.58 * width
    rows = [[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]]
    return torch.tensor(rows, dtype=torch.float64)


def render(street: Street, time: int, height: int, width: int) -> Frame:
    """The frame at `time`, in 0 .. T - 1, of `height` x `width` pixels.

    Rays pass through pixel centres and, for colour, also half-way between them; a tent filter over 3 x 3 of them makes
    the image.
    """
    matrix = intrinsics(height, width)
    images, keys = pictures(street, time, height, width, matrix[None])
    return _frame(street, time, images[0], keys[0, 1::2, 1::2], matrix)


def _frame(street: Street, time: int, image: torch.Tensor, keys: torch.Tensor, matrix: torch.Tensor) -> Frame:
    scene = street.scene
    seen = keys != EMPTY
    depth, primitive = split(keys)
    primitive = torch.where(seen, primitive, 0)
    flow, moving = _flow(street, time, torch.where(seen, depth, 0.0), scene.body[primitive] * seen, matrix)
    return Frame(
        image=image,
        depth=torch.where(seen, depth, 0.0),
        labels=torch.where(seen, scene.label[primitive], SKY).to(torch.uint8),
        things=torch.where(seen, scene.thing[primitive], 0).int(),
        flow=flow,
        moving=moving,
        pose=street.poses[time, 0].float(),
        intrinsics=matrix.float().to(depth.device),
    )


def _flow(street: Street, time: int, depth: torch.Tensor, body: torch.Tensor, matrix: torch.Tensor):
    """Flow (2, H, W) to the next frame and the mask of what moves by itself; the sky is infinitely far."""
    height, width = depth.shape
    y, x = torch.meshgrid(*(torch.arange(n, device=depth.device).double() for n in (height, width)), indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], -1)
    matrix = matrix.to(depth.device)
    rays = pixels @ torch.linalg.inv(matrix).T
    pose, following = street.poses[time, 0], torch.linalg.inv(street.poses[time + 1, 0])
    known = depth > 0
    points = torch.cat([rays * torch.where(known, depth, 1.0).double()[..., None], known[..., None].double()], -1)
    world = points @ pose.T
    step = (street.scene.bodies[time + 1] @ torch.linalg.inv(street.scene.bodies[time]))[body]
    moved = (step @ world[..., None])[..., 0]
    ahead = (moved @ following.T)[..., :3]
    projected = (ahead @ matrix.T)[..., :2] / ahead[..., 2:].clamp(min=1e-3)
    return (projected - pixels[..., :2]).permute(2, 0, 1).float(), (moved - world).norm(dim=-1) > 1e-3
