"""Fine-tuning runs: segmentation from a given initialisation, in several trials, and what they leave (section 4.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from depthseg_lib import fingerprint
from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.sources import load_annotated
from depthseg_lib.errors import InputError
from depthseg_lib.files import CHECKPOINT, read_json, replacing, write_json
from depthseg_lib.models.weights import Transfer, save_weights, starting_weights, transfer
from depthseg_lib.settings import PROTOCOLS, FinetuneConfig
from depthseg_lib.training import engine
from depthseg_lib.training.engine import Schedule, cosine, make_fabric, poly, train
from depthseg_lib.training.segmentation import SegmentationTask

Progress = Callable[[str], None]
SHOWN = 6
"""Validation images whose predictions are stored: the last of the fixed order, which all training sizes share."""


@dataclass(frozen=True)
class Finetuned:
    """What a trial left in its folder."""

    history: pd.DataFrame
    """A row per evaluation."""
    metrics: dict
    """The last evaluation's metrics, fractions 0..1; `diverged_at` is None unless the loss ceased to be finite."""
    shown: np.ndarray
    """Indices (K,), counted from the end, of the validation images whose predictions are kept."""
    predictions: np.ndarray
    """Predicted classes of these (K H W)."""


def run_trials(config: FinetuneConfig, trials: int, folder: str | Path, progress: Progress = print) -> list[Finetuned]:
    """Fine-tune as `config` says, `trials` times from `config.trial` on, each in a folder `t<trial>` below `folder`.

    They share what they can: images, labels and this process. A trial that is there already, of the same settings,
    starting weights and code, is kept; one that was killed is gone on with. `metrics.json` of `folder`, which says
    that all are finished, appears last.
    """
    if trials < 1:
        raise InputError(f"trials = {trials}: expected one at least")
    folder, data = Path(folder), load_annotated(config, config.images, progress)
    done = []
    for number in range(config.trial, config.trial + trials):
        one, place = config.changed(trial=number), folder / f"t{number}"

        def report(line: str, number: int = number) -> None:
            progress(f"trial {number}: {line}" if trials > 1 else line)

        if fingerprint.is_current(place, fingerprint.of("finetune", one)):
            report("finished before")
            done.append(read(place))
        else:
            done.append(run(one, place, report, data))
    known = {"fingerprint": fingerprint.of("finetune", config), "trials": trials}
    diverged = [one.metrics["diverged_at"] for one in done if one.metrics["diverged_at"] is not None]
    write_json(folder / "metrics.json", known | {"diverged_at": min(diverged, default=None)})
    return done


def run(
    config: FinetuneConfig,
    folder: str | Path,
    progress: Progress = print,
    data: tuple[Labelled, Labelled] | None = None,
) -> Finetuned:
    """Fine-tune one trial and leave history, metrics, confusion matrices, predictions and weights in `folder`.

    `data` are the training and the validation images when they are loaded already. A folder that holds the checkpoint
    of the same run, killed earlier, is gone on with.
    """
    folder, fabric = Path(folder), make_fabric(config.precision)
    training, validation = data or load_annotated(config, config.images, progress)
    torch.manual_seed(config.trial)  # the same fresh layers for every initialisation of a trial
    task = SegmentationTask(config, training, validation, fabric.device)
    taken = start(config, task.module.network)
    if taken:
        progress(f"weights of {config.initialisation}: {taken}")
    protocol = PROTOCOLS[config.protocol]
    decay = {"cosine": cosine, "poly": poly}[protocol.schedule]
    steps = (config.iterations, config.batch, config.learning_rate, decay, config.evaluate_every)
    schedule = Schedule(*steps, config.trial, protocol.optimiser)
    identity = f"{fingerprint.of('finetune', config)} trial {config.trial}"
    outcome = train(task, schedule, fabric, folder, identity, progress)

    about = {"encoder": config.encoder, "initialisation": config.initialisation}
    save_weights(task.module.network, folder / "weights.safetensors", **about)
    with replacing(folder / "confusion.npz") as scratch, scratch.open("wb") as file:
        names = np.array(task.validation.names)
        np.savez_compressed(file, images=task.confusion.astype(np.uint32), names=names)
    count = len(validation.images)
    shown = np.arange(count)[-SHOWN:]
    chosen, from_end = validation.subset(shown), shown - count  # so counted they are the same at every training size
    pictures = {"names": np.array(chosen.names), "images": chosen.images, "truth": chosen.labels}
    with replacing(folder / "predictions.npz") as scratch, scratch.open("wb") as file:
        np.savez_compressed(file, indices=from_end, **pictures, predictions=task.predict(shown))

    last = outcome.history.iloc[-1].drop(["iteration", "seconds"])
    of_class = {name: float(value) for name, value in last.items() if name.startswith("iou_")}
    found = {name: float(value) for name, value in last.items() if name not in of_class}
    found["iou"] = {name.removeprefix("iou_"): value for name, value in of_class.items()}
    engine.finish(folder, "finetune", config, outcome, found)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return read(folder)


def read(folder: str | Path) -> Finetuned:
    """What a finished trial left in its folder."""
    folder = Path(folder)
    with np.load(folder / "predictions.npz") as stored:
        shown, predictions = stored["indices"], stored["predictions"]
    history, metrics = pd.read_parquet(folder / "history.parquet"), read_json(folder / "metrics.json")
    return Finetuned(history, metrics, shown, predictions)


def start(config: FinetuneConfig, network: nn.Module) -> Transfer | None:
    """Copy the weights that the run starts from into `network`; None for random ones."""
    if config.initialisation == "none":
        return None
    state, source = starting_weights(config.encoder, config.initialisation, config.start_weights)
    if config.setting in ("encoder-only", "deeplab"):
        state = {name: tensor for name, tensor in state.items() if name.startswith("encoder.")}
    return transfer(state, network, source)
