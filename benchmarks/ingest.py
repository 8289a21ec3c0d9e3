"""Reading batches of packed frames, beside decoding and resizing the same files with PIL for each batch.

    python benchmarks/ingest.py FOLDER [--height 192] [--width 640] [--name "KITTI raw PNG"]

FOLDER holds the frames of one clip, such as `image_02/data` of a KITTI raw drive. Both ways make the same batches, in
turn and in the same process: the pack on one thread, PIL on one per core. A batch is a uint8 tensor. The pack is
repeated up to 1 GiB, so that it does not fit into the processor's cache; it is in the system's, as the files are. The
packing itself is timed as well, beside doing the same on one thread. Prints a table and stores it with
`benchmarks/store.py`.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import store
import torch
from PIL import Image

from depthseg_lib.data import cache, image_files, ingest

BATCH = 12
"""Frames of a batch, as many as Monodepth2's has triplets."""
LARGE = 2**30
"""Bytes up to which the pack is repeated."""
SECONDS = 5.0
"""Each way is timed for so long, several times in turn."""


def pil(file: Path, height: int, width: int) -> np.ndarray:
    """A frame (3, H, W) uint8, decoded and resized as for the pack, in PIL's plain words."""
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)).transpose(2, 0, 1)


def repeated(packed: np.ndarray, file: Path) -> np.ndarray:
    """A memory map of `packed`, again and again, up to `LARGE` bytes."""
    times = -(-LARGE // packed.nbytes)
    whole = np.lib.format.open_memmap(file, "w+", packed.dtype, (times * len(packed), *packed.shape[1:]))
    for start in range(0, len(whole), len(packed)):
        whole[start : start + len(packed)] = packed
    whole.flush()
    return np.load(file, mmap_mode="r")


def rate(batch: Callable[[np.ndarray], torch.Tensor], count: int) -> float:
    """Samples per second of batches at random indices."""
    draw, samples, began = np.random.default_rng(0), 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        samples += len(batch(draw.integers(0, count, BATCH)))
    return samples / (time.perf_counter() - began)


def reading(files: tuple[Path, ...], packed: np.ndarray, turns: int = 3) -> tuple[float, float]:
    """Samples/s of batches from the pack and of batches decoded anew, each the median of a few turns."""
    size = packed.shape[2:]
    with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:

        def copied(indices: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(packed[indices])

        def decoded(indices: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.stack(list(pool.map(lambda i: pil(files[i % len(files)], *size), indices))))

        assert torch.equal(copied(np.arange(4)), decoded(np.arange(4)))
        found = [(rate(copied, len(packed)), rate(decoded, len(packed))) for _ in range(turns)]
    return tuple(np.median(found, axis=0))


def packing(clip: ingest.Clip, height: int, width: int) -> float:
    """Frames per second of packing `clip` into an empty cache."""
    with tempfile.TemporaryDirectory() as place:
        os.environ["DEPTHSEG_CACHE"] = place
        began = time.perf_counter()
        ingest.video([clip], height, width)
        return len(clip.files) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--name", default="frames")
    given = parser.parse_args()
    files = image_files.image_files(given.folder)
    height, width = image_files.size(files[0])
    clip = ingest.Clip(files, (height, width), np.diag([width, height, 1.0]))
    size = f"{given.height}x{given.width}"
    with tempfile.TemporaryDirectory() as place:
        os.environ["DEPTHSEG_CACHE"] = place
        packed = ingest.video([clip], given.height, given.width, progress=print).images
        fast, slow = reading(files, repeated(packed, Path(place) / "repeated.npy"))
    threads, cores = cache.THREADS, len(os.sched_getaffinity(0))
    parallel = packing(clip, given.height, given.width)
    cache.THREADS = 1
    single = packing(clip, given.height, given.width)
    cache.THREADS = threads
    what = f"{given.name} at {size}"
    rows = [
        store.row(f"batches of packed {what}, beside PIL on {cores} threads", fast, slow, "samples/s", goal=10.0),
        store.row(f"packing {what} on {cores} threads, beside one", parallel, single, "frames/s", goal=1.0),
    ]
    store.save(rows)


if __name__ == "__main__":
    main()
