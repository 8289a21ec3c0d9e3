"""Training speed: samples/s of pre-training and fine-tuning, each beside a plainer way of doing the same.

    python benchmarks/training.py [--encoder resnet18-slim] [--height 64] [--width 192]

Both ways of a pair are timed in turn in the same process, on one thread per OMP_NUM_THREADS, or on the GPU. Prints a
table and stores it with `benchmarks/store.py`.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import store
import torch

from depthseg_lib.data.arrays import Labelled, Photographs, Video
from depthseg_lib.data.labels import KITTI
from depthseg_lib.settings import FinetuneConfig, PretrainConfig
from depthseg_lib.training.classification import ClassificationTask
from depthseg_lib.training.depth import DepthTask
from depthseg_lib.training.engine import make_fabric
from depthseg_lib.training.finetune import SegmentationTask


def steps_per_second(task, batch: int, seconds: float = 4.0) -> float:
    """Optimiser steps per second, after two to warm up."""
    optimiser = torch.optim.Adam([p for p in task.module.parameters() if p.requires_grad], 1e-4)
    task.module.train()

    def step():
        loss = task.module(task.batch(torch.randint(0, task.count, (batch,))))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return rate(step, seconds)


def rate(step: Callable[[], None], seconds: float) -> float:
    """Calls per second, after two to warm up."""
    for _ in range(2):
        step()
    synchronise()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        step()
        count += 1
        if torch.cuda.is_available() and count % 10 == 0:
            synchronise()
    synchronise()
    return count / (time.perf_counter() - began)


def synchronise() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def random_data(height: int, width: int) -> tuple[Video, Labelled, Photographs]:
    """Noise of the study's sizes: speed does not depend on what the images show."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 255, (64, 3, height, width), np.uint8)
    camera = np.array([[0.58 * width, 0, width / 2], [0, 1.92 * height, height / 2], [0, 0, 1]], np.float32)
    video = Video(images, np.arange(64, dtype=np.int32) // 32, np.tile(camera, (64, 1, 1)))
    labels = draw.integers(0, 19, (64, height, width), np.uint8)
    photographs = Photographs(
        draw.integers(0, 255, (256, 3, 64, 64), np.uint8), draw.integers(0, 12, 256), tuple("abcdefghijkl")
    )
    return video, Labelled(images, labels, KITTI, tuple(map(str, range(64)))), photographs


def pairs(given):
    """(what, ours, plainer way, samples per step) of each comparison; ours and the plainer way are tasks."""
    device = make_fabric("32-true").device
    video, labelled, photographs = random_data(given.height, given.width)
    size = dict(height=given.height, width=given.width, encoder=given.encoder)
    training, validation = labelled.subset(np.arange(16)), labelled.subset(np.arange(16, 64))

    def segmentation(setting):
        config = FinetuneConfig(initialisation="none", setting=setting, **size)
        return SegmentationTask(config, training, validation, device)

    def plain(task):
        task.module.to(memory_format=torch.contiguous_format)
        return task

    def depth():
        return DepthTask(PretrainConfig(**size), video, device)

    def classification():
        return ClassificationTask(PretrainConfig(initialisation="classification", **size), photographs, device)

    computed = segmentation("frozen")
    computed._stores = lambda images: False
    yield "depth pre-training, channels last", depth(), plain(depth()), 8
    yield "classification pre-training, channels last", classification(), plain(classification()), 32
    yield "full fine-tuning, channels last", segmentation("full"), plain(segmentation("full")), 8
    yield "frozen fine-tuning, stored features", segmentation("frozen"), computed, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="resnet18-slim")
    parser.add_argument("--height", type=int, default=64)
    parser.add_argument("--width", type=int, default=192)
    given = parser.parse_args()
    rows = []
    for what, ours, plainer, batch in pairs(given):
        fast, slow = (batch * steps_per_second(task, batch) for task in (ours, plainer))
        name = f"{what}, {given.encoder}, {given.height}x{given.width}, batch {batch}"
        rows.append(store.row(name, fast, slow, "samples/s", goal=1.0))
    store.save(rows)


if __name__ == "__main__":
    main()
