"""The training loop of every run: Lightning Fabric, checkpoints, history, divergence, progress."""

import io
import math
import os
import pickle
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from depthseg_lib import fingerprint
from depthseg_lib.data.batches import epoch_indices
from depthseg_lib.errors import InputError
from depthseg_lib.files import CHECKPOINT, replacing, write_json
from depthseg_lib.settings import Settings

Progress = Callable[[str], None]
"""Takes a line of a run's report. One with a method `evaluated` gets those of evaluations there, and what to draw: the
line, the rows of the history so far, the iterations of the whole run, and `Task.picture()`."""
MOMENTUM = 0.9
"""Of stochastic gradient descent."""
CHECK_EVERY = 20
"""Iterations between looks at the loss; a look makes a GPU wait."""


PLANNED_FOR = "DEPTHSEG_PLANNED_FOR"
"""Variable that says `gpu` to a run that is not to be trained without one."""


class Task(Protocol):
    """What a run trains, and on what."""

    module: nn.Module
    """`module(batch)` is the loss."""
    count: int
    """Training samples."""

    def batch(self, indices: Tensor, iteration: int) -> Any:
        """The batch of these samples on the device, augmented with draws from torch's global generator."""

    def evaluate(self) -> dict[str, float]:
        """Metrics of the module as it is now; called in evaluation mode without gradients."""

    def picture(self) -> list[tuple[str, np.ndarray]]:
        """One fixed held-out sample as it is seen now, for a person: titles with colours (H W 3 uint8), depth (H W
        metres, 0 for none) or flow (2 H W pixels); called like `evaluate`, and without draws from a generator."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a run trains."""

    iterations: int
    """Optimiser steps."""
    batch: int
    """Samples per step."""
    learning_rate: float
    """Adam's first step size."""
    decay: Callable[[float], float]
    """Factor on the step size at a progress of 0..1 through the run."""
    evaluate_every: int
    """Iterations between evaluations; the first is before, the last after training."""
    seed: int
    """Seed of batches and augmentation."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """Adam, or stochastic gradient descent with momentum."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    history: pd.DataFrame
    """A row per evaluation: iteration, train_loss (mean since the last), the metrics, learning_rate, seconds."""
    diverged_at: int | None
    """The first iteration whose loss was not finite, or None."""
    seconds: float
    """Wall time of training, over all its parts when it was resumed."""
    kept: dict[int, bytes]
    """What `keep` gave of evaluations, by iteration."""


