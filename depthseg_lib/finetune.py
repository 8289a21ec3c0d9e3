"""One fine-tuning run: semantic segmentation from a given initialisation, under a protocol (paper, section 4.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from depthseg_lib import runs
from depthseg_lib.config import PROTOCOLS, FinetuneConfig
from depthseg_lib.data.batches import images_to_float, segmentation_batch
from depthseg_lib.data.labels import VOID
from depthseg_lib.data.sets import Labelled
from depthseg_lib.data.sources import load_annotated
from depthseg_lib.engine import Schedule, cosine, make_fabric, train
from depthseg_lib.files import replacing
from depthseg_lib.losses import segmentation_nll
from depthseg_lib.metrics import confusion_matrix, iou, segmentation_metrics
from depthseg_lib.models.networks import SegmentationNetwork
from depthseg_lib.models.weights import Transfer, save_weights, starting_weights, transfer

Progress = Callable[[str], None]
SHOWN = 6
"""Validation images whose predictions are stored: the last of the fixed order, which all training sizes share."""
FEATURE_BYTES = 2**30
"""Memory that a frozen encoder's stored features may take."""


class SegmentationTraining(nn.Module):
    """The network with its loss: images (or a frozen encoder's features) and labels -> scalar (equation 17)."""

    def __init__(self, network: SegmentationNetwork, frozen: bool):
        super().__init__()
        self.network, self.frozen = network, frozen
        if frozen:
            network.encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> "SegmentationTraining":
        """A frozen encoder stays in evaluation mode, so that its batch-norm statistics are frozen too."""
        super().train(mode)
        if self.frozen:
            self.network.encoder.eval()
        return self

    def forward(self, batch: tuple[Tensor | list[Tensor], Tensor]) -> Tensor:
        images, labels = batch
        features = self.network.encoder(images) if isinstance(images, Tensor) else images
        return segmentation_nll(self.network.decode(features), labels)


class SegmentationTask:
    """Segmentation of a few annotated images, evaluated on all validation images."""

    def __init__(self, config: FinetuneConfig, training: Labelled, validation: Labelled, device):
        self.config, self.training, self.validation, self.device = config, training, validation, device
        self.count = len(training.images)
        network = SegmentationNetwork(config.encoder, len(training.label_set.classes), normalisation(config))
        self.module = SegmentationTraining(network, config.setting == "frozen")
        self.module.to(device, memory_format=torch.channels_last)
        self.confusion = np.zeros((0, 0, 0), np.int64)
        self._stored = None

    def batch(self, indices: Tensor) -> tuple[Tensor | list[Tensor], Tensor]:
        """Images, or the stored features of a frozen encoder, and labels; each sample mirrored with even odds."""
        flip = PROTOCOLS[self.config.protocol].flip
        if not (self.module.frozen and self._fits()):
            return segmentation_batch(self.training, indices, torch.default_generator, self.device, flip)
        mirrored = torch.rand(len(indices)) < (0.5 if flip else 0.0)
        chosen = (indices + self.count * mirrored).to(self.device)
        features, labels = self._features()
        return [maps[chosen] for maps in features], labels[chosen]

    def _fits(self) -> bool:
        height, width = self.config.height, self.config.width
        sizes = (c * (height >> s) * (width >> s) for s, c in enumerate(self.module.network.encoder.channels, start=1))
        return 2 * self.count * 4 * sum(sizes) <= FEATURE_BYTES

    @torch.no_grad()
    def _features(self) -> tuple[list[Tensor], Tensor]:
        """The frozen encoder's maps and the labels of all training images, then of all mirrored; computed once."""
        if self._stored is None:
            images, labels = segmentation_batch(
                self.training, torch.arange(self.count), torch.default_generator, self.device, flip=False
            )
            batches = torch.cat([images, images.flip(-1)]).split(8)
            maps = zip(*map(self.module.network.encoder, batches), strict=True)
            self._stored = [torch.cat(m) for m in maps], torch.cat([labels, labels.flip(-1)])
        return self._stored

    def evaluate(self) -> dict[str, float]:
        nll, pixels, confusion = 0.0, 0, []
        labels = torch.from_numpy(self.validation.labels[:])
        for start in range(0, len(labels), 8):
            truth = labels[start : start + 8].to(self.device).long()
            logits = self._logits(start, start + 8)
            count = int((truth != VOID).sum())
            nll, pixels = nll + segmentation_nll(logits, truth).item() * count, pixels + count
            confusion.append(confusion_matrix(logits.argmax(1), truth, logits.shape[1]).cpu().numpy())
        self.confusion = np.concatenate(confusion)
        classes = self.validation.label_set.classes
        per_class = dict(zip((f"iou_{c}" for c in classes), iou(self.confusion.sum(0)).tolist(), strict=True))
        found = segmentation_metrics(self.confusion, self.validation.label_set.representative)
        return {"nll": nll / max(1, pixels), **found, **per_class}

    def _logits(self, start: int, stop: int) -> Tensor:
        return self.module.network(
            images_to_float(torch.from_numpy(self.validation.images[start:stop]).to(self.device))
        )

    @torch.no_grad()
    def predict(self, indices: np.ndarray) -> np.ndarray:
        """Predicted classes (K H W uint8) of validation images."""
        self.module.eval()
        return np.concatenate([self._logits(i, i + 1).argmax(1).byte().cpu().numpy() for i in indices])


