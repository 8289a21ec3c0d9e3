"""Rendering speed of the embedded world: frames and photographs a second, without the cache.

    python benchmarks/rendering.py [--device cuda]

On as many threads as OMP_NUM_THREADS says, or on the GPU. Prints a table and stores it with `benchmarks/store.py`. The
goals are frames a second that let the laptop profile render all it needs in five minutes of one core.
"""

import argparse
import tempfile
import time
from pathlib import Path

import store
import torch

from depthseg_lib.data.photographs import PhotographsConfig, render_photographs
from depthseg_lib.data.streets import build_street, render


def frames_per_second(height: int, width: int, device: str, frames: int) -> float:
    """Frames a second of three streets, without building them."""
    streets = [build_street((0, 0, number), frames + 1).to(device) for number in range(3)]
    return _rate(lambda: [render(street, t, height, width) for street in streets for t in range(frames)], 3 * frames)


def photographs_per_second(device: str, count: int = 192) -> float:
    """Photographs of 64 x 64 a second, with the building of their scenes."""
    with tempfile.TemporaryDirectory() as folder:
        config = PhotographsConfig(count=count)
        return _rate(lambda: render_photographs(Path(folder), config, device), count)


def _rate(work, count: int) -> float:
    """The best of two runs, so that a busy moment of the machine counts less."""
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    return count / min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    threads = "" if device != "cpu" else f", {torch.get_num_threads()} threads"
    small, large = frames_per_second(64, 192, device, 6), frames_per_second(192, 640, device, 2)
    photographs = photographs_per_second(device)
    rows = [
        store.row(f"street frames 64x192{threads}", small, None, "frames/s", goal=16.7),
        store.row(f"street frames 192x640{threads}", large, None, "frames/s", goal=1.7),
        store.row(f"photographs 64x64{threads}", photographs, None, "images/s", goal=83.0),
    ]
    store.save(rows)


if __name__ == "__main__":
    main()
