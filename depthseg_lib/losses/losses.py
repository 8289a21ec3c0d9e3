"""Losses: photometric, minimum reprojection, smoothness, masked L1, segmentation NLL (section 4, Appendices A, B)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from depthseg_lib.data.labels import VOID

FLOW_COLOUR = 0.15
"""Weight of the colour term for flow, the paper's (equation 18)."""
FLOW_STRUCTURE = 0.15
"""Weight of 1 - SSIM for flow: the paper's text; its released code has 0.85."""
FLOW_SMOOTHNESS = 5.0
"""Weight of the flow's smoothness: the paper's text (equation 19); its released code has 2."""


class Photometric:
    """Photometric error against one target, whose statistics are computed once for all that is compared with it.

    `Photometric(target)(prediction)`: per-pixel 0.85 (1 - SSIM) / 2 + 0.15 L1, mean over channels, for images
    B 3 H W in 0..1 -> B 1 H W (equation 14 with Monodepth2's weights).
    """

    def __init__(self, target: Tensor):
        self.target = target
        self.mean = _window_mean(target)
        self.variance = _window_mean(target * target) - self.mean.square()

    def __call__(self, prediction: Tensor) -> Tensor:
        structure = ((1 - self.ssim(prediction)) / 2).clamp(0, 1).mean(1, keepdim=True)
        colour = (prediction - self.target).abs().mean(1, keepdim=True)
        return 0.85 * structure + 0.15 * colour

    def ssim(self, prediction: Tensor) -> Tensor:
        """Structural similarity over 3x3 windows with reflected borders, B C H W -> B C H W, at most 1."""
        mean = _window_mean(prediction)
        variance = _window_mean(prediction * prediction) - mean.square()
        product = mean * self.mean
        covariance = _window_mean(prediction * self.target) - product
        c1, c2 = 0.01**2, 0.03**2
        above = (2 * product + c1) * (2 * covariance + c2)
        return above / ((mean.square() + self.mean.square() + c1) * (variance + self.variance + c2))


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
    return edge_aware(disparity / (disparity.mean((2, 3), keepdim=True) + 1e-7), image)


def edge_aware(field: Tensor, image: Tensor) -> Tensor:
    """Edge-aware first-order smoothness of a field B C H W beside its image B 3 H W (equations 15 and 19).

    Mean over pixels, sum over the field's components: |d field| exp(-|d image|) along x and y, |d image| a mean over
    colours.
    """
    total = field.new_zeros(())
    for axis in (2, 3):
        edges = image.diff(dim=axis).abs().mean(1, keepdim=True)
        total = total + (field.diff(dim=axis).abs() * torch.exp(-edges)).sum(1).mean()
    return total


def flow_photometric(error: Photometric, view: Tensor) -> Tensor:
    """Mean over pixels of the flow's colour and structure terms (equation 18) for a view B 3 H W of `error`'s target.

    Both are means over colours; 1 - SSIM is not halved here.
    """
    colour = (view - error.target).abs().mean()
    return FLOW_COLOUR * colour + FLOW_STRUCTURE * (1 - error.ssim(view)).mean()


def masked_l1(prediction: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference over the pixels whose truth is above zero, any shape (equation 16); 0 without any.

    Equation 16 is the sum; the mean keeps a batch's loss free of how much of it was measured.
    """
    known = truth > 0
    return ((prediction - truth).abs() * known).sum() / known.sum().clamp(min=1)


def segmentation_nll(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean negative log-likelihood over labelled pixels, B C H W and B H W (equation 17); 0 when all are void."""
    pixels = logits.float().permute(0, 2, 3, 1).flatten(0, 2)  # a view, of channels-last logits
    total = F.cross_entropy(pixels, labels.flatten(), ignore_index=VOID, reduction="sum")
    return total / (labels != VOID).sum().clamp(min=1)


def _window_mean(image: Tensor) -> Tensor:
    # shifted sums along each axis: on the CPU three times as fast as avg_pool2d, forward and backward
    padded = F.pad(image, (1, 1, 1, 1), mode="reflect")
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    return (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / 9
