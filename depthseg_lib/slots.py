"""Several jobs on several GPUs: each takes a free place on one card and sees no other card."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from depthseg_lib.data.cache import cache_root

GPUS = "DEPTHSEG_GPUS"
"""Variable with the GPUs to share out, such as `0,1`; without it, nothing is locked or hidden."""
JOBS_PER_GPU = "DEPTHSEG_JOBS_PER_GPU"
"""Variable with the number of jobs that share one GPU."""


@contextmanager
def slot(folder: Path | None = None, poll: float = 0.5) -> Iterator[str | None]:
    """Hold a place on a GPU, waiting for one, and set `CUDA_VISIBLE_DEVICES` to that GPU alone.

    The first places of all GPUs are given out before any second one. Locks end with their process, however it ends.
    Yields the GPU, or None when `DEPTHSEG_GPUS` is not set.
    """
    gpus = [gpu for gpu in os.environ.get(GPUS, "").split(",") if gpu]
    if not gpus:
        yield None
        return
    folder = folder or cache_root() / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    places = [(gpu, place) for place in range(int(os.environ.get(JOBS_PER_GPU, "1"))) for gpu in gpus]
    gpu, lock = _take(places, folder, poll)
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    try:
        yield gpu
    finally:
        lock.release()
        os.environ.pop("CUDA_VISIBLE_DEVICES")
        if before is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


def _take(places: list[tuple[str, int]], folder: Path, poll: float) -> tuple[str, FileLock]:
    while True:
        for gpu, place in places:
            lock = FileLock(folder / f"{os.uname().nodename}-gpu{gpu}-{place}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return gpu, lock
        time.sleep(poll)
