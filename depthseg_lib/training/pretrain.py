"""One pre-training run: data, start, training, what it leaves in its folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import pandas as pd
import torch
from torch import nn

from depthseg_lib import fingerprint
from depthseg_lib.data.sources import depth_camera, load_flow, load_photographs, load_video
from depthseg_lib.errors import InputError, interruptible
from depthseg_lib.files import read_json, replacing
from depthseg_lib.losses.metrics import LEARNED
from depthseg_lib.models.weights import Transfer, save_weights, starting_weights, transfer
from depthseg_lib.settings import PretrainConfig
from depthseg_lib.training import engine
from depthseg_lib.training.classification import ClassificationTask
from depthseg_lib.training.depth import DepthTask, SupervisedTask
from depthseg_lib.training.engine import Progress, Schedule, Task, make_fabric, train
from depthseg_lib.training.flow import FlowTask, held_out_pairs
from depthseg_lib.training.lock import Lock, held

STILL = 1e-5
"""Mean translation below which the pose counts as stuck at zero."""
FEW = 0.05
"""Share of pixels left by the auto-mask below which there is nearly nothing to learn from."""


class PretrainingTask(Task, Protocol):
    """What a pre-training task is besides one that can be trained."""

    def decay(self, progress: float) -> float:
        """Factor on the step size at a progress of 0..1 through the run: the task's schedule."""

    def baselines(self) -> dict[str, float]:
        """The metrics of what knows nothing of the images, to be stored beside those of the network."""

    def examples(self) -> dict[str, np.ndarray]:
        """What a figure of a few held-out samples needs; nothing where there is nothing to see."""

    def networks(self) -> dict[str, nn.Module]:
        """The networks to keep, by file name; `weights` is what fine-tuning starts from."""


@dataclass(frozen=True)
class Pretrained:
    """What a pre-training run made."""

    history: pd.DataFrame
    """A row per evaluation."""
    metrics: dict
    """Metrics at the end, baselines beside them; `diverged_at` is null unless the loss ceased to be finite."""
    learned: str
    """Whether it beats what sees no image, in a sentence with the numbers."""
    transfer: Transfer | None
    """What the run took over from the weights that it started from; None from scratch."""
    warnings: tuple[str, ...]
    """What looks wrong, in words."""


@interruptible()
def run(config: PretrainConfig, folder: str | Path, progress: Progress = print) -> Pretrained:
    """Pre-train as `config` says and leave weights, history, metrics and examples in `folder`.

    A run that is there already, of the same settings, start and code, is kept, and one that was killed is gone on with;
    while another process trains it, this one waits. The checkpoint stays: a job whose results were removed because
    it failed afterwards has nothing to train again.
    """
    folder, identity = Path(folder), fingerprint.of("pretrain", config)
    if not _is_there(folder, identity):
        with held(folder, progress) as lock:
            if not (lock.waited and _is_there(folder, identity)):
                return _run(config, folder, identity, progress, lock)
    progress("finished before")
    return read(folder)


def _is_there(folder: Path, identity: str) -> bool:
    return fingerprint.is_current(folder, identity) and (folder / "weights.safetensors").is_file()


def _run(config: PretrainConfig, folder: Path, identity: str, progress: Progress, lock: Lock) -> Pretrained:
    fabric = make_fabric(config.precision)
    torch.manual_seed(config.seed)
    task = make_task(config, fabric.device, progress)
    taken = None
    if config.starts_from != "none":
        state, source = starting_weights(config.encoder, config.starts_from, config.start_weights)
        taken = transfer(state, task.module.depth, source)
        # the pose encoder starts from the same weights, as Monodepth2's do from ImageNet's
        pose, depth = task.module.pose.encoder, task.module.depth.encoder
        narrow = {name: tensor for name, tensor in depth.state_dict().items() if name != "resnet.conv1.weight"}
        pose.load_state_dict({**pose.state_dict(), **narrow})
        pose.load_single_image_stem(depth.resnet.conv1.weight.detach())
        progress(f"weights of {config.starts_from}: {taken}")

    steps = (config.iterations, config.batch, config.learning_rate, task.decay, config.evaluate_every)
    outcome = train(task, Schedule(*steps, config.seed), fabric, folder, identity, progress, lock.check)

    last = outcome.history.iloc[-1].drop(["iteration", "seconds"])
    with torch.no_grad():
        task.module.eval()
        found = {"task": config.task} | {name: float(value) for name, value in last.items()} | task.baselines()
        examples = task.examples()
    if examples:
        name = "flow_examples.npz" if config.task == "flow" else "examples.npz"
        with replacing(folder / name) as scratch, scratch.open("wb") as file:
            np.savez_compressed(file, **examples)
    about = {"encoder": config.encoder, "initialisation": config.initialisation}
    about |= {"diverged_at": str(outcome.diverged_at)} if outcome.diverged_at is not None else {}
    for name, network in task.networks().items():
        save_weights(network, folder / f"{name}.safetensors", **about)
    learned, sentence = what_was_learned(found)
    warnings = check_training(found)
    told = {"learned": learned, "learned_because": sentence, "warnings": "; ".join(warnings)}
    engine.finish(folder, "pretrain", config, outcome, found | told)
    return Pretrained(outcome.history, found | {"diverged_at": outcome.diverged_at}, sentence, taken, warnings)


