"""Predictions of rescaled images behind notebook 06: computed from the runs' weights, else the committed ones."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from depthseg_lib.analysis.measurements import load as measuring
from depthseg_lib.analysis.measurements.load import Arrays, Runs
from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.runs import RUN
from depthseg_lib.data.resize import FACTORS, Canvas, canvas, on_canvas
from depthseg_lib.losses.metrics import segmentation_metrics

if TYPE_CHECKING:
    from depthseg_lib.data.arrays import Labelled
    from depthseg_lib.models.networks import SegmentationNetwork

METRICS = ["miou_seven", "miou", "accuracy"]
SHOWN = 4
"""Example images whose predictions are kept: the first of `Results.examples`."""
_BATCH = 8
Rescaled = list[tuple[np.ndarray, Canvas]]
"""Images at each of `FACTORS`, made once for all networks: canvases (N 3 h w uint8), and where the images lie there."""


@dataclass(frozen=True, eq=False)
class Rescaling(measuring.OfRuns):
    """How fine-tuned networks predict images at other scales: scores of every trial, predictions of the first.

    `scores` has a row per run and factor: name, the run's identity, factor, `METRICS` (0..1), and `scored`: images.
    """

    predictions: Arrays
    """By run name: predicted classes of the first examples (F K H W uint8) at each of `factors`."""

    @property
    def factors(self) -> list[float]:
        """The resize factors, smallest first."""
        return sorted(float(factor) for factor in self.scores["factor"].unique())

    def losses(self) -> pd.DataFrame:
        """The scores with those of factor 1 taken off, run by run, without factor 1 itself."""
        plain = self.scores[self.scores["factor"] == 1].set_index("name")[METRICS]
        others = self.scores[self.scores["factor"] != 1]
        return others.assign(**{name: others[name] - others["name"].map(plain[name]) for name in METRICS})


def load(results: Results, runs: str | Path = "runs", figures: str | Path = "") -> Rescaling:
    """Predictions of rescaled images by these runs (select first), diverged ones left out; see `measuring.load`."""
    fields = measuring.load_scores("rescaled predictions", results, runs, figures, partial(_compute, results))
    known = set(fields["scores"]["name"])
    predictions = {name: of for name, of in fields["stored"].arrays["predictions"].items() if name in known}
    return Rescaling(**fields, predictions=predictions)


def _compute(results: Results, runs: Runs) -> tuple[dict, dict]:
    """Scores of all `runs`, and predictions of each initialisation's first."""
    known, examples = None, at_all_factors(results.examples.images[:SHOWN])
    rows, kept = [], {}
    for identity, network, truth, first in measuring.networks(runs, len(results.label_set.classes)):
        start, name = time.monotonic(), identity["name"]
        if truth is not known:
            known, images = truth, at_all_factors(truth.images)
        found = scores(predictions(network, images, truth.images.shape[2:]), truth)
        rows += [identity | row | {"scored": len(truth.images)} for row in found]
        if first:
            kept[name] = predictions(network, examples, results.examples.images.shape[2:])
        print(f"rescaled predictions of {name}: {len(truth.images)} images, {time.monotonic() - start:.1f} s")
    return {"scores": pd.DataFrame(rows)[["name", *RUN, "factor", *METRICS, "scored"]]}, {"predictions": kept}


def at_all_factors(images: np.ndarray) -> Rescaled:
    """The images (N 3 H W uint8) at each of `FACTORS`."""
    size = images.shape[2:]
    return [(np.stack([on_canvas(image, factor) for image in images]), canvas(*size, factor)) for factor in FACTORS]


def predictions(network: "SegmentationNetwork", images: Rescaled, size: tuple[int, int]) -> np.ndarray:
    """Predicted classes (F N H W uint8, in the order of `FACTORS`) at the images' own `size`.

    The logits are cut out of the canvas, brought to that size bilinearly, and only then is the best class taken.
    """
    import torch
    from torch.nn.functional import interpolate

    from depthseg_lib.data.batches import images_to_float

    device, found = next(network.parameters()).device, []
    with torch.inference_mode():
        for canvases, place in images:
            for batch in torch.from_numpy(canvases).split(_BATCH):
                logits = network(images_to_float(batch.to(device)).contiguous(memory_format=torch.channels_last))
                logits = logits[..., place.top : place.top + place.rows, place.left : place.left + place.columns]
                if logits.shape[2:] != size:
                    logits = interpolate(logits, size, mode="bilinear", align_corners=False)
                found.append(logits.argmax(1).byte().cpu().numpy())
    return np.concatenate(found).reshape(len(images), -1, *size)


def scores(predicted: np.ndarray, truth: "Labelled") -> list[dict]:
    """A row per factor of `predictions` (F N H W): factor, and `METRICS` over all images as fractions 0..1."""
    import torch

    from depthseg_lib.losses.evaluation import confusion_matrix

    labels, classes, rows = torch.from_numpy(truth.labels[:]).long(), len(truth.label_set.classes), []
    for factor, of in zip(FACTORS, predicted, strict=True):
        counts = (counted.numpy() for counted in confusion_matrix(torch.from_numpy(of).long(), labels, classes))
        found = segmentation_metrics(*counts, truth.label_set.representative)
        rows.append({"factor": factor} | {name: found[name] for name in METRICS})
    return rows
