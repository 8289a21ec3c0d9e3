"""Rendering speed of the embedded world: python -m benchmarks.rendering [--device cuda]

Frames and photographs a second.

Prints one entry per task, as `benchmarks/results/<device>.json` holds them; `--append FILE` adds them to such a file.
The reference is the sketch that the design started from: 64 x 192 at about 0.03 s a frame on two cores.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from depthseg_lib.data.objects import PhotographsConfig, render_photographs
from depthseg_lib.data.streets import build_street, render

_SKETCH = 33.0  # frames/s, two cores


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


def entry(what: str, ours: float, reference: float | None, goal: float) -> dict:
    """One line of the results file; `limit_share` is the share of the goal's time budget that was used."""
    ratio = None if reference is None else round(ours / reference, 2)
    return {
        "what": what,
        "ours": round(ours, 1),
        "reference": reference,
        "unit": "1/s",
        "ratio": ratio,
        "goal": goal,
        "limit_share": round(goal / ours, 2),
    }


def main() -> None:
    """Measure, print, and append where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--append", type=Path)
    arguments = parser.parse_args()
    device, threads = arguments.device, f"{torch.get_num_threads()} threads"
    where = threads if device == "cpu" else device
    small = frames_per_second(64, 192, device, 6)
    large = frames_per_second(192, 640, device, 2)
    entries = [
        entry(f"street frames 64x192, {where}", small, _SKETCH, goal=16.7),
        entry(f"street frames 192x640, {where}", large, None, goal=1.7),
        entry(f"photographs 64x64, {where}", photographs_per_second(device), None, goal=83.0),
    ]
    print(json.dumps(entries, indent=1))
    if arguments.append:
        known = json.loads(arguments.append.read_text()) if arguments.append.exists() else []
        names = {item["what"] for item in entries}
        arguments.append.parent.mkdir(parents=True, exist_ok=True)
        arguments.append.write_text(json.dumps([k for k in known if k["what"] not in names] + entries, indent=1))


if __name__ == "__main__":
    main()
