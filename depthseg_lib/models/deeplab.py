"""DeepLabV3 (Chen et al. 2017) on the study's encoders: common practice's decoder (paper, section 4.2, Table 1)."""

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import ResNet
from torchvision.models.segmentation.deeplabv3 import ASPP, DeepLabHead

from depthseg_lib.models.encoder import Encoder

SLIM_WIDTH = 64
"""Channels of the slim head: a quarter of 256."""
SLIM_RATES = (2, 4, 6)
"""Its dilation rates: 12, 24 and 36 would reach beyond maps of 8x24."""


class DeepLab(nn.Module):
    """DeepLabV3: B 3 H W in 0..1 -> logits B C H W, up-sampled from 1/8 bilinearly.

    torchvision's head on an encoder whose last two stages are dilated; a smaller head of the same kind on the slim
    encoder. The encoder's weights have the names that they have in all networks of the study.
    """

    def __init__(self, encoder: str, classes: int, normalisation: str = "depth"):
        super().__init__()
        self.encoder = Encoder(encoder, normalisation)
        dilate(self.encoder.resnet)
        deepest = self.encoder.channels[-1]
        self.head = _slim_head(deepest, classes) if encoder.endswith("-slim") else DeepLabHead(deepest, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encoder(images))

    def decode(self, features: list[Tensor]) -> Tensor:
        """Logits from the encoder's maps."""
        height, width = features[0].shape[-2:]
        size = (2 * height, 2 * width)
        return F.interpolate(self.head(features[-1]), size=size, mode="bilinear", align_corners=False)


def dilate(resnet: ResNet) -> None:
    """Have the last two stages keep the resolution of 1/8: stride 1, and dilations of 2 and 4 instead.

    As torchvision's `replace_stride_with_dilation`, which refuses the blocks of ResNet-18.
    """
    for stage, rate in ((resnet.layer3, 2), (resnet.layer4, 4)):
        for number, block in enumerate(stage):
            for layer in block.modules():
                if isinstance(layer, nn.Conv2d):
                    layer.stride = (1, 1)
                if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
                    # the first block's maps are still of the coarser grid's spacing
                    layer.dilation = layer.padding = (rate if number else rate // 2,) * 2


def _slim_head(inputs: int, classes: int) -> nn.Sequential:
    return nn.Sequential(
        ASPP(inputs, SLIM_RATES, SLIM_WIDTH),
        nn.Conv2d(SLIM_WIDTH, SLIM_WIDTH, 3, padding=1, bias=False),
        nn.BatchNorm2d(SLIM_WIDTH),
        nn.ReLU(),
        nn.Conv2d(SLIM_WIDTH, classes, 1),
    )
