"""What a finished run leaves in its folder besides its own results: metrics, last of all, and its circumstances."""

import math
import platform
import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch

from depthseg_lib import fingerprint
from depthseg_lib.files import write_json
from depthseg_lib.settings import Settings
from depthseg_lib.training.engine import Outcome


def finish(folder: Path, kind: str, config: Settings, outcome: Outcome, metrics: dict) -> None:
    """Write `environment.json` and, last, `metrics.json`, whose presence says that the run is finished.

    Values that are not finite are written as null. The checkpoint stays, for whoever knows when nothing can fail any
    more.
    """
    about = {"identity": fingerprint.digest(kind, config), **environment(config, outcome.seconds)}
    write_json(folder / "environment.json", about)
    iteration = int(outcome.history["iteration"].iloc[-1]) if len(outcome.history) else 0
    write_json(
        folder / "metrics.json", _finite({"diverged_at": outcome.diverged_at, "iteration": iteration, **metrics})
    )


def environment(config: Settings, seconds: float) -> dict:
    """Commit, versions, device, settings, wall time in seconds and peak memory in MiB of this process."""
    cuda = torch.cuda.is_available()
    return {
        "commit": commit(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "torchvision", "lightning-fabric", "numpy")},
        "device": torch.cuda.get_device_name()
        if cuda
        else f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)",
        "settings": config.to_mapping(),
        "seconds": round(seconds, 2),
        "peak_memory_mib": peak_memory_mib(),
        "peak_gpu_memory_mib": torch.cuda.max_memory_allocated() // 2**20 if cuda else None,
    }


def peak_memory_mib() -> int:
    """The most memory that this process has held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, KiB elsewhere


def commit() -> str:
    """The commit of the code that runs, with `+changes` when its files differ from it; `unknown` outside a clone."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        revision = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run([*git, "status", "--porcelain", "--", "."], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return revision.stdout.strip() + ("+changes" if changes.stdout.strip() else "")


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
