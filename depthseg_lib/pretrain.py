"""One pre-training run: data, start, training, what it leaves in its folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from depthseg_lib import identity, runs
from depthseg_lib.classification import ClassificationTask
from depthseg_lib.config import PretrainConfig
from depthseg_lib.data.sources import load_photographs, load_video
from depthseg_lib.depth import DepthTask
from depthseg_lib.engine import Schedule, make_fabric, step_at_three_quarters, train
from depthseg_lib.files import replacing
from depthseg_lib.metrics import median_scaled
from depthseg_lib.models.weights import Transfer, save_weights, starting_weights, transfer

Progress = Callable[[str], None]
STILL = 1e-5
"""Mean translation below which the pose counts as stuck at zero."""
FEW = 0.05
"""Share of pixels left by the auto-mask below which there is nearly nothing to learn from."""


@dataclass(frozen=True)
class Pretrained:
    """What a pre-training run made."""

    history: pd.DataFrame
    """A row per evaluation."""
    metrics: dict
    """Metrics at the end, baselines beside them; `diverged_at` is null unless the loss ceased to be finite."""
    transfer: Transfer | None
    """What the run took over from the weights that it started from; None from scratch."""
    warnings: tuple[str, ...]
    """What looks wrong, in words."""


def run(config: PretrainConfig, folder: str | Path, progress: Progress = print) -> Pretrained:
    """Pre-train as `config` says and leave weights, history, metrics and examples in `folder`.

    A folder that holds the checkpoint of the same run, killed earlier, is gone on with.
    """
    folder, fabric = Path(folder), make_fabric(config.precision)
    torch.manual_seed(config.seed)
    task = _task(config, fabric.device, progress)
    taken = _start(config, task)
    if taken:
        progress(f"weights of {config.starts_from}: {taken}")
    outcome = train(task, _schedule(config), fabric, folder, identity.digest("pretrain", config), progress)
    with torch.no_grad():
        task.module.eval()
        found = {"task": config.task} | _last(outcome.history) | (task.baselines() if config.task == "depth" else {})
        if config.task == "depth":
            _save_examples(task, folder)
    warnings = check_training(found)
    _save_networks(config, task, folder)
    runs.finish(folder, "pretrain", config, outcome, found | {"warnings": "; ".join(warnings)})
    return Pretrained(outcome.history, found | {"diverged_at": outcome.diverged_at}, taken, warnings)


def _task(config: PretrainConfig, device, progress: Progress):
    if config.task == "classification":
        return ClassificationTask(config, load_photographs(config, progress), device)
    return DepthTask(config, load_video(config, progress), device)


def _schedule(config: PretrainConfig) -> Schedule:
    return Schedule(
        config.iterations,
        config.batch,
        config.learning_rate,
        step_at_three_quarters,
        config.evaluate_every,
        config.seed,
    )


def _start(config: PretrainConfig, task) -> Transfer | None:
    """Depth and pose encoder both start from the classifier's, as Monodepth2's do from ImageNet's."""
    if config.starts_from == "none":
        return None
    state, source = starting_weights(config.encoder, config.starts_from, config.start_weights)
    taken = transfer(state, task.module.depth, source)
    pose, depth = task.module.pose.encoder, task.module.depth.encoder
    narrow = {name: tensor for name, tensor in depth.state_dict().items() if name != "resnet.conv1.weight"}
    pose.load_state_dict({**pose.state_dict(), **narrow})
    pose.load_single_image_stem(depth.resnet.conv1.weight.detach())
    return taken


def _last(history: pd.DataFrame) -> dict:
    return {name: float(value) for name, value in history.iloc[-1].items() if name not in ("iteration", "seconds")}


def _save_networks(config: PretrainConfig, task, folder: Path) -> None:
    network = task.module.classifier if config.task == "classification" else task.module.depth
    about = {"encoder": config.encoder, "initialisation": config.initialisation}
    save_weights(network, folder / "weights.safetensors", **about)
    if config.task == "depth":
        save_weights(task.module.pose, folder / "pose.safetensors", **about)


def _save_examples(task: DepthTask, folder: Path, count: int = 4) -> None:
    frames = np.unique(task.held_out[np.linspace(0, len(task.held_out) - 1, count).round().astype(int), 1])
    prediction, images = task.predict(frames), task.video.images[frames]
    truth = np.zeros(prediction.shape, np.float32)
    if task.video.depth is not None:
        truth = task.video.depth[frames].astype(np.float32)
        prediction = torch.stack(
            [median_scaled(p, torch.from_numpy(t)) for p, t in zip(prediction, truth, strict=True)]
        )
    with replacing(folder / "examples.npz") as scratch, scratch.open("wb") as file:
        np.savez_compressed(file, images=images, truth=truth, prediction=prediction.numpy())


def load_examples(folder: str | Path, name: str) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """A depth run's examples: images K 3 H W, true depth K H W and, under `name`, predicted depth K H W, in metres."""
    with np.load(Path(folder) / "examples.npz") as stored:
        return stored["images"], stored["truth"], {name: stored["prediction"]}


def check_training(found: dict) -> tuple[str, ...]:
    """What in the last evaluation of a run looks wrong, in words: an empty auto-mask, a pose that stays at zero."""
    warnings = []
    if found.get("kept", 1.0) < FEW:
        warnings.append(
            f"the auto-mask removed {100 * (1 - found['kept']):.0f} % of the pixels: the camera hardly moves between "
            "neighbouring frames (take a larger frame_step) or nothing was learned"
        )
    if found.get("translation", 1.0) < STILL:
        warnings.append(
            f"the pose network stays at zero (mean translation {found['translation']:.1e}): depth cannot be learned; "
            "check intrinsics, frame_step and learning_rate"
        )
    return tuple(warnings)
