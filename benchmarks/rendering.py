"""Rendering speed of the embedded world: frames and photographs a second, without the cache.

    python benchmarks/rendering.py [--device cuda] [--before CLONE]

CLONE is the folder of a clone at an earlier commit: each thing is then measured there too, in turn with here, and the
goal is a ratio. On as many threads as OMP_NUM_THREADS says, or on the GPU. Prints a table and stores it with
`benchmarks/store.py`. The goals without CLONE are frames a second that let the laptop profile render all it needs in
five minutes of one core.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import store
import torch

from depthseg_lib.data.photographs import PhotographsConfig, render_photographs
from depthseg_lib.data.streets import build_street, render

WHAT = {"street frames 64x192": 16.7, "street frames 192x640": 1.7, "photographs 64x64": 83.0}
"""What is measured, and its goal a second."""
FASTER = 2.0
"""Goal of the ratio to an earlier commit."""


def rate(what: str, device: str, count: int = 192) -> float:
    """Frames a second of three streets without building them, or photographs with the building of their scenes."""
    kind, size = what.rsplit(" ", 1)
    if kind == "photographs":
        with tempfile.TemporaryDirectory() as folder:
            config = PhotographsConfig(count=count)
            return _rate(lambda: render_photographs(Path(folder), config, device), count)
    height, width = map(int, size.split("x"))
    frames = 6 if height < 100 else 2
    streets = [build_street((0, 0, number), frames + 1).to(device) for number in range(3)]
    return _rate(lambda: [render(street, t, height, width) for street in streets for t in range(frames)], 3 * frames)


def _rate(work, count: int) -> float:
    """The best of two runs, so that a busy moment of the machine counts less."""
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        work()
        store.synchronise()
        seconds.append(time.perf_counter() - begin)
    return count / min(seconds)


def rate_of(clone: Path, what: str, device: str) -> float:
    """The same of the library in `clone`, in a process of its own."""
    command = [sys.executable, __file__, "--device", device, "--only", what]
    environment = os.environ | {"PYTHONPATH": str(clone.resolve())}
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--before", type=Path, metavar="CLONE")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(rate(given.only, given.device))
        return
    threads, rows = "" if given.device != "cpu" else f", {torch.get_num_threads()} threads", []
    here = Path(__file__).parent.parent
    for what, goal in WHAT.items():
        if not given.before:
            rows.append(store.row(f"{what}{threads}", rate(what, given.device), None, "images/s", goal))
            continue
        turns = [[rate_of(clone, what, given.device) for clone in (here, given.before)] for _ in range(3)]
        ours, before = map(max, zip(*turns, strict=True))
        rows.append(store.row(f"{what}{threads}, beside an earlier commit", ours, before, "images/s", FASTER))
    store.save(rows)


if __name__ == "__main__":
    main()
