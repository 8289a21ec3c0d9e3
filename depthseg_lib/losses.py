"""Losses: photometric with minimum reprojection and auto-masking, smoothness, segmentation NLL (section 4, App. A)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from depthseg_lib.data.labels import VOID


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity over 3x3 windows with reflected borders, B C H W in 0..1 -> B C H W, at most 1."""
    mean_first, mean_second = _window_mean(first), _window_mean(second)
    variance_first = _window_mean(first * first) - mean_first * mean_first
    variance_second = _window_mean(second * second) - mean_second * mean_second
    covariance = _window_mean(first * second) - mean_first * mean_second
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mean_first * mean_second + c1) * (2 * covariance + c2)
    below = (mean_first.square() + mean_second.square() + c1) * (variance_first + variance_second + c2)
    return above / below


def photometric(prediction: Tensor, target: Tensor) -> Tensor:
    """Per-pixel error 0.85 (1 - SSIM) / 2 + 0.15 L1, mean over channels: B 3 H W, B 3 H W -> B 1 H W (equation 14)."""
    structure = ((1 - ssim(prediction, target)) / 2).clamp(0, 1).mean(1, keepdim=True)
    colour = (prediction - target).abs().mean(1, keepdim=True)
    return 0.85 * structure + 0.15 * colour


def minimum_reprojection(warped: Tensor, identity: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of the least error per pixel, and the share of pixels where a warped source explains it best.

    `warped` and `identity` are B S H W, the photometric errors of S warped and unwarped sources. Pixels that an
    unwarped source explains better (static camera, objects moving along) are masked by giving no gradient to depth.
    The caller adds the tie-breaking noise to `identity`.
    """
    least_warped = warped.min(1).values
    least = torch.minimum(least_warped, identity.min(1).values)
    return least.mean(), (least_warped <= least).float().mean()


def smoothness(disparity: Tensor, image: Tensor) -> Tensor:
    """Edge-aware first-order smoothness of the mean-normalised disparity, B 1 H W and B 3 H W (equation 15)."""
    normalised = disparity / (disparity.mean((2, 3), keepdim=True) + 1e-7)
    total = disparity.new_zeros(())
    for axis in (2, 3):
        edges = image.diff(dim=axis).abs().mean(1, keepdim=True)
        total = total + (normalised.diff(dim=axis).abs() * torch.exp(-edges)).mean()
    return total


def segmentation_nll(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean negative log-likelihood over labelled pixels, B C H W and B H W (equation 17); 0 when all are void."""
    total = F.cross_entropy(logits.float(), labels, ignore_index=VOID, reduction="sum")
    return total / (labels != VOID).sum().clamp(min=1)


def _window_mean(image: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="reflect"), kernel_size=3, stride=1)
