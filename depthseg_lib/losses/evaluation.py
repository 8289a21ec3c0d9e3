"""Measures of predictions, on any device: confusion matrices, depth errors (Eigen et al. 2014), flow errors."""

import numpy as np
import torch
from torch import Tensor

from depthseg_lib.data.labels import VOID


def confusion_matrix(prediction: Tensor, truth: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Count pixels by truth and prediction, one matrix per image: B H W, B H W -> B C C int64 [truth, prediction].

    Pixels whose truth is void are not in it, so they leave no false positive (the official KITTI and Cityscapes rule);
    what was predicted on them is counted apart, B C, for the metric that does. Predictions must lie in 0..classes - 1.
    """
    batch, rows = truth.shape[0], classes + 1  # void has a row of its own
    row = torch.where(truth == VOID, classes, truth.long())
    image = torch.arange(batch, device=truth.device).view(-1, 1, 1)
    cell = ((image * rows + row) * classes + prediction).flatten()
    counts = torch.bincount(cell, minlength=batch * rows * classes).view(batch, rows, classes)
    return counts[:, :classes], counts[:, classes]


def depth_errors(
    prediction: Tensor, truth: Tensor, minimum: float = 0.1, maximum: float = 80.0, scaled: bool = True
) -> dict[str, float]:
    """Abs-rel, RMSE (metres) and a1 (share within a factor of 1.25), each a mean over images, B H W metres.

    The scale of monocular depth is free, so each image's prediction is first scaled by the ratio of medians over the
    pixels whose truth lies within `minimum`..`maximum` metres; it is then clamped to that range. Images without such
    a pixel are left out; if all are, the errors are NaN. Metric depth is compared as it is when not `scaled`.
    """
    rows = []
    for p, t in zip(prediction, truth, strict=True):
        p, t = p.double(), t.double()
        valid = (t > minimum) & (t < maximum)
        if valid.any():
            p = (median_scaled(p, t, minimum, maximum) if scaled else p)[valid].clamp(minimum, maximum)
            t = t[valid]
            ratio = torch.maximum(p / t, t / p)
            errors = ((p - t).abs() / t).mean(), (p - t).square().mean().sqrt(), (ratio < 1.25).double().mean()
            rows.append([error.item() for error in errors])
    mean = np.mean(rows, axis=0) if rows else np.full(3, np.nan)
    return dict(zip(("abs_rel", "rmse", "a1"), mean.tolist(), strict=True))


def median_scaled(prediction: Tensor, truth: Tensor, minimum: float = 0.1, maximum: float = 80.0) -> Tensor:
    """Scale one image's predicted depth (H W) so that its median matches the truth's over valid pixels.

    The median of an even count is the mean of the middle two, as NumPy's and Monodepth2's evaluation have it.
    """
    valid = (truth > minimum) & (truth < maximum)
    if not valid.any():
        return prediction
    medians = [np.median(depth[valid].detach().cpu().numpy()) for depth in (truth, prediction)]
    return prediction * float(medians[0] / medians[1])


def end_point_error(flow: Tensor, truth: Tensor, valid: Tensor) -> float:
    """Mean distance in pixels between two flows (N 2 H W) over the pixels of `valid` (N H W bool); NaN without any."""
    distance = (flow.double() - truth.double()).norm(dim=1)
    return distance[valid].mean().item()


def stays_inside(flow: Tensor) -> Tensor:
    """Whether each pixel's flow (N 2 H W) ends within the next image, N H W bool: what leaves it, nothing can find."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[:, 0]
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
