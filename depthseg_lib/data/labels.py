"""Label sets: the classes that a network is trained on, their colours, and how a file's ids map to them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from pydantic import TypeAdapter

from depthseg_lib.errors import InputError

VOID = 255
"""Training index of pixels without a label: no loss, no metric."""
TRANSPARENT = 1 << 24
"""The colour, as a number, of pixels with none: void in every coloured set."""


@dataclass(frozen=True)
class LabelSet:
    """Classes in training order, with the ids that stand for them in the set's label images."""

    name: str
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    ids: tuple[int, ...]
    """The id of each class in the label files."""
    void_ids: tuple[int, ...]
    """Ids that the label files may hold besides, all read as void."""
    representative: tuple[int, ...]
    """Training indices of the paper's seven representative classes, as far as the set has them (section 4.2)."""
    more_ids: tuple[tuple[int, int], ...] = ()
    """Further ids in the label files, each with the training index of the class that it stands for too."""
    coloured: bool = False
    """Whether the label files hold colours; all ids here are then RGB as one number, from `packed_colour`."""

    def encode(self, ids: np.ndarray, where: str) -> np.ndarray:
        """Map file ids to training indices (uint8, void 255); an unknown id raises, naming the file `where`."""
        index_of = {**dict.fromkeys(self.void_ids, VOID), **dict(self.more_ids)}
        index_of |= {label_id: index for index, label_id in enumerate(self.ids)}
        table = np.full(max(index_of) + 1, -1, np.int16)
        table[list(index_of)] = list(index_of.values())
        within = (ids >= 0) & (ids < len(table))
        encoded = np.where(within, table[np.where(within, ids, 0)], -1)
        if self.coloured:
            encoded[ids == TRANSPARENT] = VOID
        if (encoded < 0).any():
            unknown, known = np.unique(ids[encoded < 0]).tolist(), sorted(index_of)
            kind = "colours" if self.coloured else "label ids"
            smooth = self.coloured and len(unknown) > len(known)
            raise InputError(
                f"{where}: {kind} {self._shown(unknown[:8])} are not in the label set '{self.name}' "
                f"(known: {self._shown(known)}); "
                + (
                    f"{len(unknown)} of them, as smoothed borders have: write label images without anti-aliasing"
                    if smooth
                    else f"check that these are {self.name} label-id images"
                )
            )
        return encoded.astype(np.uint8)

    def _shown(self, ids: list[int]) -> str:
        return ", ".join(str(unpacked_colour(i)) for i in ids) if self.coloured else str(ids)

    def colour(self, labels: np.ndarray) -> np.ndarray:
        """Colour training indices (..., H, W) as RGB uint8 (..., H, W, 3); void is black."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self.colours)] = self.colours
        return palette[labels]


def to_mapping(label_set: LabelSet) -> dict:
    """A label set as plain values, as JSON has them."""
    return TypeAdapter(LabelSet).dump_python(label_set, mode="json")


def from_mapping(values: Mapping) -> LabelSet:
    """The label set that `to_mapping` made plain, also after JSON."""
    return TypeAdapter(LabelSet).validate_python(values)


def packed_colour(red: int, green: int, blue: int) -> int:
    """A colour as one number, by which the label files of a coloured set are read."""
    return (red << 16) + (green << 8) + blue


def unpacked_colour(number: int) -> tuple[int, int, int]:
    """The colour that `packed_colour` made this number of."""
    return number >> 16, number >> 8 & 255, number & 255


_KITTI = {  # class: (label id, colour), in the order of the 19 evaluation classes of KITTI and Cityscapes
    "road": (7, (128, 64, 128)),
    "sidewalk": (8, (244, 35, 232)),
    "building": (11, (70, 70, 70)),
    "wall": (12, (102, 102, 156)),
    "fence": (13, (190, 153, 153)),
    "pole": (17, (153, 153, 153)),
    "traffic light": (19, (250, 170, 30)),
    "traffic sign": (20, (220, 220, 0)),
    "vegetation": (21, (107, 142, 35)),
    "terrain": (22, (152, 251, 152)),
    "sky": (23, (70, 130, 180)),
    "person": (24, (220, 20, 60)),
    "rider": (25, (255, 0, 0)),
    "car": (26, (0, 0, 142)),
    "truck": (27, (0, 0, 70)),
    "bus": (28, (0, 60, 100)),
    "train": (31, (0, 80, 100)),
    "motorcycle": (32, (0, 0, 230)),
    "bicycle": (33, (119, 11, 32)),
}
_SEVEN = ("road", "sidewalk", "building", "vegetation", "terrain", "sky", "car")

KITTI = LabelSet(
    name="KITTI",
    classes=tuple(_KITTI),
    colours=tuple(colour for _, colour in _KITTI.values()),
    ids=tuple(label_id for label_id, _ in _KITTI.values()),
    void_ids=(0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, 255),
    representative=tuple(list(_KITTI).index(name) for name in _SEVEN),
)
"""KITTI semantics: 34 label ids, 19 evaluation classes, seven representative ones."""

_CAMVID = {  # class: colour; the id is the position
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "pavement": (60, 40, 222),
    "tree": (128, 128, 0),
    "sign": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
}

CAMVID = LabelSet(
    name="CamVid",
    classes=tuple(_CAMVID),
    colours=tuple(_CAMVID.values()),
    ids=tuple(range(11)),
    void_ids=(11,),
    representative=tuple(list(_CAMVID).index(n) for n in ("road", "pavement", "building", "tree", "sky", "car")),
)
"""CamVid's 11 classes; of the seven representative ones it lacks terrain, and names two of them otherwise."""

