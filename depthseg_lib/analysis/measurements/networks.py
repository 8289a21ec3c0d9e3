"""What measurements of fine-tuned networks share: the networks as their runs left them, and the images to score."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from depthseg_lib.analysis.measurements.load import Progress, Runs, weights_file
from depthseg_lib.analysis.runs import RUN
from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.sources import load_annotated
from depthseg_lib.models.networks import SegmentationNetwork
from depthseg_lib.models.weights import load_weights
from depthseg_lib.settings import FinetuneConfig
from depthseg_lib.training.finetune import make_network

SCORED = 72
"""Validation images that are scored: the last of the fixed order, which all training-set sizes share."""


def network_of(config: FinetuneConfig, weights: Path, classes: int) -> SegmentationNetwork:
    """The network that a run with these settings left in its weights file, in evaluation mode, on the GPU if any."""
    network = make_network(config, classes)
    network.load_state_dict(load_weights(weights, config.encoder, config.initialisation))
    return network.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def networks(runs: Runs, classes: int) -> Iterator[tuple[dict, SegmentationNetwork, bool]]:
    """Each run's identity (name and `finished.RUN`), network, and whether it is its initialisation's first trial."""
    seen = set()
    for name, run in runs.items():
        config = FinetuneConfig(**run.parameters)
        first = (config.encoder, config.initialisation) not in seen
        seen.add((config.encoder, config.initialisation))
        identity = {"name": name} | {column: run.parameters[column] for column in RUN}
        yield identity, network_of(config, weights_file(run), classes), first


def annotated(runs: Runs, progress: Progress) -> tuple[Labelled, Labelled]:
    """Training and validation images of `runs`, which share their data."""
    config = FinetuneConfig(**next(iter(runs.values())).parameters)
    return load_annotated(config, config.images, progress)


def scored_images(validation: Labelled) -> Labelled:
    """The last `SCORED` validation images."""
    return validation.subset(np.arange(len(validation.images))[-SCORED:])