def cosine(progress: float) -> float:
    """From 1 to 0 along half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def poly(progress: float) -> float:
    """From 1 to 0, a little faster towards the end than a line (Chen et al. 2017)."""
    return (1 - progress) ** 0.9


def tenth_from(share: float) -> Callable[[float], float]:
    """A factor on the step size: 1, then 0.1 when this share of the run is done."""
    return lambda progress: 1.0 if progress < share else 0.1


def make_fabric(precision: str) -> Fabric:
    """One device, the GPU when there is one; threads from OMP_NUM_THREADS (torch's default without it).

    Raises `InputError` where the run was planned for a GPU and there is none: a CPU would take a hundred times as long.
    """
    if os.environ.get(PLANNED_FOR) == "gpu" and not torch.cuda.is_available():
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        raise InputError(
            f"this run was planned for a GPU, but PyTorch finds none on {platform.node()} (CUDA_VISIBLE_DEVICES "
            f"{'is not set' if seen is None else f'= {seen!r}'}): expected one; `make doctor` says what is there, "
            "and GPUS=none plans the study for the CPU"
        )
    if threads := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    return Fabric(accelerator="cuda" if torch.cuda.is_available() else "cpu", devices=1, precision=precision)


def train(
    task: Task,
    schedule: Schedule,
    fabric: Fabric,
    folder: Path,
    identity: str,
    progress: Progress,
    check: Callable[[], None] = lambda: None,
    keep: Callable[[int], bytes | None] = lambda iteration: None,
) -> Outcome:
    """Train until the schedule ends or the loss is no longer finite.

    Goes on from `folder/checkpoint.pt` if one is there that a run of the same `identity` (its settings, as text) left.
    Batches and augmentation are a function of seed and iteration alone, so a run that was killed and goes on ends
    with the same numbers as one that was not. `folder/history.parquet` grows by a row at each evaluation. `check` is
    called before anything is written, and may raise. What `keep` gives after the evaluation at an iteration, if
    anything, goes with the checkpoints into the outcome.
    """
    folder, began, watched = Path(folder), time.perf_counter(), hasattr(progress, "evaluated")
    rows, kept, losses, start, seconds_before, diverged_at = [], {}, [], 0, 0.0, None
    trained = [p for p in task.module.parameters() if p.requires_grad]
    kinds = {"adam": torch.optim.Adam, "sgd": partial(torch.optim.SGD, momentum=MOMENTUM)}
    optimiser = kinds[schedule.optimiser](trained, lr=schedule.learning_rate, fused=True)
    _, optimiser = fabric.setup(task.module, optimiser)

    def seconds() -> float:
        return seconds_before + time.perf_counter() - began

    def left(iteration: int) -> str:
        each = (time.perf_counter() - began) / (iteration - start)
        return f"{each * (schedule.iterations - iteration):.0f} s left"

    def tell(line: str) -> None:
        if not watched:
            return progress(line)
        task.module.eval()
        with torch.no_grad():
            progress.evaluated(line, rows, schedule.iterations, task.picture())

    if state := _checkpoint(folder / CHECKPOINT, identity, fabric, progress):
        task.module.load_state_dict(state["module"])
        optimiser.load_state_dict(state["optimiser"])
        rows, kept, start, seconds_before = (state[name] for name in ("rows", "kept", "iteration", "seconds"))
        progress(f"going on from iteration {start}")
        # what the last evaluation left outside the checkpoint, should no other follow: history, the task's results
        _write_history(folder, rows)
        _evaluated(task)
        if watched:
            tell(f"going on from iteration {start}")

    for iteration in range(start, schedule.iterations + 1):
        last = iteration == schedule.iterations
        due = last or iteration % schedule.evaluate_every == 0
        learning_rate = schedule.learning_rate * schedule.decay(iteration / schedule.iterations)

        if losses and (due or iteration % CHECK_EVERY == 0):
            wrong = (~torch.isfinite(torch.stack(losses))).nonzero()
            if len(wrong):
                diverged_at = iteration - len(losses) + int(wrong[0])
                progress(f"diverged at iteration {diverged_at}: the loss is not finite")
                break

        if due and not (rows and rows[-1]["iteration"] == iteration):
            check()
            loss = torch.stack(losses).mean().item() if losses else math.nan
            losses.clear()
            row = {"iteration": iteration, "train_loss": loss, **_evaluated(task), "learning_rate": learning_rate}
            rows.append(row | {"seconds": seconds()})
            kept |= {iteration: of} if (of := keep(iteration)) is not None else {}
            _write_history(folder, rows)
            state = {
                "module": task.module.state_dict(),
                "optimiser": optimiser.state_dict(),
                "rows": rows,
                "kept": kept,
            }
            state |= {"iteration": iteration, "seconds": seconds(), "identity": identity}
            packed = io.BytesIO()  # torch's own writer hides a full disk behind a RuntimeError
            torch.save(state, packed)
            with replacing(folder / CHECKPOINT) as scratch:
                scratch.write_bytes(packed.getbuffer())
            known = [name for name, value in row.items() if name != "iteration" and not math.isnan(value)]
            shown = ", ".join(f"{name} {row[name]:.4g}" for name in known[:5])
            if iteration > start and not last:
                shown += f", {left(iteration)}"
            tell(f"iteration {iteration}/{schedule.iterations}: {shown}")
        elif watched and iteration == start + CHECK_EVERY:  # who looks does not want to wait for the next one
            tell(f"iteration {iteration}/{schedule.iterations}: {left(iteration)}")

        if not last:
            torch.manual_seed(schedule.seed * 1_000_003 + iteration)
            task.module.train()
            for group in optimiser.param_groups:
                group["lr"] = learning_rate
            indices = epoch_indices(task.count, schedule.batch, iteration, schedule.seed)
            batch = task.batch(indices, iteration)
            # not Fabric's wrapper, which casts what goes in: images, intrinsics and measured depth stay float32
            with fabric.autocast():
                loss = task.module(batch)
            optimiser.zero_grad()
            fabric.backward(loss)
            optimiser.step()
            losses.append(loss.detach())

    return Outcome(pd.DataFrame(rows), diverged_at, seconds(), kept)


def prefixed(progress: Progress, prefix: str) -> Progress:
    """The same progress with `prefix` before each line."""

    def report(line: str) -> None:
        progress(prefix + line)

    if hasattr(progress, "evaluated"):
        report.evaluated = lambda line, *seen: progress.evaluated(prefix + line, *seen)
    return report


@torch.no_grad()
def _evaluated(task: Task) -> dict[str, float]:
    task.module.eval()
    # no NumPy scalars: a checkpoint that holds one cannot be read again
    return {name: float(value) for name, value in task.evaluate().items()}


def _write_history(folder: Path, rows: list[dict]) -> None:
    with replacing(folder / "history.parquet") as scratch:
        pd.DataFrame(rows).to_parquet(scratch, index=False)


def _checkpoint(path: Path, identity: str, fabric: Fabric, progress: Progress) -> dict | None:
    """The state that a run of the same identity left, on the device; None, with a word, for any other."""
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location=fabric.device, weights_only=True)
    except pickle.UnpicklingError:
        state = None
    if state and state["identity"] == identity:
        return state
    progress(f"the checkpoint in this folder {'is of other settings' if state else 'cannot be read'}: starting anew")
    return None


def finish(folder: Path, kind: str, config: Settings, outcome: Outcome, metrics: dict) -> None:
    """Write `environment.json` and, last, `metrics.json`, whose presence says that the run is finished.

    The first has commit, versions, device, settings, wall time in seconds and peak memory in MiB of this process. In
    the second, values that are not finite are null, and `files` says what else the result consists of. The checkpoint
    stays, for whoever knows when nothing can fail any more.
    """
    cuda, peak = torch.cuda.is_available(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    processor = f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"
    environment = {
        "commit": commit(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "torchvision", "lightning-fabric", "numpy")},
        "device": torch.cuda.get_device_name() if cuda else processor,
        "settings": config.to_mapping(),
        "seconds": round(outcome.seconds, 2),
        # in bytes on macOS, elsewhere in KiB
        "peak_memory_mib": peak // (2**20 if sys.platform == "darwin" else 2**10),
        "peak_gpu_memory_mib": torch.cuda.max_memory_allocated() // 2**20 if cuda else None,
    }
    write_json(folder / "environment.json", environment)
    iteration = int(outcome.history["iteration"].iloc[-1]) if len(outcome.history) else 0
    known = {"fingerprint": fingerprint.of(kind, config), "diverged_at": outcome.diverged_at, "iteration": iteration}
    files = sorted([*folder.glob("*.parquet"), *folder.glob("*.npz"), folder / "environment.json"])
    whole = {fingerprint.FILES: {file.name: file.stat().st_size for file in files}}
    write_json(folder / "metrics.json", _finite(known | metrics) | whole)


def commit() -> str:
    """The commit of the code that runs, with `+changes` when its files differ from it; `unknown` outside a clone."""
    git = ["git", "-C", str(Path(__file__).parent)]
    asked = (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--", "."])
    try:
        told = [subprocess.run(git + one, capture_output=True, text=True, check=True).stdout.strip() for one in asked]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told[0] + ("+changes" if told[1] else "")


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