CITYSCAPES = replace(KITTI, name="Cityscapes")
"""Cityscapes: KITTI took over its label ids, evaluation classes and colours; a class's training index is its official
trainId. The seven representative classes are the paper's of KITTI."""

_NYU_13 = {  # class: colour; the id is the position, from 1
    "bed": (174, 118, 163),
    "books": (153, 153, 51),
    "ceiling": (202, 224, 171),
    "chair": (0, 114, 178),
    "floor": (221, 204, 119),
    "furniture": (204, 102, 119),
    "objects": (136, 46, 114),
    "picture": (102, 17, 0),
    "sofa": (17, 119, 51),
    "table": (246, 193, 65),
    "tv": (51, 34, 136),
    "wall": (209, 187, 215),
    "window": (86, 180, 233),
}
NYU_40_TO_13 = (
    *(12, 5, 6, 1, 4, 9, 10, 12, 13, 6, 8, 6, 13, 10, 6, 13, 6, 7, 7, 5),
    *(7, 3, 2, 6, 11, 7, 7, 7, 7, 7, 7, 6, 7, 7, 7, 7, 7, 7, 6, 7),
)
"""The id among NYU-V2's 13 classes of each of its 40, by id from 1 (Couprie et al. 2013)."""

NYU13 = LabelSet(
    name="NYU13",
    classes=tuple(_NYU_13),
    colours=tuple(_NYU_13.values()),
    ids=tuple(range(1, 14)),
    void_ids=(0,),
    representative=tuple(range(13)),
)
"""NYU-V2's 13 classes. All are representative: the paper names no subset in section 4.3, and each is in many images.
Readers with deuteranopia or protanopia can tell any two colours apart."""

THINGS = {
    **{name: name for name in ("car", "truck", "bus", "bicycle", "person", "traffic light", "traffic sign")},
    "pedestrian": "person",
    "sign": "traffic sign",
}
"""The classes of label sets that are single things, and what the photographs call them. Buildings and vegetation are
not among them: in a label image neighbours of such a class are one area."""


def photographed(label_set: LabelSet) -> list[str]:
    """The classes of a label set that are single things and that the photographs show too; none indoors."""
    return [name for name in label_set.classes if name in THINGS]


LABEL_SETS = {"streets": KITTI, "kitti": KITTI, "nyu": NYU13, "cityscapes": CITYSCAPES}
"""The classes of each data set; a user's own say theirs."""
