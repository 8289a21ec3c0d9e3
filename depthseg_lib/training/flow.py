"""Optical flow from unlabelled video, the pre-training that the paper finds to hurt (Appendix B)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthseg_lib.data.arrays import Video, split_triplets, spread
from depthseg_lib.data.batches import Pair, images_to_float, pair_batch
from depthseg_lib.losses import evaluation
from depthseg_lib.losses.geometry import warp_by_flow
from depthseg_lib.losses.losses import edge_aware
from depthseg_lib.losses.photometric import Photometric
from depthseg_lib.models.networks import FlowNetwork
from depthseg_lib.settings import PretrainConfig

COLOUR = 0.15
"""Weight of the photometric error's colour term, the paper's (equation 18)."""
STRUCTURE = 0.15
"""Weight of 1 - SSIM, which is not halved here: the paper's text; its released code has 0.85."""
SMOOTHNESS = 5.0
"""Weight of the flow's smoothness: the paper's text (equation 19); its released code has 2."""
SLOW = 8.0
"""Pixels of motion beyond which the photometric error leads nowhere, whatever the image's size."""
HALF_SIZES = (320.0, 96.0)
"""Half of the paper's image sizes across and down, in pixels."""


class FlowTraining(nn.Module):
    """The flow network with its loss (equations 18 and 19): a `Pair` -> scalar.

    Flow is that of the first frame, as usual, so the second is warped to make the first again; equation 18 names the
    two the other way round. The loss is the mean over the four scales, each brought to full size.

    The paper does not say in what unit the smoothness takes flow. In pixels, a weight of 5 beside photometric terms of
    0.15 would leave one motion for the whole image; here it is in half image sizes, in which images are sampled, of the
    paper's 192 x 640: a flow's step from pixel to pixel is the same at every size, and so is the balance of the terms.
    """

    def __init__(self, encoder: str):
        super().__init__()
        self.flow = FlowNetwork(encoder)

    def forward(self, pair: Pair) -> Tensor:
        flows, (first, second) = self.flow(*pair.jittered.unbind(1)), pair.frames.unbind(1)
        losses = []
        # half precision breaks warps and SSIM: from here on float32, whatever the network ran in
        with torch.autocast(pair.frames.device.type, enabled=False):
            error = Photometric(first, STRUCTURE, COLOUR)
            unit = torch.tensor(HALF_SIZES, device=first.device).view(2, 1, 1)
            for flow in flows:
                full = F.interpolate(flow.float(), size=first.shape[-2:], mode="bilinear", align_corners=False)
                smooth = SMOOTHNESS * edge_aware(full / unit, first)
                losses.append(error.least([warp_by_flow(second, full)])[0] + smooth)
        return torch.stack(losses).mean()


class FlowTask:
    """Flow between the neighbours of a video's training sequences, evaluated on pairs of sequences held out.

    `truth` is the exact flow (N 2 H W pixels) of the pairs of `held_out_pairs`; None where there is none.
    """

    def __init__(self, config: PretrainConfig, video: Video, truth: np.ndarray | None, device):
        self.config, self.video, self.device = config, video, device
        self.module = FlowTraining(config.encoder).to(device, memory_format=torch.channels_last)
        self.pairs, self.held_out = split_triplets(video, config.frame_step)[0][:, 1:], held_out_pairs(config, video)
        self.count = len(self.pairs)
        self.truth = None if truth is None else torch.from_numpy(np.array(truth))

    @staticmethod
    def decay(progress: float) -> float:
        """1, then 0.1 in the second half: 5e-4 for 25 epochs, 5e-5 for 25 (Appendix B)."""
        return 1.0 if progress < 0.5 else 0.1

    def batch(self, indices: Tensor, iteration: int) -> Pair:
        return pair_batch(self.video, self.pairs, indices, torch.default_generator, self.device)

    def evaluate(self) -> dict[str, float]:
        few = spread(self.held_out, self.config.batch)
        pair = pair_batch(self.video, few, torch.arange(len(few)), torch.default_generator, self.device, augment=False)
        found = {"loss": self.module(pair).item(), "evaluated": len(self.held_out)}
        return found if self.truth is None else {**self._errors(self.predict(self.held_out)), **found}

    def predict(self, pairs: np.ndarray) -> Tensor:
        """Predicted flow (N 2 H W pixels) between the frames of pairs (N 2) of the video."""
        batches = np.array_split(pairs, max(1, len(pairs) // self.config.batch))
        frames = (images_to_float(torch.from_numpy(self.video.images[b]).to(self.device)) for b in batches)
        return torch.cat([self.module.flow(*both.unbind(1))[0].float().cpu() for both in frames])

    def _errors(self, flow: Tensor, of: str = "") -> dict[str, float]:
        """The end-point error over the pixels that stay inside, and over those of them that move by less than `SLOW`.

        The others are few, and half of the first: in examples of a laptop study 12 % of the pixels moved faster, and
        the network, right to about a pixel where they were slower, was wrong there by 5 to 17.
        """
        inside = evaluation.stays_inside(self.truth)
        chosen = {"epe": inside, "epe_slow": inside & (self.truth.norm(dim=1) < SLOW)}
        return {name + of: evaluation.end_point_error(flow, self.truth, where) for name, where in chosen.items()}

    def baselines(self) -> dict[str, float]:
        """The end-point errors of no flow, and of the mean of the exact flows, which sees no image."""
        if self.truth is None:
            return {}
        guesses = {"_zero": torch.zeros_like(self.truth), "_mean_map": mean_flow(self.truth).expand_as(self.truth)}
        return {name: error for of, flow in guesses.items() for name, error in self._errors(flow, of).items()}

    def examples(self, count: int = 3) -> dict[str, np.ndarray]:
        """Held-out pairs of images (K 2 3 H W) with predicted flow and, where there is one, the truth (K 2 H W)."""
        rows = spread(np.arange(len(self.held_out)), count)
        found = {"images": self.video.images[self.held_out[rows]], "flow": self.predict(self.held_out[rows]).numpy()}
        return found if self.truth is None else found | {"true_flow": self.truth[rows].numpy()}

    def picture(self) -> list[tuple[str, np.ndarray]]:
        """The first image of a held-out pair, the exact flow where that is known, and the predicted."""
        of = self.examples(1)
        known = [("exact flow", of["true_flow"][0])] if "true_flow" in of else []
        return [("frame", of["images"][0, 0].transpose(1, 2, 0)), *known, ("predicted flow", of["flow"][0])]

    def networks(self) -> dict[str, nn.Module]:
        return {"weights": self.module.flow}


def mean_flow(flow: Tensor) -> Tensor:
    """The mean over frames of the flow that stays inside, N 2 H W pixels -> 2 H W; 0 where all leaves the image."""
    inside = evaluation.stays_inside(flow)[:, None]
    return (flow * inside).sum(0) / inside.sum(0).clamp(min=1)


def held_out_pairs(config: PretrainConfig, video: Video) -> np.ndarray:
    """The frames and their next ones (N 2) on which a flow run of `config` is evaluated."""
    return spread(split_triplets(video, config.frame_step)[1][:, 1:], config.evaluated)
