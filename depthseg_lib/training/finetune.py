"""Fine-tuning runs: segmentation of a few images from a given initialisation, in several trials (section 4.2)."""

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from depthseg_lib import fingerprint
from depthseg_lib.data.arrays import Labelled, spread
from depthseg_lib.data.batches import images_to_float, segmentation_batch
from depthseg_lib.data.labels import VOID
from depthseg_lib.data.sources import load_annotated
from depthseg_lib.errors import InputError, interruptible
from depthseg_lib.files import CHECKPOINT, read_json, replacing
from depthseg_lib.losses.evaluation import confusion_matrix
from depthseg_lib.losses.losses import segmentation_nll
from depthseg_lib.losses.metrics import iou, segmentation_metrics
from depthseg_lib.models.decoder import draw_kaiming
from depthseg_lib.models.networks import DeepLab, SegmentationNetwork
from depthseg_lib.models.weights import Transfer, save_weights, starting_weights, transfer
from depthseg_lib.settings import PROTOCOLS, SELF_SUPERVISED, FinetuneConfig
from depthseg_lib.training import engine
from depthseg_lib.training.engine import Progress, Schedule, cosine, make_fabric, poly, train
from depthseg_lib.training.lock import Lock, held

SHOWN = 6
"""Validation images whose predictions are stored: the last of the fixed order, which all training sizes share."""
KEPT = 12
"""Evaluations at most whose predictions of these are stored: evenly over all, the first and the last among them."""
FEATURE_BYTES = 2**30
"""Memory that a frozen encoder's stored features may take, for training and for validation images each."""
PIXELS = 2**18
"""Pixels that are evaluated at a time: 21 images of the laptop study, 2 of the paper's size."""


