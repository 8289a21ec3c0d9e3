"""ResNet encoders (He et al. 2016): torchvision's, and a quarter-width ResNet-18 for machines without a GPU."""

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from depthseg_lib.errors import InputError
from depthseg_lib.settings import ENCODERS

NORMALISATIONS = {
    "depth": ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and deviation by which an encoder normalises images in 0..1: Monodepth2's constants, and ImageNet's."""


class SlimResNet(ResNet):
    """ResNet-18 with a quarter of the channels: 16, 32, 64, 128 instead of 64, 128, 256, 512."""

    def __init__(self):
        super().__init__(BasicBlock, [2, 2, 2, 2])
        self.conv1 = nn.Conv2d(3, 16, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1 = nn.BatchNorm2d(16)

    def _make_layer(self, block, planes, *args, **kwargs):
        if planes == 64:  # the first stage is built right after torchvision set the stem's width
            self.inplanes = 16
        return super()._make_layer(block, planes // 4, *args, **kwargs)


_BUILDERS = {
    "resnet18": (lambda: ResNet(BasicBlock, [2, 2, 2, 2]), (64, 64, 128, 256, 512)),
    "resnet50": (lambda: ResNet(Bottleneck, [3, 4, 6, 3]), (64, 256, 512, 1024, 2048)),
    "resnet18-slim": (SlimResNet, (16, 16, 32, 64, 128)),
}


class Encoder(nn.Module):
    """A ResNet without its classifier that returns five feature maps, finest first.

    B 3 H W in 0..1 -> maps at 1/2 (after the first ReLU, before max-pool), 1/4, 1/8, 1/16 and 1/32 with
    `channels[0..4]` channels. H and W must be multiples of 32. `images` is 2 for the pose network, which sees two
    frames stacked along channels. Images are normalised here, by one of `NORMALISATIONS`.
    """

    def __init__(self, name: str, normalisation: str = "depth", images: int = 1):
        super().__init__()
        if name not in _BUILDERS:
            raise InputError(f"unknown encoder '{name}': expected one of {', '.join(ENCODERS)}")
        build, self.channels = _BUILDERS[name]
        self.name = name
        self.resnet = build()
        del self.resnet.fc, self.resnet.avgpool
        if images > 1:
            narrow = self.resnet.conv1
            self.resnet.conv1 = nn.Conv2d(3 * images, narrow.out_channels, 7, stride=2, padding=3, bias=False)
            self.load_single_image_stem(narrow.weight.detach())
        mean, deviation = NORMALISATIONS[normalisation]
        self.register_buffer("mean", torch.tensor(mean * images).view(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation * images).view(-1, 1, 1), persistent=False)

    @torch.no_grad()
    def load_single_image_stem(self, weight: Tensor) -> None:
        """Repeat one-image filters (C 3 7 7) over the stacked images, divided so that equal images give equal maps."""
        copies = self.resnet.conv1.in_channels // weight.shape[1]
        self.resnet.conv1.weight.copy_(weight.repeat(1, copies, 1, 1) / copies)

    def forward(self, images: Tensor) -> list[Tensor]:
        if images.shape[-2] % 32 or images.shape[-1] % 32:
            size = "x".join(map(str, images.shape[-2:]))
            raise InputError(f"images of {size} do not fit the encoder: expected height and width in multiples of 32")
        net = self.resnet
        features = [net.relu(net.bn1(net.conv1((images - self.mean) / self.deviation)))]
        features.append(net.layer1(net.maxpool(features[-1])))
        for stage in (net.layer2, net.layer3, net.layer4):
            features.append(stage(features[-1]))
        return features
