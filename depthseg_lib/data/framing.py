"""Where the thing is in an object photograph: rendered anew with a mask, since the photographs themselves keep none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from depthseg_lib.data import photographs
from depthseg_lib.data.photographs import CLASSES, PhotographsConfig, shots
from depthseg_lib.data.world.picture import pictures
from depthseg_lib.data.world.subjects import SUBJECTS
from depthseg_lib.world.raycast import EMPTY, split
from depthseg_lib.world.studio import photographs_of

_BATCH = 16
_SUBJECT = 1
"""The number of the photographed thing in its scene: it is built first."""


@dataclass(frozen=True)
class Framed:
    """Photographs with the visible pixels of what they show."""

    images: np.ndarray
    """(N, 3, S, S) uint8 RGB, as `objects.photographs` has them."""
    masks: np.ndarray
    """(N, S, S) bool, of the rays through the pixels' centres: the thing's part that its class names."""
    labels: np.ndarray
    """(N,) int64, index into `objects.CLASSES`."""


def framed(config: PhotographsConfig, numbers: Sequence[int]) -> Framed:
    """The photographs `numbers` of the set that `config` describes, with masks; about 80 a second on one core."""
    drawn, parts = shots(config), []
    for start in range(0, len(numbers), _BATCH):
        batch = numbers[start : start + _BATCH]
        # its name is private so that the files whose text is the key of the cached photographs can stay as they are
        street, matrices = photographs_of([photographs.compose(config, drawn, int(number)) for number in batch])
        images, keys = pictures(street, 0, config.size, config.size, matrices)
        wanted = torch.tensor([SUBJECTS[CLASSES[drawn.labels[number]]].label for number in batch])
        parts.append((images.numpy(), _visible(street.scene, keys[:, 1::2, 1::2], wanted)))
    images, masks = (np.concatenate(of) for of in zip(*parts, strict=True))
    return Framed(images, masks, drawn.labels[list(numbers)])


def _visible(scene, keys: torch.Tensor, wanted: torch.Tensor) -> np.ndarray:
    """Pixels (V, S, S) whose nearest hit is a part, labelled as `wanted` (V,), of the view's subject."""
    hit = keys != EMPTY
    primitive = split(torch.where(hit, keys, 0))[1]
    subject = (scene.thing[primitive] == _SUBJECT) & (scene.label[primitive] == wanted[:, None, None])
    return (hit & subject).numpy()


def first_of_each(config: PhotographsConfig, classes: Sequence[str], count: int) -> np.ndarray:
    """Numbers of the first `count` photographs of each of these classes, in order."""
    labels = shots(config).labels
    places = [np.flatnonzero(labels == CLASSES.index(name))[:count] for name in classes]
    return np.sort(np.concatenate(places))
