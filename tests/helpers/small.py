"""The smallest settings with which the real runs of the study still work, for tests."""

import numpy as np
import torch

from depthseg_lib.data.streets import StreetsConfig, build_street
from depthseg_lib.settings import FinetuneConfig, PretrainConfig

WORLD = dict(height=64, width=96, streets=4, frames=6, annotated=16, photographs=120)


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


def check_training_lowers_the_loss(task, steps: int, to: float) -> None:
    """`steps` on one batch with one draw of its augmentation take the loss under `to` times the first."""
    optimiser = torch.optim.Adam(task.module.parameters(), 1e-3)
    losses = []
    for _ in range(steps):
        torch.manual_seed(1)
        loss = task.module(task.batch(torch.arange(4)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < to * losses[0]
