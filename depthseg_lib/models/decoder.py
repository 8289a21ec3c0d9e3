"""The Monodepth2 decoder (Godard et al. 2019), shared by depth and segmentation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

WIDTHS = (16, 32, 64, 128, 256)
"""Output channels of the five levels, finest first."""
SLIM_WIDTHS = (16, 16, 32, 64, 128)
"""For the quarter-width encoder: half of them, but for the finest level, where the classes are told apart. With eight
channels there the draw of a fresh decoder decided by itself how well a short run ended."""


def decoder_widths(encoder: str) -> tuple[int, ...]:
    """The decoder's widths for an encoder's name."""
    return SLIM_WIDTHS if encoder.endswith("-slim") else WIDTHS


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3x3 convolution that reflects the image at its borders."""
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, padding_mode="reflect")


class Decoder(nn.Module):
    """Five levels of convolution, nearest up-sampling, skip connection and convolution, coarsest first.

    Takes the encoder's five maps, returns feature maps at scales 1, 1/2, 1/4, 1/8 and 1/16 (finest first) with
    `widths` channels.
    """

    def __init__(self, encoder_channels: tuple[int, ...], widths: tuple[int, ...] = WIDTHS):
        super().__init__()
        inputs = (*widths[1:], encoder_channels[-1])
        skips = (0, *encoder_channels[:-1])
        self.reduce = nn.ModuleList(conv3x3(i, o) for i, o in zip(inputs, widths, strict=True))
        self.merge = nn.ModuleList(conv3x3(o + s, o) for o, s in zip(widths, skips, strict=True))
        self.widths = widths

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        x, maps = features[-1], []
        for level in reversed(range(5)):
            x = elu(self.reduce[level](x))
            x = elu(_merged(self.merge[level], x, features[level - 1] if level else None))
            maps.insert(0, x)
        return maps


def elu(x: Tensor) -> Tensor:
    """ELU (Clevert et al. 2016) in place of `x`; on a CPU as max(x, exp(min(x, 0)) - 1), half the time of PyTorch's."""
    return _Elu.apply(x) if x.device.type == "cpu" else F.elu(x, inplace=True)


class _Elu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        below = x.clamp(max=0).exp_().sub_(1)
        torch.maximum(x, below, out=x)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor) -> Tensor:
        return torch.ops.aten.elu_backward(upstream, 1, 1, 1, True, *ctx.saved_tensors)


def _merged(layer: nn.Conv2d, below: Tensor, skip: Tensor | None) -> Tensor:
    """`layer`, a `conv3x3`, of `below` up-sampled to twice its size by nearest neighbours and `skip` behind it.

    Equal neighbours need no multiplication each: over the up-sampled channels the 3x3 filter is a transposed
    convolution of the small map, by the filter spread over 2x2 pixels, of 4x4. That is 16 products per small pixel in
    place of 36, and no map is copied. To reflect the large map at its borders is to repeat the small one there.
    """
    filters = layer.weight[:, : below.shape[1]].flip(2, 3).transpose(0, 1)
    spread = sum(F.pad(filters, (x, 1 - x, y, 1 - y)) for y in (0, 1) for x in (0, 1))
    found = F.conv_transpose2d(F.pad(below, (1, 1, 1, 1), mode="replicate"), spread, layer.bias, stride=2, padding=3)
    if skip is None:
        return found
    return found + F.conv2d(F.pad(skip, (1, 1, 1, 1), mode="reflect"), layer.weight[:, below.shape[1] :])


class DisparityHeads(nn.Module):
    """Sigmoid disparity at the four finest scales from the decoder's maps: four maps B 1 h w in 0..1, finest first."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS):
        super().__init__()
        self.heads = nn.ModuleList(conv3x3(width, 1) for width in widths[:4])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        return [torch.sigmoid(head(x)) for head, x in zip(self.heads, maps, strict=False)]


@torch.no_grad()
def draw_kaiming(module: nn.Module) -> None:
    """Draw all convolutions of `module` anew by He et al. (2015), equation 10: deviation sqrt(2 / fan-in), zero bias.

    PyTorch's own draw is smaller by sqrt(6). Through ten convolutions without normalisation that nearly extinguishes
    the image, and a short training spends most of its time on finding it again.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
