"""Losses beside the photometric one: smoothness, masked L1, segmentation NLL (section 4, Appendices A, B)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from depthseg_lib.data.labels import VOID


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