class SegmentationTraining(nn.Module):
    """The network with its loss: images (or a frozen encoder's features) and labels -> scalar (equation 17)."""

    def __init__(self, network: nn.Module, frozen: bool):
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
        network = make_network(config, len(training.label_set.classes))
        self.module = SegmentationTraining(network, config.setting == "frozen")
        self.module.to(device, memory_format=torch.channels_last)
        self.together = max(1, PIXELS // (config.height * config.width))
        self.confusion = np.zeros((0, 0, 0), np.int64)
        self.shown = np.zeros((0, 0, 0), np.uint8)
        every = [*range(0, config.iterations, config.evaluate_every), config.iterations]
        self.kept = set(spread(np.array(every), KEPT).tolist())

    def batch(self, indices: Tensor, iteration: int) -> tuple[Tensor | list[Tensor], Tensor]:
        """Images, or the stored features of a frozen encoder, and labels; each sample mirrored with even odds."""
        crop = PROTOCOLS[self.config.protocol].crop
        if crop or not self._stores(2 * self.count):
            return segmentation_batch(self.training, indices, torch.default_generator, self.device, crop=crop)
        mirrored = torch.rand(len(indices)) < 0.5
        chosen = (indices + self.count * mirrored).to(self.device)
        features, labels = self._training_features
        return [maps[chosen] for maps in features], labels[chosen]

    def evaluate(self) -> dict[str, float]:
        nll, pixels, counted, shown = 0.0, 0, [], []
        for start in range(0, len(self.validation.labels), self.together):
            labels = self.validation.labels[start : start + self.together]
            truth = torch.from_numpy(labels).to(self.device).long()
            logits = self._logits(start, start + self.together)
            count = int((truth != VOID).sum())
            nll, pixels = nll + segmentation_nll(logits, truth).item() * count, pixels + count
            predicted = logits.argmax(1)
            counted.append(confusion_matrix(predicted, truth, logits.shape[1]))
            shown = [*shown, *predicted.byte()][-SHOWN:]
        self.shown = torch.stack(shown).cpu().numpy()
        self.confusion, on_void = (torch.cat(of).cpu().numpy() for of in zip(*counted, strict=True))
        classes = self.validation.label_set.classes
        per_class = dict(zip((f"iou_{c}" for c in classes), iou(self.confusion.sum(0)).tolist(), strict=True))
        found = segmentation_metrics(self.confusion, on_void, self.validation.label_set.representative)
        return {"nll": nll / max(1, pixels), **found, **per_class}

    def keep(self, iteration: int) -> bytes | None:
        """What the evaluation at an iteration predicted of the last validation images (K H W uint8 classes), packed;
        None where that is not stored."""
        return zlib.compress(self.shown.tobytes(), 1) if iteration in self.kept else None

    def picture(self) -> list[tuple[str, np.ndarray]]:
        """The last validation image with its truth and prediction, in the classes' colours."""
        last, colour = len(self.validation.images) - 1, self.validation.label_set.colour
        image, truth = self.validation.images[last].transpose(1, 2, 0), colour(self.validation.labels[last])
        return [("image", image), ("truth", truth), ("prediction", colour(self.shown[-1]))]

    def _logits(self, start: int, stop: int) -> Tensor:
        if self._stores(len(self.validation.images)):
            return self.module.network.decode([maps[start:stop] for maps in self._validation_features])
        return self.module.network(self._images(start, stop))

    def _images(self, start: int, stop: int) -> Tensor:
        return images_to_float(torch.from_numpy(self.validation.images[start:stop]).to(self.device))

    def _stores(self, images: int) -> bool:
        """Whether the features of so many images are computed once and kept: a frozen encoder's, as memory allows."""
        height, width = self.config.height, self.config.width
        sizes = (c * (height >> s) * (width >> s) for s, c in enumerate(self.module.network.encoder.channels, start=1))
        return self.module.frozen and images * 4 * sum(sizes) <= FEATURE_BYTES

    @cached_property
    def _training_features(self) -> tuple[list[Tensor], Tensor]:
        """The frozen encoder's maps and the labels of all training images, then of all mirrored; computed once."""
        images, labels = segmentation_batch(
            self.training, torch.arange(self.count), torch.default_generator, self.device, flip=False
        )
        both = torch.cat([images, images.flip(-1)])
        return self._features(both), torch.cat([labels, labels.flip(-1)])

    @cached_property
    def _validation_features(self) -> list[Tensor]:
        """The frozen encoder's maps of all validation images; computed once."""
        return self._features(self._images(0, len(self.validation.images)))

    @torch.no_grad()
    def _features(self, images: Tensor) -> list[Tensor]:
        return [
            torch.cat(maps) for maps in zip(*map(self.module.network.encoder, images.split(self.together)), strict=True)
        ]


def make_network(config: FinetuneConfig, classes: int) -> nn.Module:
    """The network of a fine-tuning run, before any weights are taken over.

    What learned from photographs saw ImageNet's normalisation; everything else, Monodepth2's (Appendix A).
    """
    photographs = config.initialisation in ("imagenet", "classification", *SELF_SUPERVISED)
    normalisation = "imagenet" if photographs else "depth"
    if config.setting == "deeplab":  # its layers are normalised: PyTorch's draw serves
        return DeepLab(config.encoder, classes, normalisation, PROTOCOLS[config.protocol].output_stride)
    network = SegmentationNetwork(config.encoder, classes, normalisation)
    if config.fresh_decoder == "kaiming":
        draw_kaiming(network.decoder)
    return network


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
    """Predicted classes of these (K H W) at the end."""


@interruptible()
def run_trials(config: FinetuneConfig, trials: int, folder: str | Path, progress: Progress = print) -> list[Finetuned]:
    """Fine-tune as `config` says, `trials` times from `config.trial` on, each in a folder `t<trial>` below `folder`.

    Each draws its own training images, fresh layers and order of batches.
    """
    if trials < 1:
        raise InputError(f"trials = {trials}: expected one at least")
    done = []
    for number in range(config.trial, config.trial + trials):
        report = engine.prefixed(progress, f"trial {number}: ") if trials > 1 else progress
        done.append(run(config.changed(trial=number), Path(folder) / f"t{number}", report))
    return done


def run(config: FinetuneConfig, folder: str | Path, progress: Progress = print) -> Finetuned:
    """Fine-tune one trial and leave history, metrics, confusion matrices, predictions and weights in `folder`.

    A trial that is there already, of the same settings, starting weights and code, is kept, and one that was killed is
    gone on with; while another process trains it, this one waits.
    """
    folder, identity = Path(folder), fingerprint.of("finetune", config)
    if not fingerprint.is_current(folder, identity):
        with held(folder, progress) as lock:
            if not (lock.waited and fingerprint.is_current(folder, identity)):
                return _run(config, folder, identity, progress, lock)
    progress("finished before")
    return read(folder)


def _run(config: FinetuneConfig, folder: Path, identity: str, progress: Progress, lock: Lock) -> Finetuned:
    fabric = make_fabric(config.precision)
    training, validation = load_annotated(config, config.images, progress, config.trial)
    torch.manual_seed(config.trial)  # the same fresh layers for every initialisation of a trial
    task = SegmentationTask(config, training, validation, fabric.device)
    taken = start(config, task.module.network)
    if taken:
        progress(f"weights of {config.initialisation}: {taken}")
    protocol = PROTOCOLS[config.protocol]
    decay = {"cosine": cosine, "poly": poly}[protocol.schedule]
    steps = (config.iterations, config.batch, config.learning_rate, decay, config.evaluate_every)
    schedule = Schedule(*steps, config.trial, protocol.optimiser)
    identity = f"{identity} trial {config.trial}"
    outcome = train(task, schedule, fabric, folder, identity, progress, lock.check, task.keep)

    about = {"encoder": config.encoder, "initialisation": config.initialisation}
    save_weights(task.module.network, folder / "weights.safetensors", **about)
    with replacing(folder / "confusion.npz") as scratch, scratch.open("wb") as file:
        np.savez_compressed(file, images=task.confusion.astype(np.uint32), names=np.array(validation.names))
    count = len(validation.images)
    shown = np.arange(count)[-SHOWN:]
    chosen, from_end = validation.subset(shown), shown - count  # so counted they are the same at every training size
    pictures = {"names": np.array(chosen.names), "images": chosen.images, "truth": chosen.labels}
    course = [np.frombuffer(zlib.decompress(of), np.uint8).reshape(task.shown.shape) for of in outcome.kept.values()]
    pictures |= {"iterations": np.array(list(outcome.kept)), "predictions": np.stack(course)}
    with replacing(folder / "predictions.npz") as scratch, scratch.open("wb") as file:
        np.savez_compressed(file, indices=from_end, **pictures)

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
        shown, predictions = stored["indices"], stored["predictions"][-1]
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
