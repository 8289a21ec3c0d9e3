"""The smallest settings with which the real runs of the study still work, for tests."""

import numpy as np

from depthseg_lib.data.streets import StreetsConfig, build_street
from depthseg_lib.settings import FinetuneConfig, PretrainConfig

WORLD = dict(height=64, width=96, streets=4, frames=6, annotated=16, validation=12, photographs=120)


def pretraining(**changes) -> PretrainConfig:
    """A pre-training run of a few steps."""
    settings = dict(iterations=4, batch=2, evaluate_every=2, evaluated=4)
    return PretrainConfig(**{**WORLD, **settings, **changes})


def finetuning(**changes) -> FinetuneConfig:
    """A fine-tuning run of a few steps."""
    settings = dict(initialisation="none", images=4, iterations=4, batch=2, evaluate_every=2)
    return FinetuneConfig(**{**WORLD, **settings, **changes})


def poses(config: StreetsConfig) -> np.ndarray:
    """Camera-to-world poses (N 4 4) float32, metres, of the frames of `streets.video`."""
    found = [build_street((config.seed, 0, number), config.frames).poses for number in range(config.streets)]
    return np.concatenate([of[: config.frames, 0].float().numpy() for of in found])
