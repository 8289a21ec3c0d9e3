"""The networks of the study, each an encoder and a small rest: depth, pose, flow, classification and segmentation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP, DeepLabHead

from depthseg_lib.losses.geometry import transform_matrix
from depthseg_lib.models.decoder import Decoder, DisparityHeads, conv3x3, decoder_widths
from depthseg_lib.models.encoder import Encoder

MOTION_SCALE = 0.01
"""Monodepth2's factor on the pose network's output."""
SLIM_MOTION_SCALE = 0.3
"""The slim pose network's: with a smaller factor its few channels find the motion too slowly for a short run. While the
motion is too small everything is drawn nearer instead, and where a sigmoid has come to its end, it stays: with a factor
of 0.1 that befell one short run in sixteen."""
FLOW_SCALE = 0.1
"""Factor on the flow heads' output, in half image sizes: an output of 1 is a motion by a twentieth of the image."""
RATES = (12, 24, 36)
"""Dilation rates of DeepLab's head on maps of 1/8 of the resolution (Chen et al. 2017, section 4.1)."""
SLIM_WIDTH = 64
"""Channels of DeepLab's head on the slim encoder: a quarter of 256."""
SLIM_RATES = (2, 4, 6)
"""Dilation rates of that head: 12, 24 and 36 would reach beyond maps of 8x24."""


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


class FlowNetwork(nn.Module):
    """Flow from the first to the second frame: two images B 3 H W in 0..1 -> four maps B 2 h w, finest first.

    The maps are at scales 1, 1/2, 1/4 and 1/8, along x and y, all in pixels of the H x W frames. The decoder is
    Monodepth2's over the features of both frames side by side, so that its skip connections are twice as wide;
    there is no correlation layer. It is called `flow_decoder` since a transfer goes by name: of this network, only the
    encoder fits into another.
    """

    def __init__(self, encoder: str):
        super().__init__()
        self.encoder = Encoder(encoder)
        self.flow_decoder = Decoder(tuple(2 * c for c in self.encoder.channels), decoder_widths(encoder))
        self.flow_heads = nn.ModuleList(conv3x3(width, 2) for width in self.flow_decoder.widths[:4])
        for head in self.flow_heads:  # nothing moves at first
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, first: Tensor, second: Tensor) -> list[Tensor]:
        # one pass over both frames, so that batch-norm has the same statistics for both
        features = [torch.cat(maps.chunk(2), dim=1) for maps in self.encoder(torch.cat([first, second]))]
        height, width = first.shape[-2:]
        pixels = FLOW_SCALE / 2 * torch.tensor([width - 1.0, height - 1.0], device=first.device).view(2, 1, 1)
        maps = self.flow_decoder(features)
        return [pixels * head(x).float() for head, x in zip(self.flow_heads, maps, strict=False)]


class Classifier(nn.Module):
    """Encoder, mean over the image, linear layer: B 3 H W in 0..1 -> class logits B C."""

    def __init__(self, encoder: str, classes: int):
        super().__init__()
        self.encoder = Encoder(encoder, normalisation="imagenet")
        self.head = nn.Linear(self.encoder.channels[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.encoder(images)[-1].mean((2, 3)))


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


class DeepLab(nn.Module):
    """DeepLabV3: B 3 H W in 0..1 -> logits B C H W, up-sampled from 1/8 or 1/16 (`output_stride`) bilinearly.

    torchvision's head on an encoder whose last two stages, or at 1/16 the last, are dilated; a smaller head of the same
    kind on the slim encoder. The head's rates are for maps of 1/8 and half as large at 1/16 (Chen et al. 2017, section
    4.1). The encoder's weights have the names that they have in all networks of the study.
    """

    def __init__(self, encoder: str, classes: int, normalisation: str = "depth", output_stride: int = 8):
        super().__init__()
        self.encoder = Encoder(encoder, normalisation)
        resnet, deepest, slim = self.encoder.resnet, self.encoder.channels[-1], encoder.endswith("-slim")
        # at 1/8 the last two stages have stride 1, and dilations of 2 and 4 instead; at 1/16 the last, and 2; as
        # torchvision's `replace_stride_with_dilation`, which refuses the blocks of ResNet-18
        for stage, rate in {8: ((resnet.layer3, 2), (resnet.layer4, 4)), 16: ((resnet.layer4, 2),)}[output_stride]:
            for number, block in enumerate(stage):
                for layer in (part for part in block.modules() if isinstance(part, nn.Conv2d)):
                    layer.stride = (1, 1)
                    if layer.kernel_size == (3, 3):
                        # the first block's maps are still of the coarser grid's spacing
                        layer.dilation = layer.padding = (rate if number else rate // 2,) * 2
        rates = [rate * 8 // output_stride for rate in (SLIM_RATES if slim else RATES)]
        if not slim:
            self.head = DeepLabHead(deepest, classes, rates)
            return
        self.head = nn.Sequential(
            ASPP(deepest, rates, SLIM_WIDTH),
            nn.Conv2d(SLIM_WIDTH, SLIM_WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm2d(SLIM_WIDTH),
            nn.ReLU(),
            nn.Conv2d(SLIM_WIDTH, classes, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encoder(images))

    def decode(self, features: list[Tensor]) -> Tensor:
        """Logits from the encoder's maps."""
        height, width = features[0].shape[-2:]
        size = (2 * height, 2 * width)
        return F.interpolate(self.head(features[-1]), size=size, mode="bilinear", align_corners=False)
