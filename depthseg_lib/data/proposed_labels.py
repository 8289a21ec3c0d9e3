"""Label images of a user, guessed: whether a file is one, and which classes its ids or colours stand for."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files
from depthseg_lib.data.described_labels import VOID
from depthseg_lib.data.labels import CAMVID, KITTI, LabelSet, unpacked_colour
from depthseg_lib.data.sets.listing import evenly
from depthseg_lib.errors import InputError

LOOKED = 40
"""Label images that are read for their ids."""
MANY = 64
"""Different ids or colours in an image, above which it is none of labels."""
LIKE_KITTI = {7, 11, 21, 26}
"""Road, building, vegetation and car by KITTI's and Cityscapes' ids: with these, the others are theirs too."""


@dataclass(frozen=True)
class Labels:
    """What is proposed for the classes."""

    classes: dict[str, list[int]]
    """Colours by name."""
    label_map: dict[str, str]
    """Names by id or colour, as the description has them."""
    made_up: bool
    """Whether names are nothing but ids."""
    looked: int
    """Label images that were read."""
    count: int
    """All label images."""


def is_label(file: Path) -> bool:
    """Whether `file` holds ids or colours of classes: PNG, with few different ones."""
    if file.suffix.lower() != ".png":
        return False
    try:
        return len(np.unique(image_files.label_ids(file, _coloured(file)))) <= MANY
    except InputError:
        return False


def labels_of(files: Sequence[Path]) -> Labels:
    """Classes for all ids or colours in a sample of the label images `files`; these are all of one kind."""
    chosen = evenly(files, LOOKED)
    coloured = _coloured(chosen[0])
    found = np.unique(np.concatenate([np.unique(image_files.label_ids(file, coloured)) for file in chosen])).tolist()
    names = _named_by_colour(found) if coloured else _named_by_id(found)
    colours = {name: list(colour) for name, colour in names.values() if name != VOID}
    keys = {number: " ".join(map(str, unpacked_colour(number))) if coloured else str(number) for number in names}
    label_map = {keys[number]: name for number, (name, _) in names.items()}
    made_up = all(name.split()[0] in ("class", "colour") for name in colours)
    return Labels(colours, label_map, made_up, len(chosen), len(files))


def _coloured(file: Path) -> bool:
    try:
        image_files.label_size(file)
    except InputError:
        return True
    return False


def _named_by_id(found: list[int]) -> dict[int, tuple[str, tuple[int, int, int]]]:
    if set(found) <= {*KITTI.ids, *KITTI.void_ids} and set(found) >= LIKE_KITTI:
        return _known(KITTI, found)
    colours = iter(_distinct(len(found)))
    return {i: (VOID, (0, 0, 0)) if i == 255 else (f"class {i}", next(colours)) for i in found}


def _known(label_set: LabelSet, found: list[int]) -> dict[int, tuple[str, tuple[int, int, int]]]:
    """The classes of a known set, all of them, and those of its void ids that occur."""
    ids = dict(zip(label_set.ids, zip(label_set.classes, label_set.colours, strict=True), strict=True))
    return ids | {i: (VOID, (0, 0, 0)) for i in found if i in label_set.void_ids}


def _named_by_colour(found: list[int]) -> dict[int, tuple[str, tuple[int, int, int]]]:
    """Colours that a known set has for a class get its name; black is void."""
    palette = {c: name for known in (CAMVID, KITTI) for name, c in zip(known.classes, known.colours, strict=True)}
    names, taken = {}, set()
    for number in found:
        colour = unpacked_colour(number)
        name = palette.get(colour, f"colour {' '.join(map(str, colour))}")
        name = f"colour {' '.join(map(str, colour))}" if name in taken else name
        taken.add(name)
        names[number] = (VOID if colour == (0, 0, 0) else name, colour)
    return names


def _distinct(count: int) -> list[tuple[int, int, int]]:
    """Colours that differ: hues a golden angle apart, dark and light in turn."""
    shades = [colorsys.hsv_to_rgb(i * 0.618 % 1, (0.85, 0.5)[i % 2], (0.95, 0.6, 0.8)[i % 3]) for i in range(count)]
    return [tuple(round(255 * channel) for channel in shade) for shade in shades]
