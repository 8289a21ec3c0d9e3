"""Grad-CAM (Selvaraju et al. 2017) for segmentation, as in the paper's section 4.2: the adapter to pytorch-grad-cam."""

from collections.abc import Iterator, Mapping
from copy import deepcopy

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from depthseg_lib.analysis.measurements import activations
from depthseg_lib.analysis.measurements.activations import energy_share, enlarged
from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.batches import images_to_float
from depthseg_lib.data.labels import VOID
from depthseg_lib.models.networks import SegmentationNetwork

LAYERS = ("stem", "layer1", "layer2", "layer3", "layer4")
"""A ResNet's stages, finest first: `stem` ends at the first ReLU, before the max-pool, where the paper looks."""


def layer_modules(encoder: nn.Module) -> dict[str, nn.Module]:
    """The modules of an `Encoder` whose outputs are its feature maps, finest first, by the names of `LAYERS`."""
    return {"stem": encoder.resnet.relu} | {name: getattr(encoder.resnet, name) for name in LAYERS[1:]}


def predicted_score(logits: Tensor) -> Tensor:
    """The paper's target for one image: logits C H W -> the sum over pixels of the predicted label's score."""
    return logits.max(0).values.sum()  # not amax, which shares the gradient out among equal scores


def grad_cam(network: nn.Module, layers: Mapping[str, nn.Module], images: Tensor) -> dict[str, np.ndarray]:
    """Grad-CAM of each image at each layer: images B 3 H W -> maps B h w (float32) of the layer's own size, by layer.

    A map is the ReLU of the sum over channels of activation times weight; a channel's weight is the mean over the
    layer's pixels of the gradient of `predicted_score`. `layers` go from the input to the output, none beside another.
    Nothing is rescaled: the library's own maps are shifted and scaled to 0..1 one by one, which changes how their
    energy is shared out. Logits differ in size between networks, so strengths must not be compared across them.

    A copy of the network is computed in its own precision, also under autocast, and with gradients, also under no_grad.
    """
    from pytorch_grad_cam import GradCAM  # takes seconds

    class LayerMaps(GradCAM):
        """A map per layer instead of one mean of all, neither rescaled nor resized."""

        def compute_cam_per_layer(self, images, targets, eigen_smooth):
            found = self.activations_and_grads
            seen = ([of.float().numpy() for of in maps] for maps in (found.activations, found.gradients))
            return [
                np.maximum(self.get_cam_image(images, layer, targets, activations, gradients, eigen_smooth), 0)
                for layer, activations, gradients in zip(self.target_layers, *seen, strict=True)
            ]

        def aggregate_multi_layers(self, maps):
            return maps

    precision = next(network.parameters()).dtype
    full = torch.autocast(images.device.type, enabled=False)
    with torch.inference_mode(False), torch.enable_grad(), full:
        copied, places = deepcopy((network, list(layers.values())))
        # no gradients of parameters: of a frozen encoder, too, gradients come by way of the input
        explained = LayerMaps(copied.eval().requires_grad_(False), places)
        maps = explained(images.to(precision).clone().requires_grad_(), [predicted_score] * len(images))
        explained.activations_and_grads.release()
        explained.outputs = None  # holds the graph of the batch
    return dict(zip(layers, maps, strict=True))


_BATCH = 8


def border_bands(seen: Labelled) -> np.ndarray:
    """The border bands of the images (N H W bool), the same for every network."""
    reach = activations.border_reach(seen.labels.shape[1])
    return np.stack([activations.border_band(labels, reach) for labels in seen.labels])


def image_shares(seen: Labelled, bands: np.ndarray) -> dict[str, np.ndarray]:
    """What the band has of each image without a network, shares 0..1 (N,): `area`, of the labelled area, NaN without a
    border, and `edges`, of the energy of the image's own gradient: what plain edges score."""
    labelled = seen.labels != VOID
    inside = bands.sum((1, 2))
    area = np.divide(inside, labelled.sum((1, 2)), out=np.full(len(inside), np.nan), where=inside > 0)
    gradients = map(activations.image_gradient, seen.images)
    return {"area": area, "edges": np.array(list(map(energy_share, gradients, bands, labelled)))}


def shares(network: SegmentationNetwork, seen: Labelled, bands: np.ndarray) -> pd.DataFrame:
    """A row per layer and image: layer, image, and `energy`, the share of the map's energy in the band (0..1).

    Maps are enlarged to the labels' size first: where pixels are wider than the band it tends to the band's area.
    """
    size, found = bands.shape[1:], {layer: [] for layer in LAYERS}
    for maps, band, labels in zip(_explained(network, seen.images), bands, seen.labels, strict=True):
        for layer, energy in maps.items():
            found[layer].append(energy_share(enlarged(energy, *size), band, labels != VOID))
    frames = [pd.DataFrame({"layer": layer, "image": seen.names, "energy": found[layer]}) for layer in LAYERS]
    return pd.concat(frames, ignore_index=True)


def example_maps(network: SegmentationNetwork, images: np.ndarray) -> dict[str, np.ndarray]:
    """Maps of a few images (K 3 H W uint8) by layer: K h w uint8 of the layer's size, each up to 255 of its own."""
    maps = list(_explained(network, images))
    found = {}
    for layer in LAYERS:
        energy = np.stack([of[layer] for of in maps])
        highest = energy.max((1, 2), keepdims=True)
        found[layer] = np.round(energy / np.where(highest > 0, highest, 1) * 255).astype(np.uint8)
    return found


def _explained(network: SegmentationNetwork, images: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """One image's maps by layer after another."""
    device, layers = next(network.parameters()).device, layer_modules(network.encoder)
    for start in range(0, len(images), _BATCH):
        batch = torch.from_numpy(images[start : start + _BATCH]).to(device)
        maps = grad_cam(network, layers, images_to_float(batch))
        yield from ({layer: of[i] for layer, of in maps.items()} for i in range(len(batch)))
