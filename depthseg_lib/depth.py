"""Depth and motion from unlabelled video: Monodepth2's training loss and its evaluation (paper, section 4.1)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthseg_lib import metrics
from depthseg_lib.config import PretrainConfig
from depthseg_lib.data.batches import Triplet, images_to_float, triplet_batch
from depthseg_lib.data.sets import Video
from depthseg_lib.errors import InputError
from depthseg_lib.geometry import disparity_to_depth, warp
from depthseg_lib.losses import Photometric, minimum_reprojection, smoothness
from depthseg_lib.models.networks import DepthNetwork, PoseNetwork

SMOOTHNESS_WEIGHT = 1e-3


class DepthTraining(nn.Module):
    """Depth and pose network with Monodepth2's loss (equations 13 to 15): a `Triplet` -> scalar."""

    def __init__(self, encoder: str):
        super().__init__()
        self.depth = DepthNetwork(encoder)
        self.pose = PoseNetwork(encoder)

    def forward(self, triplet: Triplet) -> Tensor:
        return self.loss(triplet)[0]

    def loss(self, triplet: Triplet) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and what tells whether training works: share of pixels kept by the auto-mask, mean translation."""
        disparities = self.depth(triplet.jittered[:, 1])
        transforms = self.pose.transforms(triplet.jittered)
        # half precision breaks warps and SSIM: from here on float32, whatever the networks ran in
        with torch.autocast(triplet.frames.device.type, enabled=False):
            disparities = [d.float() for d in disparities]
            total, kept = self._multi_scale(disparities, [t.float() for t in transforms], triplet)
        translation = torch.stack([t[:, :3, 3].norm(dim=1).mean() for t in transforms]).mean()
        return total, {"kept": kept, "translation": translation}

    def _multi_scale(self, disparities, transforms, triplet: Triplet) -> tuple[Tensor, Tensor]:
        previous, target, following = triplet.frames.unbind(1)
        error = Photometric(target)
        identity = torch.cat([error(source) for source in (previous, following)], dim=1)
        identity = identity + 1e-5 * torch.randn_like(identity)  # breaks ties where nothing moves
        losses, kept = [], []
        for scale, disparity in enumerate(disparities):
            full = F.interpolate(disparity, size=target.shape[-2:], mode="bilinear", align_corners=False)
            depth = disparity_to_depth(full)
            views = [
                warp(s, depth, triplet.intrinsics, t) for s, t in zip((previous, following), transforms, strict=True)
            ]
            warped = torch.cat([error(view) for view in views], dim=1)
            reprojection, share = minimum_reprojection(warped, identity)
            image = F.interpolate(target, size=disparity.shape[-2:], mode="area")
            losses.append(reprojection + SMOOTHNESS_WEIGHT / 2**scale * smoothness(disparity, image))
            kept.append(share)
        return torch.stack(losses).mean(), torch.stack(kept).mean()


class DepthTask:
    """Depth from the training sequences of a video, evaluated on frames of sequences held out of training."""

    def __init__(self, config: PretrainConfig, video: Video, device):
        self.config, self.video, self.device = config, video, device
        self.module = DepthTraining(config.encoder).to(device, memory_format=torch.channels_last)
        triplets = video.triplets(config.frame_step)
        held_out = np.isin(video.sequence[triplets[:, 1]], held_out_sequences(video))
        self.triplets, self.count = triplets[~held_out], int((~held_out).sum())
        self.held_out = _spread(_with_truth(video, triplets[held_out]), config.evaluated)

    def batch(self, indices: Tensor) -> Triplet:
        return triplet_batch(self.video, self.triplets, indices, torch.default_generator, self.device)

    def evaluate(self) -> dict[str, float]:
        errors = self.errors(self.predict(self.held_out[:, 1]))
        return {**errors, **self._diagnostics(), "evaluated": len(self.held_out)}

    def _diagnostics(self) -> dict[str, float]:
        few = _spread(self.held_out, self.config.batch)
        triplet = triplet_batch(
            self.video, few, torch.arange(len(few)), torch.default_generator, self.device, jitter=False, flip=False
        )
        loss, found = self.module.loss(triplet)
        return {"loss": loss.item(), **{name: value.item() for name, value in found.items()}}

    def predict(self, frames: np.ndarray) -> Tensor:
        """Predicted depth (N H W, metres up to scale) of video frames."""
        batches = np.array_split(frames, max(1, len(frames) // self.config.batch))
        images = (images_to_float(torch.from_numpy(self.video.images[b]).to(self.device)) for b in batches)
        return torch.cat([disparity_to_depth(self.module.depth(batch)[0]).float()[:, 0].cpu() for batch in images])

    def errors(self, prediction: Tensor) -> dict[str, float]:
        """Abs-rel, RMSE and a1 of a prediction (N H W) for the held-out frames; nothing where there is no truth."""
        if self.video.depth is None:
            return {}
        truth = torch.from_numpy(self.video.depth[self.held_out[:, 1]].astype(np.float32))
        return metrics.depth_errors(prediction, truth)

    def baselines(self) -> dict[str, float]:
        """The errors of the mean depth map of the training frames, and of an untrained network."""
        if self.video.depth is None:
            return {}
        mean_map = mean_depth(self.video.depth[_spread(_with_truth(self.video, self.triplets), 500)[:, 1]])
        constant = self.errors(mean_map.expand(len(self.held_out), -1, -1))
        trained = self.module.depth
        torch.manual_seed(self.config.seed)
        self.module.depth = DepthNetwork(self.config.encoder).to(self.device).eval()
        untrained = self.errors(self.predict(self.held_out[:, 1]))
        self.module.depth = trained
        return {f"{name}_mean_map": v for name, v in constant.items()} | {
            f"{name}_untrained": v for name, v in untrained.items()
        }


def held_out_sequences(video: Video) -> np.ndarray:
    """The sequences kept for evaluation: the last tenth, one at least; of a single sequence, none can be."""
    sequences = np.unique(video.sequence)
    if len(sequences) < 2:
        raise InputError("depth pre-training needs two video sequences at least, one of them for evaluation; found one")
    return sequences[-max(1, len(sequences) // 10) :]


def mean_depth(depth: np.ndarray) -> Tensor:
    """The mean over frames of known depth: N H W metres (0 unknown) -> H W, the overall mean where none is known."""
    depth = torch.from_numpy(depth.astype(np.float32))
    known = (depth > 0).sum(0)
    return torch.where(known > 0, depth.sum(0) / known.clamp(min=1), depth.sum() / known.sum().clamp(min=1))


def _with_truth(video: Video, triplets: np.ndarray) -> np.ndarray:
    """The triplets whose target has true depth somewhere, or all where none has: laser scans are rare."""
    if video.depth is None:
        return triplets
    known = np.array([bool((video.depth[target] > 0).any()) for target in triplets[:, 1]])
    return triplets[known] if known.any() else triplets


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    """`count` rows evenly over all of them, or all."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]
