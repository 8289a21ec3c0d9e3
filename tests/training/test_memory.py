"""Memory of training: flat over iterations and over runs, and far below the data."""

import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.small import finetuning, pretraining

from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.labels import KITTI
from depthseg_lib.training import engine, finetune
from depthseg_lib.training.depth import DepthTask

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc says what is in memory")
MIB = 2**20


def in_memory() -> int:
    """Bytes of this process that are in memory now, those of files among them."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def sparse(folder: Path, *shape: int) -> np.memmap:
    """An array of zeros in a file that takes no space on the disk."""
    return np.memmap(folder / "sparse", np.uint8, "w+", shape=shape)


def trained(task, iterations: int, folder: Path) -> None:
    schedule = engine.Schedule(iterations, 4, 1e-4, engine.cosine, iterations, 0)
    engine.train(task, schedule, engine.make_fabric("32-true"), folder, "memory", lambda line: None)


def test_a_hundred_thousand_frames_are_not_read_whole(tmp_path):
    frames = 100_000
    images = sparse(tmp_path, frames, 3, 64, 96)
    camera = np.tile(np.array([[56.0, 0, 48], [0, 123, 32], [0, 0, 1]], np.float32), (frames, 1, 1))
    video = Video(images, np.arange(frames, dtype=np.int32) // 100, camera)
    task = DepthTask(pretraining(), video, "cpu")
    trained(task, 2, tmp_path)  # what the first steps take, any data needs
    before = in_memory()
    trained(DepthTask(pretraining(seed=1), video, "cpu"), 12, tmp_path / "more")
    assert images.nbytes > 1700 * MIB and in_memory() - before < 150 * MIB


def test_ten_thousand_annotated_images_are_not_read_whole(tmp_path):
    count = 10_000
    images = sparse(tmp_path, count, 3, 128, 256)
    labels = np.memmap(tmp_path / "labels", np.uint8, "w+", shape=(count, 128, 256))
    data = Labelled(images, labels, KITTI, tuple(map(str, range(count))))
    config = finetuning(height=128, width=256)

    def task():
        return finetune.SegmentationTask(config, data.view(np.arange(count - 4)), data.view(np.arange(-4, 0)), "cpu")

    trained(task(), 2, tmp_path)
    before = in_memory()
    trained(task(), 8, tmp_path / "more")
    assert images.nbytes > 900 * MIB and in_memory() - before < 60 * MIB


def test_memory_is_flat_over_iterations_and_over_runs(tmp_path):
    finetune.run_trials(finetuning(), 1, tmp_path / "first", lambda line: None)
    before = in_memory()
    finetune.run_trials(finetuning(iterations=30, evaluate_every=30), 1, tmp_path / "long", lambda line: None)
    finetune.run_trials(finetuning(), 3, tmp_path / "many", lambda line: None)
    assert in_memory() - before < 40 * MIB