def read(folder: str | Path) -> Pretrained:
    """What a finished run left in its folder; what it took over is not kept."""
    history, found = pd.read_parquet(Path(folder) / "history.parquet"), read_json(Path(folder) / "metrics.json")
    warnings = tuple(filter(None, found["warnings"].split("; ")))
    return Pretrained(history, found, found["learned_because"], None, warnings)


def make_task(config: PretrainConfig, device, progress: Progress = print) -> PretrainingTask:
    """The task of a run with its data, before any weights are taken over."""
    if config.task == "classification":
        return ClassificationTask(config, load_photographs(config, progress), device)
    video = load_video(config, progress)
    if config.task == "supervised":
        return SupervisedTask(config, video, depth_camera(config), device)
    if config.task == "flow":
        return FlowTask(config, video, load_flow(config, held_out_pairs(config, video), progress), device)
    if config.task == "depth":
        return DepthTask(config, video, device)
    raise InputError(f"'{config.initialisation}' is learned by '{config.task}', which has no procedure here")


def load_examples(folder: str | Path, name: str) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """A depth run's examples: images K 3 H W, true depth K H W and, under `name`, predicted depth K H W, in metres."""
    with np.load(Path(folder) / "examples.npz") as stored:
        return stored["images"], stored["truth"], {name: stored["prediction"]}


def load_flow_examples(folder: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """A flow run's examples: pairs of images K 2 3 H W, predicted and exact flow K 2 H W pixels, None where unknown."""
    with np.load(Path(folder) / "flow_examples.npz") as stored:
        return stored["images"], stored["flow"], stored["true_flow"] if "true_flow" in stored else None


def what_was_learned(found: dict) -> tuple[Literal["yes", "in part", "no"] | None, str]:
    """Whether the last evaluation of a run beats what sees no image, on all of its metrics, and that in a sentence.

    Depth is held against the mean depth map, flow against the mean flow and no flow, classification against always
    naming the commonest class; by the share `LEARNED`. None where nothing is known to compare with.
    """
    rivals = {
        "abs_rel": ("abs-rel", "", {"mean_map": "the mean depth map"}),
        "rmse": ("RMSE", " m", {"mean_map": "the mean depth map"}),
        "a1": ("a1", "", {"mean_map": "the mean depth map"}),
        "epe": ("end-point error", " px", {"mean_map": "the mean flow", "zero": "no flow"}),
        "epe_slow": ("that of slow pixels", " px", {"mean_map": "the mean flow", "zero": "no flow"}),
        "accuracy": ("accuracy", "", {"chance": "the commonest class"}),
    }
    what = {"flow": "flow", "classification": "classification"}.get(found["task"], "depth")
    won, lost = [], []
    for metric, (name, unit, baselines) in rivals.items():
        for baseline, described in baselines.items():
            own, other = found.get(metric), found.get(f"{metric}_{baseline}")
            if own is None or other is None:
                continue
            better = other < LEARNED * own if metric in ("a1", "accuracy") else own < LEARNED * other
            (won if better else lost).append(f"{name} {own:.3g}{unit}, {described} {other:.3g}{unit}")
    if not won and not lost:
        return None, f"Whether {what} was learned cannot be said: there is no truth to hold it against."
    if not lost:
        return "yes", f"Learned: {what} beats what sees no image ({'; '.join(won)})."
    if not won:
        return (
            "no",
            f"Not learned: {what} is no better, by {1 - LEARNED:.0%}, than what sees no image ({'; '.join(lost)}).",
        )
    return "in part", f"Learned in part: {what} beats what sees no image by {'; '.join(won)}; not by {'; '.join(lost)}."


def check_training(found: dict) -> tuple[str, ...]:
    """What in the last evaluation of a run looks wrong, in words: an empty auto-mask, a pose stuck at zero."""
    kept, translation = found.get("kept", 1.0), found.get("translation", 1.0)
    wrong = {
        f"the auto-mask removed {100 * (1 - kept):.0f} % of the pixels: the camera hardly moves between neighbouring "
        "frames (take a larger frame_step) or nothing was learned": kept < FEW,
        f"the pose network stays at zero (mean translation {translation:.1e}): depth cannot be learned; check "
        "intrinsics, frame_step and learning_rate": translation < STILL,
    }
    return tuple(text for text, so in wrong.items() if so)
