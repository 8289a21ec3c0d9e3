"""How the cost of a training step and its peak memory grow with batch, image size, training images and frames.

    python benchmarks/growth.py

Each point is a process of its own, on one thread or on the GPU. The numbers of images and frames are of files of zeros
that take no space; a step should cost the same for all of them. Draws `benchmarks/results/growth-DEVICE.png`.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import store
import torch
from training import DEVICE, GPU, optimised

from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.labels import KITTI
from depthseg_lib.settings import FinetuneConfig, PretrainConfig
from depthseg_lib.training.depth import DepthTask
from depthseg_lib.training.finetune import SegmentationTask

USUAL = dict(batch=8, height=64, width=192, count=1000)
"""What does not grow."""
SIZES = [dict(height=height, width=3 * height) for height in (64, 96, 128, 192)]
GROWING = {
    "samples of a batch": (("depth", "finetune"), [dict(batch=batch) for batch in (1, 2, 4, 8, 16)]),
    "pixels of an image": (("depth", "finetune"), SIZES),
    "frames of the video": (("depth",), [dict(count=count) for count in (100, 1000, 10_000, 100_000)]),
    "training images": (("finetune",), [dict(count=count) for count in (16, 100, 1000, 10_000)]),
}


def measure(kind: str, batch: int, height: int, width: int, count: int) -> None:
    """Print, as JSON, the seconds of a step and the peak memory in MiB beyond what the process had before its data."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        images = np.memmap(Path(folder, "images"), np.uint8, "w+", shape=(count, 3, height, width))
        if kind == "depth":
            camera = np.array([[0.58 * width, 0, width / 2], [0, 1.92 * height, height / 2], [0, 0, 1]], np.float32)
            video = Video(images, np.arange(count, dtype=np.int32) // 50, np.tile(camera, (count, 1, 1)))
            task = DepthTask(PretrainConfig(height=height, width=width), video, DEVICE)
        else:
            labels = np.memmap(Path(folder, "labels"), np.uint8, "w+", shape=(count, height, width))
            data = Labelled(images, labels, KITTI, tuple(map(str, range(count))))
            config = FinetuneConfig(initialisation="none", height=height, width=width)
            task = SegmentationTask(config, data.view(np.arange(count)), data.view(np.arange(4)), DEVICE)
        step, _ = optimised(task, batch, True)
        seconds = []
        for _ in range(8):
            began = time.perf_counter()
            step()
            store.synchronise()
            seconds.append(time.perf_counter() - began)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
    print(json.dumps({"seconds": min(seconds), "peak": torch.cuda.max_memory_allocated() / 2**20 if GPU else peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--point", type=json.loads, help=argparse.SUPPRESS)
    point = parser.parse_args().point
    if point:
        measure(**point)
        return
    figure, axes = plt.subplots(2, len(GROWING), figsize=(12, 5.5), layout="constrained", sharex="col")
    for column, (what, (kinds, steps)) in zip(axes.T, GROWING.items(), strict=True):
        for kind in kinds:
            points = [USUAL | changed for changed in steps]
            arguments = [json.dumps({"kind": kind, **settings}) for settings in points]
            found = [store.in_process(__file__, "--point", of) for of in arguments]
            grows = {"samples of a batch": "batch", "pixels of an image": "pixels"}.get(what, "count")
            x = [dict(settings, pixels=settings["height"] * settings["width"])[grows] for settings in points]
            label = {"depth": "depth pre-training", "finetune": "fine-tuning"}[kind]
            for axis, name, scale in zip(column, ("seconds", "peak"), (1e3, 1), strict=True):
                axis.plot(x, [scale * one[name] for one in found], "o-", label=label, color=f"C{kind == 'finetune':d}")
            print(
                f"{what}, {kind}: "
                + ", ".join(f"{a}: {b['seconds']:.3f} s {b['peak']:.0f} MiB" for a, b in zip(x, found))
            )
        for axis in column:  # from zero on, so that what stays the same looks so
            axis.set_xscale("log" if grows == "count" else "linear")
            axis.set_xticks(x, [f"{value:,}" for value in x], rotation=30, ha="right")
            axis.minorticks_off()
            axis.set_ylim(0, 1.1 * axis.dataLim.y1)
            axis.grid(alpha=0.3)
        column[1].set_xlabel(what)
    axes[0, 0].set_ylabel("milliseconds of a step")
    axes[1, 0].set_ylabel("peak memory, MiB")
    axes[0, 0].legend(frameon=False)
    usual = f"{USUAL['height']}x{USUAL['width']}, batch {USUAL['batch']}, {USUAL['count']} frames or images"
    figure.suptitle(
        f"quarter-width ResNet-18 on {store.device()}; what does not grow: {usual}; memory beyond the libraries'",
        fontsize=10,
    )
    figure.savefig(store.RESULTS / f"growth-{store.slug()}.png", dpi=110)


if __name__ == "__main__":
    main()
