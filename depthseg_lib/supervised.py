"""Depth from measured depth: the network trained directly on a camera's semi-dense depth (section 4.3)."""

import numpy as np
import torch
from torch import Tensor, nn

from depthseg_lib.data.arrays import Video
from depthseg_lib.data.batches import depth_batch
from depthseg_lib.data.depth_camera import DepthCamera
from depthseg_lib.errors import InputError
from depthseg_lib.held_out import spread, with_truth
from depthseg_lib.losses import metrics
from depthseg_lib.losses.geometry import depth_to_disparity, disparity_to_depth
from depthseg_lib.losses.losses import masked_l1
from depthseg_lib.models.networks import DepthNetwork
from depthseg_lib.settings import PretrainConfig
from depthseg_lib.training.depth import DepthTask

FIRST_DEPTH = 5.0
"""Metres that the untrained network answers with, about: the middle, on a logarithmic scale, of a camera's range."""
CAMERA_SEED = 13
"""Seed of the camera's patches without an echo; the same in every run, as a data set's are."""


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
        self.camera, self.triplets = camera, with_truth(video, self.triplets)
        self.count = len(self.triplets)
        if video.depth is None or not (video.depth[self.triplets[0, 1]] > 0).any():
            raise InputError("supervised depth needs a video with depth, but there is none in the frames to train on")

    @staticmethod
    def decay(progress: float) -> float:
        """1, then 0.5 in the second half: 1e-4 for five epochs, 5e-5 for five (section 4.3)."""
        return 1.0 if progress < 0.5 else 0.5

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        frames = self.triplets[indices.numpy(), 1]
        measured = measured_depth(self.video, self.camera, frames)
        return depth_batch(self.video.images[frames], measured, torch.default_generator, self.device)

    def errors(self, prediction: Tensor) -> dict[str, float]:
        """The errors after median scaling, as for depth from video, and those of metric depth as `*_unscaled`."""
        metric = metrics.depth_errors(prediction, self.truth(self.held_out[:, 1]), scaled=False)
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
