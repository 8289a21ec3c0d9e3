"""How one fine-tuned network predicts images that are larger or smaller than those it was trained on."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import interpolate

from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.batches import images_to_float
from depthseg_lib.data.resize import FACTORS, Canvas, canvas, on_canvas
from depthseg_lib.losses.evaluation import confusion_matrix
from depthseg_lib.losses.metrics import segmentation_metrics
from depthseg_lib.models.networks import SegmentationNetwork

METRICS = ("miou_seven", "miou", "accuracy")
_BATCH = 8


@dataclass(frozen=True, eq=False)
class Rescaled:
    """Images at every factor, made once for all networks."""

    canvases: tuple[np.ndarray, ...]
    """(N, 3, h, w) uint8 for each of `FACTORS`."""
    places: tuple[Canvas, ...]
    """Where the images lie on them."""
    size: tuple[int, int]
    """Height and width of the images themselves."""


def at_all_factors(images: np.ndarray) -> Rescaled:
    """The images (N 3 H W uint8) at each of `FACTORS`."""
    size = images.shape[2:]
    canvases = tuple(np.stack([on_canvas(image, factor) for image in images]) for factor in FACTORS)
    return Rescaled(canvases, tuple(canvas(*size, factor) for factor in FACTORS), size)


@torch.inference_mode()
def predictions(network: SegmentationNetwork, canvases: np.ndarray, place: Canvas, size: tuple[int, int]) -> np.ndarray:
    """Predicted classes (N H W uint8) at the images' own `size`.

    The logits are cut out of the canvas, brought to that size bilinearly, and only then is the best class taken.
    """
    device, found = next(network.parameters()).device, []
    for batch in torch.from_numpy(canvases).split(_BATCH):
        logits = network(images_to_float(batch.to(device)).contiguous(memory_format=torch.channels_last))
        logits = logits[..., place.top : place.top + place.rows, place.left : place.left + place.columns]
        if logits.shape[2:] != size:
            logits = interpolate(logits, size, mode="bilinear", align_corners=False)
        found.append(logits.argmax(1).byte().cpu().numpy())
    return np.concatenate(found)


def scores(network: SegmentationNetwork, images: Rescaled, truth: Labelled) -> list[dict]:
    """A row per factor: factor, and `METRICS` over all images as fractions 0..1, at the labels' size."""
    labels, classes = torch.from_numpy(truth.labels[:]), len(truth.label_set.classes)
    rows = []
    for factor, canvases, place in zip(FACTORS, images.canvases, images.places, strict=True):
        predicted = torch.from_numpy(predictions(network, canvases, place, images.size)).long()
        counts = (of.numpy() for of in confusion_matrix(predicted, labels.long(), classes))
        found = segmentation_metrics(*counts, truth.label_set.representative)
        rows.append({"factor": factor} | {name: found[name] for name in METRICS})
    return rows


def example_predictions(network: SegmentationNetwork, images: Rescaled) -> np.ndarray:
    """Predictions of a few images at every factor, (F K H W) uint8 in the order of `FACTORS`."""
    parts = zip(images.canvases, images.places, strict=True)
    return np.stack([predictions(network, canvases, place, images.size) for canvases, place in parts])
