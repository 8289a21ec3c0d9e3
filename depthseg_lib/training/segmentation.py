"""Segmentation of a few annotated images: the task that fine-tuning trains (paper, section 4.2)."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.batches import images_to_float, segmentation_batch
from depthseg_lib.data.labels import VOID
from depthseg_lib.losses.evaluation import confusion_matrix
from depthseg_lib.losses.losses import segmentation_nll
from depthseg_lib.losses.metrics import iou, segmentation_metrics
from depthseg_lib.models.decoder import draw_kaiming
from depthseg_lib.models.networks import DeepLab, SegmentationNetwork
from depthseg_lib.settings import PROTOCOLS, SELF_SUPERVISED, FinetuneConfig

FEATURE_BYTES = 2**30
"""Memory that a frozen encoder's stored features may take, for training and for validation images each."""
TOGETHER = 8
"""Images that are evaluated at a time."""


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
        self.confusion = np.zeros((0, 0, 0), np.int64)

    def batch(self, indices: Tensor) -> tuple[Tensor | list[Tensor], Tensor]:
        """Images, or the stored features of a frozen encoder, and labels; each sample mirrored with even odds."""
        crop = PROTOCOLS[self.config.protocol].crop
        if crop or not self._stores(2 * self.count):
            return segmentation_batch(self.training, indices, torch.default_generator, self.device, crop=crop)
        mirrored = torch.rand(len(indices)) < 0.5
        chosen = (indices + self.count * mirrored).to(self.device)
        features, labels = self._training_features
        return [maps[chosen] for maps in features], labels[chosen]

    def evaluate(self) -> dict[str, float]:
        nll, pixels, counted = 0.0, 0, []
        for start in range(0, len(self.validation.labels), TOGETHER):
            labels = self.validation.labels[start : start + TOGETHER]
            truth = torch.from_numpy(labels).to(self.device).long()
            logits = self._logits(start, start + TOGETHER)
            count = int((truth != VOID).sum())
            nll, pixels = nll + segmentation_nll(logits, truth).item() * count, pixels + count
            counted.append(confusion_matrix(logits.argmax(1), truth, logits.shape[1]))
        self.confusion, on_void = (torch.cat(of).cpu().numpy() for of in zip(*counted, strict=True))
        classes = self.validation.label_set.classes
        per_class = dict(zip((f"iou_{c}" for c in classes), iou(self.confusion.sum(0)).tolist(), strict=True))
        found = segmentation_metrics(self.confusion, on_void, self.validation.label_set.representative)
        return {"nll": nll / max(1, pixels), **found, **per_class}

    @torch.no_grad()
    def predict(self, indices: np.ndarray) -> np.ndarray:
        """Predicted classes (K H W uint8) of validation images."""
        self.module.eval()
        return np.concatenate([self._logits(i, i + 1).argmax(1).byte().cpu().numpy() for i in indices])

    def _logits(self, start: int, stop: int) -> Tensor:
        if self._stores(len(self.validation.images)):
            return self.module.network.decode([maps[start:stop] for maps in self._validation_features])
        images = torch.from_numpy(self.validation.images[start:stop])
        return self.module.network(images_to_float(images.to(self.device)))

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
        return self._features(both.split(TOGETHER)), torch.cat([labels, labels.flip(-1)])

    @cached_property
    def _validation_features(self) -> list[Tensor]:
        """The frozen encoder's maps of all validation images; computed once."""
        starts, images = range(0, len(self.validation.images), TOGETHER), self.validation.images
        batches = (torch.from_numpy(images[start : start + TOGETHER]).to(self.device) for start in starts)
        return self._features(map(images_to_float, batches))

    @torch.no_grad()
    def _features(self, batches: Iterable[Tensor]) -> list[Tensor]:
        return [torch.cat(maps) for maps in zip(*map(self.module.network.encoder, batches), strict=True)]


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
