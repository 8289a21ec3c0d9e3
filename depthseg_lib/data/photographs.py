"""Photographs of single things, one label each: what the study's classification is pre-trained on."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from depthseg_lib import world
from depthseg_lib.data.arrays import Photographs
from depthseg_lib.data.cache import Progress, cached, load_arrays, require_space, reserved
from depthseg_lib.fingerprint import source_hash
from depthseg_lib.world.raycast import EMPTY, split
from depthseg_lib.world.render import pictures
from depthseg_lib.world.studio import SETTINGS, SUBJECTS, Shot, photographs_of, shot

CLASSES = tuple(SUBJECTS)
"""Names of the classes, in order."""
CONTEXT_BIAS = 0.5
"""How often, in 0..1, a thing stands in its class's usual setting; else it stands in one of the other two."""
SCALES = (0.5, 0.85)
"""Least and greatest size of a thing: the larger side of its bounds as a share of the image."""
_PHOTOGRAPHS = 2  # the second number of a photograph's seed; streets have 0 and 1
_BATCH = 16
"""Photographs rendered in one go, which divides the cost of calling PyTorch; the images don't depend on it."""


@dataclass(frozen=True)
class PhotographsConfig:
    """Which photographs."""

    size: int = 64
    """Of the square images, pixels."""
    count: int = 5000
    """Of photographs; the classes are equally frequent."""
    seed: int = 0
    """Of everything: another seed is another set."""


@dataclass(frozen=True)
class Shots:
    """What each photograph shows, drawn before any is rendered."""

    labels: np.ndarray
    """(N,) int64, index into `CLASSES`."""
    settings: np.ndarray
    """(N,) int64, index into `world.studio.SETTINGS`: where the thing stands."""
    scales: np.ndarray
    """(N,) float64, size of the thing as a share of the image."""


def shots(config: PhotographsConfig) -> Shots:
    """Draw class, setting and size of every photograph."""
    rng = np.random.default_rng((config.seed, _PHOTOGRAPHS))
    labels = rng.permutation(np.arange(config.count) % len(CLASSES))
    home = np.array([SETTINGS.index(SUBJECTS[name].setting) for name in CLASSES])[labels]
    usual = rng.random(config.count) < CONTEXT_BIAS
    other = (home + rng.integers(1, len(SETTINGS), config.count)) % len(SETTINGS)
    return Shots(labels, np.where(usual, home, other), rng.uniform(*SCALES, config.count))


def photographs(config: PhotographsConfig, device: str = "cpu", progress: Progress = None) -> Photographs:
    """Photographs of `CLASSES`, each of one centred thing; rendered once, then cached."""
    files = sorted(Path(world.__file__).parent.glob("*.py"))
    key = {"what": "photographs", **asdict(config), "source": source_hash(__file__, *files), "device": device}
    folder = cached("objects", key, lambda to: render_photographs(to, config, device, progress))
    (images,) = load_arrays(folder, "images")
    return Photographs(images, shots(config).labels, CLASSES)


def render_photographs(folder: Path, config: PhotographsConfig, device: str = "cpu", progress: Progress = None) -> None:
    """Render all photographs into `images.npy` under `folder`, past the cache."""
    shape = (config.count, 3, config.size, config.size)
    require_space(folder, 3 * config.count * config.size**2)
    images = reserved(folder / "images.npy", shape, np.uint8)
    drawn, begin = shots(config), time.monotonic()
    if progress:
        progress(f"photographs: {config.count} of {config.size}x{config.size} have to be rendered, once for all runs")
    for first in range(0, config.count, _BATCH):
        numbers = range(first, min(first + _BATCH, config.count))
        street, matrices = photographs_of([compose(config, drawn, number) for number in numbers])
        batch, _ = pictures(street.to(device), 0, config.size, config.size, matrices)
        images[numbers.start : numbers.stop] = batch.cpu().numpy()
        if progress and first // _BATCH % max(1, config.count // _BATCH // 10) == 0:
            left = (time.monotonic() - begin) / numbers.stop * (config.count - numbers.stop)
            progress(f"photographs: {numbers.stop} of {config.count} rendered, about {left:.0f} s left")
    images.flush()


def compose(config: PhotographsConfig, drawn: Shots, number: int) -> Shot:
    """The scene and the camera of one photograph."""
    subject, setting = SUBJECTS[CLASSES[drawn.labels[number]]], SETTINGS[drawn.settings[number]]
    return shot((config.seed, _PHOTOGRAPHS, number), subject, setting, float(drawn.scales[number]), config.size)


@dataclass(frozen=True)
class Framed:
    """Photographs with the visible pixels of what they show."""

    images: np.ndarray
    """(N, 3, S, S) uint8 RGB, as `photographs` has them."""
    masks: np.ndarray
    """(N, S, S) bool, of the rays through the pixels' centres: the thing's part that its class names."""
    labels: np.ndarray
    """(N,) int64, index into `CLASSES`."""


def framed(config: PhotographsConfig, numbers: Sequence[int]) -> Framed:
    """The photographs `numbers` of the set that `config` describes, with masks; about 80 a second on one core."""
    drawn, parts = shots(config), []
    for start in range(0, len(numbers), _BATCH):
        batch = numbers[start : start + _BATCH]
        street, matrices = photographs_of([compose(config, drawn, int(number)) for number in batch])
        images, keys = pictures(street, 0, config.size, config.size, matrices)
        nearest = keys[:, 1::2, 1::2]  # of the rays through the pixels' centres
        hit, scene = nearest != EMPTY, street.scene
        primitive = split(torch.where(hit, nearest, 0))[1]
        wanted = torch.tensor([SUBJECTS[CLASSES[drawn.labels[number]]].label for number in batch])
        subject = (scene.thing[primitive] == 1) & (scene.label[primitive] == wanted[:, None, None])  # it is built first
        parts.append((images.numpy(), (hit & subject).numpy()))
    images, masks = (np.concatenate(of) for of in zip(*parts, strict=True))
    return Framed(images, masks, drawn.labels[list(numbers)])


def first_of_each(config: PhotographsConfig, classes: Sequence[str], count: int) -> np.ndarray:
    """Numbers of the first `count` photographs of each of these classes, in order."""
    labels = shots(config).labels
    places = [np.flatnonzero(labels == CLASSES.index(name))[:count] for name in classes]
    return np.sort(np.concatenate(places))
