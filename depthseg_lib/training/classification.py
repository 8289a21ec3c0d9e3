"""Classification of photographs, the common pre-training (paper, equation 5)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthseg_lib.data.arrays import Photographs, held_out_photographs, spread
from depthseg_lib.data.batches import images_to_float, photograph_batch
from depthseg_lib.models.networks import Classifier
from depthseg_lib.settings import PretrainConfig
from depthseg_lib.training.engine import tenth_from


class ClassificationTraining(nn.Module):
    """The classifier with its cross-entropy (equation 5): images (B 3 H W) and classes (B) -> scalar."""

    def __init__(self, encoder: str, classes: int):
        super().__init__()
        self.classifier = Classifier(encoder, classes)

    def forward(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, classes = batch
        return F.cross_entropy(self.classifier(images).float(), classes)


class ClassificationTask:
    """Classification of photographs; every tenth is held out for evaluation."""

    decay = staticmethod(tenth_from(0.75))

    def __init__(self, config: PretrainConfig, photographs: Photographs, device):
        self.config, self.photographs, self.device = config, photographs, device
        network = ClassificationTraining(config.encoder, len(photographs.classes))
        self.module = network.to(device, memory_format=torch.channels_last)
        held_out = held_out_photographs(len(photographs.labels))
        self.training, self.held_out = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        self.count = len(self.training)

    def batch(self, indices: Tensor, iteration: int) -> tuple[Tensor, Tensor]:
        chosen = torch.from_numpy(self.training)[indices]
        return photograph_batch(self.photographs, chosen, torch.default_generator, self.device)

    def evaluate(self) -> dict[str, float]:
        right = 0
        for chosen in np.array_split(self.held_out, max(1, len(self.held_out) // 64)):
            images = images_to_float(torch.from_numpy(self.photographs.images[chosen]).to(self.device))
            right += (self.module.classifier(images).argmax(1).cpu().numpy() == self.photographs.labels[chosen]).sum()
        return {"accuracy": right / len(self.held_out)}

    def baselines(self) -> dict[str, float]:
        """The accuracy of always naming the commonest class."""
        return {"accuracy_chance": np.bincount(self.photographs.labels[self.held_out]).max() / len(self.held_out)}

    def examples(self) -> dict[str, np.ndarray]:
        return {}

    def picture(self) -> list[tuple[str, np.ndarray]]:
        """A few held-out photographs by what they are taken for; where that is wrong, what they are in brackets."""
        images, names = self.photographs.images[spread(self.held_out, 6)], self.photographs.classes
        found = self.module.classifier(images_to_float(torch.from_numpy(images).to(self.device))).argmax(1).tolist()
        truth = self.photographs.labels[spread(self.held_out, 6)]
        titles = [
            names[is_] if is_ == of else f"{names[is_]} ({names[of]})" for is_, of in zip(found, truth, strict=True)
        ]
        return list(zip(titles, images.transpose(0, 2, 3, 1), strict=True))

    def networks(self) -> dict[str, nn.Module]:
        return {"weights": self.module.classifier}
