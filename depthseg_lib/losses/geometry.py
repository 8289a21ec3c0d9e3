"""Camera geometry: axis-angle motions, back-projection, projection and warping (paper, equations 2 and 3).

Pixel centres lie at whole numbers, x to the right, y down, z forward; everything here is float32.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

NEAREST = 1e-4
"""Metres in front of a camera at which a point is held that lies nearer to its plane, or behind it."""


def at_once(images: Tensor) -> int:
    """How many images of a batch to work on together: one on a CPU, for its cache, else all."""
    return 1 if images.device.type == "cpu" else len(images)


def rotation_matrix(axis_angle: Tensor) -> Tensor:
    """Rodrigues' formula: axis times angle in radians, B 3 -> B 3 3; smooth at the zero rotation."""
    # sin(t)/t and (1 - cos t)/t^2 through sinc: exact values and finite gradients at t = 0
    angle = (axis_angle.square().sum(-1) + 1e-14).sqrt()[:, None, None]
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).view(-1, 3, 3)
    first = torch.sinc(angle / torch.pi)
    second = 0.5 * torch.sinc(angle / (2 * torch.pi)).square()
    return torch.eye(3, device=skew.device, dtype=skew.dtype) + first * skew + second * (skew @ skew)


def transform_matrix(axis_angle: Tensor, translation: Tensor, invert: bool = False) -> Tensor:
    """The rigid motion P -> R P + T as B 4 4 (or its inverse), from B 3 and B 3."""
    rotation = rotation_matrix(axis_angle)
    if invert:
        rotation = rotation.transpose(1, 2)
        translation = -(rotation @ translation[:, :, None])[:, :, 0]
    last = torch.tensor([0.0, 0.0, 0.0, 1.0], device=rotation.device, dtype=rotation.dtype)
    top = torch.cat([rotation, translation[:, :, None]], dim=2)
    return torch.cat([top, last.expand(len(rotation), 1, 4)], dim=1)


def disparity_to_depth(sigmoid: Tensor, minimum: float = 0.1, maximum: float = 100.0) -> Tensor:
    """Depth from the network's sigmoid output: the inverse of a disparity between 1/maximum and 1/minimum."""
    return 1.0 / (1.0 / maximum + (1.0 / minimum - 1.0 / maximum) * sigmoid)


def depth_to_disparity(depth: Tensor, minimum: float = 0.1, maximum: float = 100.0) -> Tensor:
    """The network's sigmoid output for a depth: the inverse of `disparity_to_depth`."""
    return (1.0 / depth - 1.0 / maximum) / (1.0 / minimum - 1.0 / maximum)


