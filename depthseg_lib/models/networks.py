"""The networks of the study: depth, pose, segmentation and classification, each an encoder and a small rest."""

import torch
from torch import Tensor, nn

from depthseg_lib.losses.geometry import transform_matrix
from depthseg_lib.models.decoder import Decoder, DisparityHeads, conv3x3, decoder_widths
from depthseg_lib.models.encoder import Encoder

MOTION_SCALE = 0.01
"""Monodepth2's factor on the pose network's output."""
SLIM_MOTION_SCALE = 0.1
"""The slim pose network's: with the smaller factor its few channels find the motion too slowly for a short run."""


class DepthNetwork(nn.Module):
    """Monocular depth (paper, section 4.1): B 3 H W in 0..1 -> sigmoid disparities at scales 1, 1/2, 1/4, 1/8."""

    def __init__(self, encoder: str, normalisation: str = "depth"):
        super().__init__()
        self.encoder = Encoder(encoder, normalisation)
        self.decoder = Decoder(self.encoder.channels, decoder_widths(encoder))
        self.heads = DisparityHeads(self.decoder.widths)

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.heads(self.decoder(self.encoder(images)))


class PoseNetwork(nn.Module):
    """Camera motion between two frames: earlier and later image (B 3 H W each) -> axis-angle, translation (B 3).

    As Monodepth2's but for two things: the last layer starts at zero, and the slim encoder's factor on it is larger.
    """

    def __init__(self, encoder: str):
        super().__init__()
        self.encoder = Encoder(encoder, images=2)
        width = decoder_widths(encoder)[-1]
        self.squeeze = nn.Conv2d(self.encoder.channels[-1], width, 1)
        self.convolutions = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        )
        self.head = nn.Conv2d(width, 6, 1)
        # a camera starts at a standstill: from a random first motion the loss may not lead to the true one
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.motion_scale = SLIM_MOTION_SCALE if encoder.endswith("-slim") else MOTION_SCALE

    def forward(self, earlier: Tensor, later: Tensor) -> tuple[Tensor, Tensor]:
        deepest = self.encoder(torch.cat([earlier, later], dim=1))[-1]
        motion = self.head(self.convolutions(torch.relu(self.squeeze(deepest)))).mean((2, 3))
        return (self.motion_scale * motion.float()).chunk(2, dim=1)

    def transforms(self, frames: Tensor) -> list[Tensor]:
        """Motions (B 4 4) from the middle camera to the previous and to the next one, for frames B 3 3 H W.

        The network always sees two frames in time order; the motion to the earlier one is inverted.
        """
        previous, target, following = frames.unbind(1)
        before, after = self(previous, target), self(target, following)
        with torch.autocast(frames.device.type, enabled=False):  # matrices in float32, whatever the network ran in
            return [transform_matrix(*before, invert=True), transform_matrix(*after)]


class SegmentationNetwork(nn.Module):
    """The depth network with its last layer replaced (section 4.1): B 3 H W in 0..1 -> logits B C H W."""

    def __init__(self, encoder: str, classes: int, normalisation: str = "depth"):
        super().__init__()
        self.encoder = Encoder(encoder, normalisation)
        self.decoder = Decoder(self.encoder.channels, decoder_widths(encoder))
        self.head = conv3x3(self.decoder.widths[0], classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encoder(images))

    def decode(self, features: list[Tensor]) -> Tensor:
        """Logits from the encoder's maps: what is left to compute when these are stored."""
        return self.head(self.decoder(features)[0])


class Classifier(nn.Module):
    """Encoder, mean over the image, linear layer: B 3 H W in 0..1 -> class logits B C."""

    def __init__(self, encoder: str, classes: int):
        super().__init__()
        self.encoder = Encoder(encoder, normalisation="imagenet")
        self.head = nn.Linear(self.encoder.channels[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.encoder(images)[-1].mean((2, 3)))
