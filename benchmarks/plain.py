"""The depth step as it was before anything of it was made fast: the same loss, left to autograd operation by operation.

What the benchmarks compare with. Not part of the library.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from depthseg_lib.data.batches import Triplet
from depthseg_lib.losses.geometry import disparity_to_depth, pixel_grid, sample
from depthseg_lib.losses.losses import smoothness
from depthseg_lib.models.decoder import Decoder, decoder_widths
from depthseg_lib.training.depth import SMOOTHNESS_WEIGHT, DepthTraining


class PlainDepthTraining(DepthTraining):
    """Monodepth2's loss (equations 13 to 15), a warp and an error for each scale and each source."""

    def __init__(self, encoder: str):
        super().__init__(encoder)
        self.depth.decoder = PlainDecoder(self.depth.encoder.channels, decoder_widths(encoder))

    def loss(self, triplet: Triplet) -> tuple[Tensor, dict[str, Tensor]]:
        disparities, transforms = self.depth(triplet.jittered[:, 1]), self.pose.transforms(triplet.jittered)
        previous, target, following = triplet.frames.unbind(1)
        losses, kept = [], []
        with torch.autocast(triplet.frames.device.type, enabled=False):
            motions = [transform.float() for transform in transforms]
            error = PlainPhotometric(target)
            identity = torch.cat([error(source) for source in (previous, following)], dim=1)
            identity = identity + 1e-5 * torch.randn_like(identity)
            for scale, disparity in enumerate(d.float() for d in disparities):
                full = F.interpolate(disparity, size=target.shape[-2:], mode="bilinear", align_corners=False)
                depth = disparity_to_depth(full)
                sources = zip((previous, following), motions, strict=True)
                views = [plain_warp(source, depth, triplet.intrinsics, motion) for source, motion in sources]
                warped = torch.cat([error(view) for view in views], dim=1).min(1).values
                least = torch.minimum(warped, identity.min(1).values)
                image = F.interpolate(target, size=disparity.shape[-2:], mode="area")
                losses.append(least.mean() + SMOOTHNESS_WEIGHT / 2**scale * smoothness(disparity, image))
                kept.append((warped <= least).float().mean())
        translation = torch.stack([t[:, :3, 3].norm(dim=1).mean() for t in transforms]).mean()
        return torch.stack(losses).mean(), {"kept": torch.stack(kept).mean(), "translation": translation}


class PlainDecoder(Decoder):
    """Monodepth2's decoder, its maps up-sampled, joined, padded and convolved one after the other."""

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        x, maps = features[-1], []
        for level in reversed(range(5)):
            x = F.interpolate(F.elu(self.reduce[level](x), inplace=True), scale_factor=2, mode="nearest")
            if level:
                x = torch.cat([x, features[level - 1]], dim=1)
            x = F.elu(self.merge[level](x), inplace=True)
            maps.insert(0, x)
        return maps


class PlainPhotometric:
    """0.85 (1 - SSIM) / 2 + 0.15 L1 against one target, B 3 H W -> B 1 H W (equation 14)."""

    def __init__(self, target: Tensor):
        self.target = target
        self.mean = window_mean(target)
        self.variance = window_mean(target * target) - self.mean.square()

    def __call__(self, image: Tensor) -> Tensor:
        mean = window_mean(image)
        variance = window_mean(image * image) - mean.square()
        product = mean * self.mean
        covariance = window_mean(image * self.target) - product
        above = (2 * product + 0.01**2) * (2 * covariance + 0.03**2)
        below = (mean.square() + self.mean.square() + 0.01**2) * (variance + self.variance + 0.03**2)
        structure = ((1 - above / below) / 2).clamp(0, 1).mean(1, keepdim=True)
        return 0.85 * structure + 0.15 * (image - self.target).abs().mean(1, keepdim=True)


def window_mean(image: Tensor) -> Tensor:
    """The mean over 3x3 windows with reflected borders, by shifted sums."""
    padded = F.pad(image, (1, 1, 1, 1), mode="reflect")
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    return (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / 9


def plain_warp(source: Tensor, depth: Tensor, intrinsics: Tensor, transform: Tensor) -> Tensor:
    """The target view made from a source image B C H W and the target's depth B 1 H W (equations 2, 3)."""
    height, width = depth.shape[-2:]
    points = torch.linalg.inv(intrinsics) @ pixel_grid(height, width, depth.device) * depth.flatten(2)
    camera = intrinsics @ (transform[:, :3, :3] @ points + transform[:, :3, 3:])
    pixels = camera[:, :2] / camera[:, 2:].clamp(min=1e-4)
    return sample(source, pixels.view(-1, 2, height, width).permute(0, 2, 3, 1))
