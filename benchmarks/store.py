"""Results of benchmarks: one JSON list per device under `benchmarks/results/`, a row per thing measured."""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import torch

from depthseg_lib.study.workflow import MALLOC

RESULTS = Path(__file__).parent / "results"


def row(what: str, ours: float, reference: float | None, unit: str, goal: float) -> dict:
    """One measurement of one run on one machine.

    With a `reference` measured in the same run, `ratio` is ours over it and `goal` the ratio aimed at; without, `goal`
    is in `unit`. `limit_share` is the share of the goal's time that was taken: at most 1 when it is met.
    """
    reached = ours if reference is None else ours / reference
    found = dict(what=what, ours=round(ours, 2), reference=reference and round(reference, 2), unit=unit)
    ratio = None if reference is None else round(reached, 3)
    return {**found, "ratio": ratio, "goal": goal, "limit_share": round(goal / reached, 3)}


def save(rows: list[dict]) -> Path:
    """Print the rows and store them, in place of earlier ones of the same name, for the device of this machine."""
    path = RESULTS / f"{slug()}.json"
    known = json.loads(path.read_text()) if path.exists() else []
    names = {row["what"] for row in rows}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([r for r in known if r["what"] not in names] + rows, indent=2) + "\n")
    for found in rows:
        beside = f", beside {found['reference']}: ratio {found['ratio']}" if found["ratio"] else ""
        print(f"{found['what']}: {found['ours']} {found['unit']}{beside} (goal {found['goal']})")
    return path


def in_process(script: str, *arguments: str) -> dict:
    """What a benchmark prints, as JSON, from a process of its own, with the environment of a study's jobs."""
    environment = {"OMP_NUM_THREADS": "1", "GLIBC_TUNABLES": MALLOC, **os.environ}
    environment["PYTHONPATH"] = str(RESULTS.parents[1])
    call = [sys.executable, script, *arguments]
    return json.loads(subprocess.run(call, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout)


def synchronise() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def slug() -> str:
    """The device's name as files have it."""
    return re.sub("[^a-z0-9]+", "-", device().lower()).strip("-")


def device() -> str:
    """The name of the GPU, else of the processor."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()
