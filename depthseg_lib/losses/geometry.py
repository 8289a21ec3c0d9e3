"""Camera geometry: axis-angle motions, back-projection, projection and warping (paper, equations 2 and 3).

Pixel centres lie at whole numbers, x to the right, y down, z forward; everything here is float32.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


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


def back_project(depth: Tensor, intrinsics: Tensor) -> Tensor:
    """Points of the camera's frame, B 3 HW metres, for depth B 1 H W and intrinsics B 3 3 in pixels."""
    rays = torch.linalg.inv(intrinsics) @ pixel_grid(*depth.shape[-2:], device=depth.device)
    return rays * depth.flatten(2)


def project(points: Tensor, intrinsics: Tensor, transform: Tensor, height: int, width: int) -> Tensor:
    """Pixel positions B H W 2 of points (B 3 HW) after a rigid motion (B 4 4)."""
    camera = intrinsics @ (transform[:, :3, :3] @ points + transform[:, :3, 3:])
    # a point at or behind the camera has no projection: keep the division finite, it falls outside the image
    pixels = camera[:, :2] / camera[:, 2:].clamp(min=1e-4)
    return pixels.view(-1, 2, height, width).permute(0, 2, 3, 1)


def sample(image: Tensor, pixels: Tensor) -> Tensor:
    """Read an image (B C H W) at pixel positions (B H W 2), bilinear, the border repeated outside."""
    height, width = image.shape[-2:]
    scale = torch.tensor([2.0 / (width - 1), 2.0 / (height - 1)], device=image.device)
    return F.grid_sample(image, pixels * scale - 1.0, mode="bilinear", padding_mode="border", align_corners=True)


def warp(source: Tensor, depth: Tensor, intrinsics: Tensor, transform: Tensor) -> Tensor:
    """The target view made from a source image (equations 2, 3).

    `source` is B C H W, `depth` B 1 H W of the target in metres, `transform` B 4 4 takes points of the target's
    camera to the source's.
    """
    height, width = depth.shape[-2:]
    return sample(source, project(back_project(depth, intrinsics), intrinsics, transform, height, width))


def warp_by_flow(source: Tensor, flow: Tensor) -> Tensor:
    """The first view made from the second (equation 18): `source` B C H W, read where `flow` (B 2 H W pixels) leads."""
    height, width = flow.shape[-2:]
    pixels = pixel_grid(height, width, flow.device)[:2].view(1, 2, height, width) + flow
    return sample(source, pixels.permute(0, 2, 3, 1))