def pixel_grid(height: int, width: int, device=None) -> Tensor:
    """Homogeneous pixel coordinates [x, y, 1], 3 HW."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x.flatten(), y.flatten(), torch.ones(height * width, device=device)])


def project(depth: Tensor, intrinsics: Tensor, transform: Tensor) -> Tensor:
    """Where the points seen in one camera's pixels lie in another's image: pixel positions B S H W 2.

    `depth` (B S H W, metres) holds S depths of each pixel, `intrinsics` (B 3 3, pixels) are those of both cameras,
    `transform` (B 4 4) takes points of the first camera to the second's (equations 2, 3): K (R K^-1 p d + T).
    """
    return _positions(depth, *_turn_and_shift(intrinsics, transform, intrinsics))[0].permute(0, 2, 3, 4, 1)


def sample(image: Tensor, pixels: Tensor) -> Tensor:
    """Read an image (B C H W) at pixel positions (B H W 2), bilinear, the border repeated outside."""
    height, width = image.shape[-2:]
    scale = torch.tensor([2.0 / (width - 1), 2.0 / (height - 1)], device=image.device)
    return _read(image, pixels * scale - 1.0)


def warp(source: Tensor, depth: Tensor, intrinsics: Tensor, transform: Tensor) -> tuple[Tensor, ...]:
    """The target views made from a source image (B C H W), one for each of S depths of the target (B S H W, metres).

    `intrinsics` and `transform` as in `project`; sampled as in `sample`. Gradients go to depth and transform.
    """
    height, width = depth.shape[-2:]
    rows = [[2.0 / (width - 1), 0.0, -1.0], [0.0, 2.0 / (height - 1), -1.0], [0.0, 0.0, 1.0]]
    onto = torch.tensor(rows, device=depth.device, dtype=depth.dtype) @ intrinsics  # to -1..1 over the image
    return _Warp.apply(source, depth, *_turn_and_shift(intrinsics, transform, onto)).unbind(2)


class _Warp(torch.autograd.Function):
    """Views B C S H W, image by image on a CPU, for its cache; positions are not kept but computed once more."""

    @staticmethod
    def forward(ctx, source: Tensor, depth: Tensor, turn: Tensor, shift: Tensor):
        ctx.save_for_backward(source, depth, turn, shift)
        parts = zip(*(of.split(at_once(depth)) for of in (source, depth, turn, shift)), strict=True)
        views = [_read(image, _grid(_positions(*rest)[0])) for image, *rest in parts]
        return torch.cat(views).unflatten(2, depth.shape[1:3])

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor):
        found = []
        pixels = pixel_grid(*upstream.shape[-2:], device=upstream.device).to(upstream.dtype)
        for of in zip(*(of.split(at_once(upstream)) for of in (*ctx.saved_tensors, upstream)), strict=True):
            image, depth, turn, shift, views = of
            places, rays, nearness = _positions(depth, turn, shift)
            how = (0, 1, True, (False, True))  # bilinear, border repeated, corners aligned, no gradient by the image
            by_grid = torch.ops.aten.grid_sampler_2d_backward(views.flatten(2, 3), image, _grid(places), *how)[1]
            by_point = depth.new_empty(len(depth), 3, *depth.shape[1:])
            across, down, away = by_point.unbind(1)
            for axis, part in enumerate((across, down)):
                torch.mul(by_grid[..., axis].view_as(depth), nearness[:, 0], out=part)
            # a position is x / z: by z it is minus itself over z, but for points behind the camera, whose z is held
            torch.mul(across, places[:, 0], out=away).addcmul_(down, places[:, 1]).neg_()
            away.mul_(nearness[:, 0] < 1 / NEAREST)
            by_depth = (across * rays[:, 0]).addcmul_(down, rays[:, 1]).addcmul_(away, rays[:, 2])
            by_turn = (by_point * depth[:, None]).sum(2).flatten(2) @ pixels.T
            found.append((by_depth, by_turn, by_point.flatten(2).sum(2, keepdim=True)))
        return None, *map(torch.cat, zip(*found, strict=True))


def _turn_and_shift(intrinsics: Tensor, transform: Tensor, onto: Tensor) -> tuple[Tensor, Tensor]:
    """What takes a pixel p at depth d to the other camera's image: turn p d + shift, B 3 3 and B 3 1."""
    return onto @ transform[:, :3, :3] @ torch.linalg.inv(intrinsics), onto @ transform[:, :3, 3:]


def _positions(depth: Tensor, turn: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Positions B 2 S H W of pixels at S depths, their rays B 3 1 H W, and 1 / z of their points B 1 S H W."""
    height, width = depth.shape[-2:]
    rays = (turn @ pixel_grid(height, width, depth.device).to(depth.dtype)).view(-1, 3, 1, height, width)
    points = torch.addcmul(shift[..., None, None], rays, depth[:, None])
    # a point at or behind the camera has no projection: keep the division finite, it falls outside the image
    nearness = points[:, 2:].clamp(min=NEAREST).reciprocal()
    return points[:, :2] * nearness, rays, nearness


def _grid(places: Tensor) -> Tensor:
    """Positions B 2 S H W as `grid_sample` takes them, the S maps one below the other."""
    return places.flatten(2, 3).permute(0, 2, 3, 1)


def _read(image: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)


def warp_by_flow(source: Tensor, flow: Tensor) -> Tensor:
    """The first view made from the second (equation 18): `source` B C H W, read where `flow` (B 2 H W pixels) leads."""
    height, width = flow.shape[-2:]
    pixels = pixel_grid(height, width, flow.device)[:2].view(1, 2, height, width) + flow
    return sample(source, pixels.permute(0, 2, 3, 1))