@dataclass(frozen=True)
class Finetuned:
    """What a fine-tuning run made."""

    history: pd.DataFrame
    """A row per evaluation."""
    metrics: dict
    """The last evaluation's metrics, fractions 0..1; `diverged_at` is None unless the loss ceased to be finite."""
    transfer: Transfer | None
    """What came over from the pre-training; None without any."""
    validation: Labelled
    """The validation images."""
    shown: np.ndarray
    """Indices (K,) of the validation images whose predictions are kept."""
    predictions: np.ndarray
    """Predicted classes of these (K H W)."""


def run(config: FinetuneConfig, folder: str | Path, progress: Progress = print) -> Finetuned:
    """Fine-tune as `config` says and leave history, metrics, confusion matrices, predictions and weights in `folder`.

    A folder that holds the checkpoint of the same run, killed earlier, is gone on with.
    """
    folder, fabric = Path(folder), make_fabric(config.precision)
    training, validation = load_annotated(config, config.images, progress)
    torch.manual_seed(config.trial)  # the same fresh layers for every initialisation of a trial
    task = SegmentationTask(config, training, validation, fabric.device)
    taken = start(config, task.module.network)
    if taken:
        progress(f"weights of {config.initialisation}: {taken}")
    outcome = train(task, _schedule(config), fabric, folder, runs.identity("finetune", config), progress)
    shown = np.arange(len(validation.images))[-SHOWN:]
    found = _final_metrics(outcome.history)
    result = Finetuned(
        outcome.history, found | {"diverged_at": outcome.diverged_at}, taken, validation, shown, task.predict(shown)
    )
    _save(config, task, result, folder)
    runs.finish(folder, config, outcome, found)
    return result


def normalisation(config: FinetuneConfig) -> str:
    """Classification saw images normalised by ImageNet's constants; everything else by Monodepth2's (Appendix A)."""
    classified = config.initialisation in ("imagenet", "classification")
    return "imagenet" if classified and PROTOCOLS[config.protocol].follow_normalisation else "depth"


def start(config: FinetuneConfig, network: SegmentationNetwork) -> Transfer | None:
    """Copy the weights that the run starts from into `network`; None for random ones."""
    if config.initialisation == "none":
        return None
    state, source = starting_weights(config.encoder, config.initialisation, config.start_weights)
    return transfer(state, network, source)


def _schedule(config: FinetuneConfig) -> Schedule:
    return Schedule(config.iterations, config.batch, config.learning_rate, cosine, config.evaluate_every, config.trial)


def _final_metrics(history: pd.DataFrame) -> dict:
    last = history.iloc[-1]
    per_class = {n.removeprefix("iou_"): float(v) for n, v in last.items() if n.startswith("iou_")}
    others = {n: float(v) for n, v in last.items() if not n.startswith("iou_") and n not in ("iteration", "seconds")}
    return {**others, "iou": per_class}


def _save(config: FinetuneConfig, task: SegmentationTask, result: Finetuned, folder: Path) -> None:
    about = {"encoder": config.encoder, "initialisation": config.initialisation}
    save_weights(task.module.network, folder / "weights.safetensors", **about)
    with replacing(folder / "confusion.npz") as scratch, scratch.open("wb") as file:
        names = np.array(result.validation.names)
        np.savez_compressed(file, images=task.confusion.astype(np.uint32), names=names)
    with replacing(folder / "predictions.npz") as scratch, scratch.open("wb") as file:
        chosen = result.validation.subset(result.shown)
        np.savez_compressed(
            file,
            indices=result.shown - len(result.validation.images),  # from the end: the same images at every size
            names=np.array(chosen.names),
            images=chosen.images,
            truth=chosen.labels,
            predictions=result.predictions,
        )
