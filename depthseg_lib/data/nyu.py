"""NYU-V2's labelled images: `nyu_depth_v2_labeled.mat` read image by image, `splits.mat`, 894 classes to 40 and 13."""

from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.data import folders, nyu_files, resize
from depthseg_lib.data import labels as label_sets
from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.cache import Progress, source_hash
from depthseg_lib.data.labels import NYU13, NYU40, NYU_40_TO_13, LabelSet
from depthseg_lib.data.pack import packed
from depthseg_lib.errors import InputError

LABELLED, SPLITS, MAPPING = "nyu_depth_v2_labeled.mat", "splits.mat", "classMapping40.mat"
FILES = (LABELLED, SPLITS, MAPPING)
"""What the folder of the set holds."""
_LAYOUT = (
    f"NYU-V2's {LABELLED} and {SPLITS}, from https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html, and {MAPPING}, of "
    "Gupta et al. 2013"
)
_PARTS = ("train", "test")


def labelled(
    root: str | Path,
    split: str,
    height: int,
    width: int,
    *,
    label_set: LabelSet = NYU13,
    depth: bool = False,
    crop: bool = False,
    progress: Progress = None,
) -> Labelled:
    """The images of `split` (train: 795, test: 654) at `height` x `width` with the 13 classes, or the 40 (`NYU40`).

    Named by their number in the set, from 1. With `depth` also the set's depth in metres, in which holes are filled.
    Raises `InputError` where a file is missing, cut short or not as NYU-V2's is, or a label id has no class.
    """
    if label_set not in (NYU13, NYU40):
        raise InputError(f"NYU-V2 has no label set '{label_set.name}': expected NYU13 or NYU40")
    check(root)
    root = Path(root).expanduser()
    rows, file = numbers(root, split), root / LABELLED
    shapes = {"images": (np.uint8, (3, height, width)), "labels": (np.uint8, (height, width))}
    shapes |= {"depths": (np.float16, (height, width))} if depth else {}
    key = {"split": split, "label_set": label_set.name, "size": [height, width], "crop": crop, "code": _code()}
    with nyu_files.labelled_set(file) as opened:
        sources = [nyu_files.array(opened, name) for name in shapes]
        how, table = resize.plan(_size(*sources, file=file), height, width, crop), _classes(root, label_set)

        def one(row: int) -> tuple[np.ndarray, ...]:
            pixels, found, *metres = (nyu_files.row(source, row) for source in sources)
            where = f"{file}, image {row + 1}"
            classes = label_set.encode(_mapped(found, table, where), where)
            return how.image(Image.fromarray(pixels)), how.label(classes), *map(how.label, metres)

        files = [root / name for name in FILES]
        arrays = packed("nyu", key, files, shapes, rows.tolist(), one, progress)
    names = tuple(f"{row + 1:04}" for row in rows)
    return Labelled(arrays[0], arrays[1], label_set, names, arrays[2] if depth else None)


def numbers(root: str | Path, split: str) -> np.ndarray:
    """The rows of `split` in the labelled set, from 0; no image is read. Raises `InputError` as `labelled`."""
    if split not in _PARTS:
        raise InputError(f"NYU-V2 has no split '{split}': expected one of {', '.join(_PARTS)}")
    with nyu_files.labelled_set(Path(root) / LABELLED) as opened:
        count = len(nyu_files.array(opened, "images"))
    return nyu_files.split(Path(root) / SPLITS, count)[_PARTS.index(split)]


def image(root: str | Path, row: int) -> Image.Image:
    """One image of the labelled set, by its row from 0, as it is on the disk."""
    with nyu_files.labelled_set(Path(root) / LABELLED) as opened:
        return Image.fromarray(nyu_files.row(nyu_files.array(opened, "images"), row))


def ids(root: str | Path, row: int) -> np.ndarray:
    """Its ids (H, W) among the 13 classes, from 1, 0 where unlabelled."""
    with nyu_files.labelled_set(Path(root) / LABELLED) as opened:
        found = nyu_files.row(nyu_files.array(opened, "labels"), row)
    return _mapped(found, _classes(Path(root), NYU13), f"{Path(root) / LABELLED}, image {row + 1}")


def check(root: str | Path) -> None:
    """Raise `InputError` unless the three files are there, whole and fit together; no image is read."""
    root = folders.existing(root, _LAYOUT)
    missing = [name for name in FILES if not (root / name).is_file()]
    if missing:
        raise InputError(f"{root} lacks {', '.join(missing)}: expected {_LAYOUT}, {folders.found(root)}")
    numbers(root, "train"), nyu_files.to_forty(root / MAPPING)
    with nyu_files.labelled_set(root / LABELLED) as opened:
        _size(*(nyu_files.array(opened, name) for name in ("images", "labels")), file=root / LABELLED)


def _classes(root: Path, label_set: LabelSet) -> np.ndarray:
    """The class id in `label_set` of each id 0 to 894 of the labelled set."""
    forty = nyu_files.to_forty(root / MAPPING)
    return forty if label_set is NYU40 else np.array([0, *NYU_40_TO_13], np.uint8)[forty]


def _mapped(ids: np.ndarray, table: np.ndarray, where: str) -> np.ndarray:
    if ids.max() >= len(table):
        raise InputError(
            f"{where}: label ids up to {ids.max()}, expected 0 to {nyu_files.CLASSES}; fetch {LABELLED} again"
        )
    return table[ids]


def _size(*arrays, file: Path) -> tuple[int, int]:
    """Height and width of all images; raises `InputError` unless every array has as many, of one size."""
    shapes = {(len(array), *array.shape[-2:]) for array in arrays}
    if len(shapes) > 1:
        found = ", ".join(f"'{array.name.strip('/')}' {array.shape}" for array in arrays)
        raise InputError(f"{file}: expected as many images as label images, of one size, found {found}; fetch it again")
    (_, width, height) = shapes.pop()
    return height, width


def _code() -> str:
    return source_hash(__file__, nyu_files.__file__, resize.__file__, label_sets.__file__)
