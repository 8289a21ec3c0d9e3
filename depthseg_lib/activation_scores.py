"""Activations of one fine-tuned network: its boundary scores on validation images, and maps to look at."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from depthseg_lib.analysis.measurements.grad_cam import LAYERS, grad_cam, layer_modules
from depthseg_lib.analysis.measurements.networks import scored_images
from depthseg_lib.boundaries import border_band, border_reach, energy_share, enlarged, image_gradient
from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.batches import images_to_float
from depthseg_lib.data.labels import VOID
from depthseg_lib.models.networks import SegmentationNetwork

_BATCH = 8


@dataclass(frozen=True, eq=False)
class Scenes:
    """Validation images with their borders, the same for every network."""

    images: np.ndarray
    """(N, 3, H, W) uint8 RGB."""
    names: tuple[str, ...]
    """A name per image."""
    labelled: np.ndarray
    """(N, H, W) bool: not void."""
    bands: np.ndarray
    """(N, H, W) bool: labelled, and close to a border between labels."""

    @property
    def area(self) -> np.ndarray:
        """The band's share of each image's labelled area (N,); NaN for an image without a border."""
        inside, labelled = self.bands.sum((1, 2)), self.labelled.sum((1, 2))
        return np.divide(inside, labelled, out=np.full(len(inside), np.nan), where=inside > 0)


def scenes(validation: Labelled) -> Scenes:
    """The last validation images (`scored_images`) with their border bands."""
    last = scored_images(validation)
    reach = border_reach(last.labels.shape[1])
    bands = np.stack([border_band(labels, reach) for labels in last.labels])
    return Scenes(last.images, last.names, last.labels != VOID, bands)


def edge_shares(seen: Scenes) -> np.ndarray:
    """Share (N,) of the energy of the images' own gradient in the band: what plain edges score, without a network."""
    parts = zip(seen.images, seen.bands, seen.labelled, strict=True)
    return np.array([energy_share(image_gradient(image), band, labelled) for image, band, labelled in parts])


def shares(network: SegmentationNetwork, seen: Scenes) -> pd.DataFrame:
    """A row per layer and image: layer, image, and `energy`, the share of the map's energy in the band (0..1).

    Maps are enlarged to the labels' size first; of a layer whose pixels are wider than the band the score is blurred
    towards the band's share of the area.
    """
    size, found = seen.bands.shape[1:], {layer: [] for layer in LAYERS}
    for maps, band, labelled in zip(_explained(network, seen.images), seen.bands, seen.labelled, strict=True):
        for layer, energy in maps.items():
            found[layer].append(energy_share(enlarged(energy, *size), band, labelled))
    frames = [pd.DataFrame({"layer": layer, "image": seen.names, "energy": found[layer]}) for layer in LAYERS]
    return pd.concat(frames, ignore_index=True)


def example_maps(network: SegmentationNetwork, images: np.ndarray) -> dict[str, np.ndarray]:
    """Maps of a few images (K 3 H W uint8) by layer: K h w uint8 of the layer's size, each up to 255 of its own."""
    maps = list(_explained(network, images))
    return {layer: np.stack([_to_bytes(of[layer]) for of in maps]) for layer in LAYERS}


def _explained(network: SegmentationNetwork, images: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """One image's maps by layer after another."""
    device, layers = next(network.parameters()).device, layer_modules(network.encoder)
    for start in range(0, len(images), _BATCH):
        batch = torch.from_numpy(images[start : start + _BATCH]).to(device)
        maps = grad_cam(network, layers, images_to_float(batch))
        yield from ({layer: of[i] for layer, of in maps.items()} for i in range(len(batch)))


def _to_bytes(energy: np.ndarray) -> np.ndarray:
    highest = energy.max()
    return np.round(energy / highest * 255).astype(np.uint8) if highest > 0 else np.zeros(energy.shape, np.uint8)
