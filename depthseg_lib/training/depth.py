"""Depth: from unlabelled video by Monodepth2's loss (paper, section 4.1), or from measured depth (section 4.3)."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthseg_lib.data.arrays import Video, split_triplets, spread, with_truth
from depthseg_lib.data.batches import Triplet, depth_batch, images_to_float, triplet_batch
from depthseg_lib.data.streets import DepthCamera
from depthseg_lib.errors import InputError
from depthseg_lib.losses import evaluation
from depthseg_lib.losses.geometry import depth_to_disparity, disparity_to_depth, warp
from depthseg_lib.losses.losses import masked_l1, smoothness
from depthseg_lib.losses.photometric import Photometric
from depthseg_lib.models.networks import DepthNetwork, PoseNetwork
from depthseg_lib.settings import PretrainConfig
from depthseg_lib.training.engine import tenth_from

SMOOTHNESS_WEIGHT = 1e-3
"""Of the disparity's smoothness beside the photometric error (equation 15), halved from scale to scale."""
FIRST_DEPTH = 5.0
"""Metres that the untrained supervised network answers with, about: the middle, on a logarithmic scale, of a camera's
range."""
CAMERA_SEED = 13
"""Seed of the camera's patches without an echo; the same in every run, as a data set's are."""


class DepthTraining(nn.Module):
    """Depth and pose network with Monodepth2's loss (equations 13 to 15): a `Triplet` -> scalar."""

    def __init__(self, encoder: str):
        super().__init__()
        self.depth = DepthNetwork(encoder)
        self.pose = PoseNetwork(encoder)

    def forward(self, triplet: Triplet) -> Tensor:
        return self.loss(triplet)[0]

    def loss(self, triplet: Triplet) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and what tells whether training works: share of pixels kept by the auto-mask, mean translation.

        The smoothness at a scale compares with the image averaged over areas; Monodepth2 shrinks it from scale to scale
        by Lanczos filtering.
        """
        disparities, transforms = self.depth(triplet.jittered[:, 1]), self.pose.transforms(triplet.jittered)
        previous, target, following = triplet.frames.unbind(1)
        image, size, losses, kept = target, target.shape[-2:], [], []
        # half precision breaks warps and SSIM: from here on float32, whatever the networks ran in
        with torch.autocast(triplet.frames.device.type, enabled=False):
            disparities = [disparity.float() for disparity in disparities]
            full = [F.interpolate(d, size=size, mode="bilinear", align_corners=False) for d in disparities]
            depth = disparity_to_depth(torch.cat(full, dim=1))
            sources = zip((previous, following), transforms, strict=True)
            views = [warp(source, depth, triplet.intrinsics, motion.float()) for source, motion in sources]
            error = Photometric(target)
            identity = None
            if triplet.masked:
                identity = torch.cat([error(source) for source in (previous, following)], dim=1)
                identity = identity + 1e-5 * torch.randn_like(identity)  # breaks ties where nothing moves
            for scale, (disparity, *warped) in enumerate(zip(disparities, *views, strict=True)):
                reprojection, share = error.least(warped, identity)
                losses.append(reprojection + SMOOTHNESS_WEIGHT / 2**scale * smoothness(disparity, image))
                kept.append(share)
                image = F.avg_pool2d(image, 2)
        translation = torch.stack([t[:, :3, 3].norm(dim=1).mean() for t in transforms]).mean()
        return torch.stack(losses).mean(), {"kept": torch.stack(kept).mean(), "translation": translation}


class DepthTask:
    """Depth from the training sequences of a video, evaluated on frames of sequences held out of training.

    The first `unmasked` iterations have no auto-mask, which Monodepth2 has from the beginning. While the motion is not
    known, the mask leaves out the very pixels that tell a wrong one, so that nothing leads back from it: of 23 short
    runs one never found the motion, and the others found it after about 70 steps in place of 20.
    """

    training = DepthTraining

    def __init__(self, config: PretrainConfig, video: Video, device):
        self.config, self.video, self.device = config, video, device
        # Monodepth2's step size falls after 15 epochs: of 30 from scratch, of 20 from ImageNet's weights
        self.decay = tenth_from(15 / 30 if config.starts_from == "none" else 15 / 20)
        self.module = self.training(config.encoder).to(device, memory_format=torch.channels_last)
        self.triplets, held_out = split_triplets(video, config.frame_step)
        self.count = len(self.triplets)
        self.held_out = spread(with_truth(video, held_out), config.evaluated)

    def batch(self, indices: Tensor, iteration: int) -> Triplet:
        triplet = triplet_batch(self.video, self.triplets, indices, torch.default_generator, self.device)
        return replace(triplet, masked=iteration >= self.config.unmasked)

    def evaluate(self) -> dict[str, float]:
        errors = self.errors(self.predict(self.held_out[:, 1]))
        return {**errors, **self._diagnostics(), "evaluated": len(self.held_out)}

    def _diagnostics(self) -> dict[str, float]:
        few = spread(self.held_out, self.config.batch)
        whole = (torch.arange(len(few)), torch.default_generator, self.device)
        triplet = triplet_batch(self.video, few, *whole, jitter=False, flip=False)
        loss, found = self.module.loss(triplet)
        return {"loss": loss.item(), **{name: value.item() for name, value in found.items()}}

    def predict(self, frames: np.ndarray, network: nn.Module | None = None) -> Tensor:
        """Depth (N H W, metres up to scale) of video frames, predicted by this task's network if not by another."""
        network = network or self.module.depth
        batches = np.array_split(frames, max(1, len(frames) // self.config.batch))
        images = (images_to_float(torch.from_numpy(self.video.images[b]).to(self.device)) for b in batches)
        return torch.cat([disparity_to_depth(network(batch)[0]).float()[:, 0].cpu() for batch in images])

    def errors(self, prediction: Tensor) -> dict[str, float]:
        """Abs-rel, RMSE and a1 of a prediction (N H W) for the held-out frames; nothing where there is no truth."""
        return {} if self.video.depth is None else evaluation.depth_errors(prediction, self.truth(self.held_out[:, 1]))

    def truth(self, frames: np.ndarray) -> Tensor:
        """True depth (N H W, metres, 0 where unknown) of video frames."""
        if self.video.depth is None:
            return torch.zeros(len(frames), *self.video.images.shape[-2:])
        return torch.from_numpy(self.video.depth[frames].astype(np.float32))

    def baselines(self) -> dict[str, float]:
        """The errors of the mean depth map of the training frames, and of an untrained network."""
        if self.video.depth is None:
            return {}
        mean_map = mean_depth(self.video.depth[spread(with_truth(self.video, self.triplets), 500)[:, 1]])
        torch.manual_seed(self.config.seed)
        untrained = DepthNetwork(self.config.encoder).to(self.device).eval()
        guesses = {
            "mean_map": mean_map.expand(len(self.held_out), -1, -1),
            "untrained": self.predict(self.held_out[:, 1], untrained),
        }
        return {f"{name}_{of}": v for of, guess in guesses.items() for name, v in self.errors(guess).items()}

    def examples(self, count: int = 4) -> dict[str, np.ndarray]:
        """Held-out images (K 3 H W), their true depth (K H W metres) and the predicted, with the truth's median."""
        frames = np.unique(spread(self.held_out, count)[:, 1])
        truth = self.truth(frames)
        scaled = [evaluation.median_scaled(p, t) for p, t in zip(self.predict(frames), truth, strict=True)]
        prediction = torch.stack(scaled).numpy()
        return {"images": self.video.images[frames], "truth": truth.numpy(), "prediction": prediction}

    def picture(self) -> list[tuple[str, np.ndarray]]:
        """A held-out image, its true depth where that is known, and the predicted, with the truth's median."""
        (image,), (truth,), (predicted,) = self.examples(1).values()
        known = [("true depth", truth)] if (truth > 0).any() else []
        return [("image", image.transpose(1, 2, 0)), *known, ("predicted depth", predicted)]

    def networks(self) -> dict[str, nn.Module]:
        """The networks to keep, by file name."""
        return {"weights": self.module.depth, "pose": self.module.pose}


def mean_depth(depth: np.ndarray) -> Tensor:
    """The mean over frames of known depth: N H W metres (0 unknown) -> H W, the overall mean where none is known."""
    depth = torch.from_numpy(depth.astype(np.float32))
    known = (depth > 0).sum(0)
    return torch.where(known > 0, depth.sum(0) / known.clamp(min=1), depth.sum() / known.sum().clamp(min=1))


class SupervisedTraining(nn.Module):
    """The depth network with the masked L1 (equation 16): images (B 3 H W), depth (B 1 H W metres) -> scalar.

    Equation 16 has one depth map, so the finest scale alone is trained; coarser ones help a photometric loss, whose
    gradient reaches a few pixels only, over larger motions. Depth is the inverse of the sigmoid disparity, as it is
    for depth from video.
    """

    def __init__(self, encoder: str):
        super().__init__()
        self.depth = DepthNetwork(encoder)
        # a sigmoid of 0.5 is 0.2 m, where metres hardly depend on it: start within the scene
        finest = self.depth.heads.heads[0]
        nn.init.constant_(finest.bias, torch.logit(depth_to_disparity(torch.tensor(FIRST_DEPTH))).item())

    def forward(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, measured = batch
        return masked_l1(disparity_to_depth(self.depth(images)[0].float()), measured)


class SupervisedTask(DepthTask):
    """The same frames as for depth from video, with the depth that a camera measures of them; evaluated alike.

    `camera` puts its range and holes into the exact depth of `video`; None where a real one has measured it.
    """

    training = SupervisedTraining

    def __init__(self, config: PretrainConfig, video: Video, camera: DepthCamera | None, device):
        super().__init__(config, video, device)
        self.decay = lambda progress: 1.0 if progress < 0.5 else 0.5  # 1e-4 for five epochs, 5e-5 for five (4.3)
        self.camera, self.triplets = camera, with_truth(video, self.triplets)
        self.count = len(self.triplets)
        if video.depth is None or not (video.depth[self.triplets[0, 1]] > 0).any():
            raise InputError("supervised depth needs a video with depth, but there is none in the frames to train on")

    def batch(self, indices: Tensor, iteration: int) -> tuple[Tensor, Tensor]:
        frames = self.triplets[indices.numpy(), 1]
        measured = measured_depth(self.video, self.camera, frames)
        return depth_batch(self.video.images[frames], measured, torch.default_generator, self.device)

    def errors(self, prediction: Tensor) -> dict[str, float]:
        """The errors after median scaling, as for depth from video, and those of metric depth as `*_unscaled`."""
        metric = evaluation.depth_errors(prediction, self.truth(self.held_out[:, 1]), scaled=False)
        return super().errors(prediction) | {f"{name}_unscaled": value for name, value in metric.items()}

    def _diagnostics(self) -> dict[str, float]:
        frames = spread(self.held_out, self.config.batch)[:, 1]
        measured = torch.from_numpy(measured_depth(self.video, self.camera, frames))
        return {"loss": masked_l1(self.predict(frames), measured).item()}

    def networks(self) -> dict[str, nn.Module]:
        return {"weights": self.module.depth}


def measured_depth(video: Video, camera: DepthCamera | None, frames: np.ndarray) -> np.ndarray:
    """The depth (N H W metres, 0 where there is none) of frames of a video on which a network is trained."""
    depth = video.depth[frames].astype(np.float32)
    return depth if camera is None else camera.measure(depth, frames, CAMERA_SEED)
