"""Grad-CAM (Selvaraju et al. 2017) for segmentation, as in the paper's section 4.2: the adapter to pytorch-grad-cam."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from torch import Tensor, nn

from depthseg_lib.errors import InputError

LAYERS = ("stem", "layer1", "layer2", "layer3", "layer4")
"""A ResNet's stages, finest first: `stem` ends at the first ReLU, before the max-pool, where the paper looks."""


def layer_modules(encoder: nn.Module, names: tuple[str, ...] = LAYERS) -> dict[str, nn.Module]:
    """The modules of an `Encoder` whose outputs are its feature maps, finest first; an unknown name is refused."""
    stages = dict(zip(LAYERS, (encoder.resnet.relu, *(getattr(encoder.resnet, n) for n in LAYERS[1:])), strict=True))
    for name in names:
        if name not in stages:
            raise InputError(f"unknown layer '{name}': expected one of {', '.join(stages)}")
    return {name: module for name, module in stages.items() if name in names}


def predicted_score(logits: Tensor) -> Tensor:
    """The paper's target for one image: logits C H W -> the sum over pixels of the predicted label's score."""
    return logits.max(0).values.sum()  # not amax, which shares the gradient out among equal scores


def grad_cam(network: nn.Module, layers: Mapping[str, nn.Module], images: Tensor) -> dict[str, np.ndarray]:
    """Grad-CAM of each image at each layer: images B 3 H W -> maps B h w (float32) of the layer's own size, by layer.

    A map is the ReLU of the sum over channels of activation times weight; a channel's weight is the mean over the
    layer's pixels of the gradient of `predicted_score`. `layers` go from the input to the output, none beside another.
    Nothing is rescaled: the library's own maps are shifted and scaled to 0..1 one by one, which changes how their
    energy is shared out. Logits differ in size between networks, so strengths must not be compared across them.

    The network is left as it was: its mode, its parameters' `requires_grad` and gradients, and no hooks.
    """
    cam = _library_cam()
    with _only_the_input_learns(network):
        explained = cam(network, list(layers.values()))
        try:
            maps = explained(images.detach().requires_grad_(), [predicted_score] * len(images))
        finally:
            explained.activations_and_grads.release()
            explained.outputs = None  # holds the graph of the batch
    return dict(zip(layers, maps, strict=True))


@contextmanager
def _only_the_input_learns(network: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients of parameters: of a frozen encoder, too, gradients come by way of the input."""
    learns = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    modes = [(module, module.training) for module in network.modules()]
    network.eval().requires_grad_(False)
    try:
        yield
    finally:
        for parameter, before in learns:
            parameter.requires_grad_(before)
        for module, before in modes:
            module.training = before


def _library_cam():
    """The library's Grad-CAM with each layer's map as it is; imported here, since that takes seconds."""
    from pytorch_grad_cam import GradCAM

    class LayerMaps(GradCAM):
        """A map per layer instead of one mean of all, neither rescaled nor resized."""

        def compute_cam_per_layer(self, images, targets, eigen_smooth):
            found = self.activations_and_grads
            pairs = zip(self.target_layers, found.activations, found.gradients, strict=True)
            return [
                np.maximum(self.get_cam_image(images, layer, targets, a.numpy(), g.numpy(), eigen_smooth), 0)
                for layer, a, g in pairs
            ]

        def aggregate_multi_layers(self, maps):
            return maps

    return LayerMaps
