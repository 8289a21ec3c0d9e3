"""Optical flow from a siamese encoder (Appendix B): one encoder for both frames, one decoder over both features."""

import torch
from torch import Tensor, nn

from depthseg_lib.models.decoder import Decoder, conv3x3, decoder_widths
from depthseg_lib.models.encoder import Encoder

FLOW_SCALE = 0.1
"""Factor on the heads' output, in half image sizes: an output of 1 is a motion by a twentieth of the image."""


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
