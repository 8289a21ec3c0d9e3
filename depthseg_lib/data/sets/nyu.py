"""The `nyu` profile's data: NYU-V2's labelled images with its split, and the raw dump with measured depth."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.data import image_files, resize
from depthseg_lib.data import labels as label_sets
from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.cache import Progress, packed
from depthseg_lib.data.labels import NYU13, NYU40, NYU_40_TO_13, LabelSet
from depthseg_lib.data.sets import nyu_raw
from depthseg_lib.data.sets.listing import LabelledImage, Measured, Sample, evenly
from depthseg_lib.errors import InputError
from depthseg_lib.fingerprint import source_hash

CLASSES = 894
"""Class ids of the labelled set, from 1; 0 is no label."""
_CHUNK_CACHE = 128 * 2**20
"""Bytes of decompressed chunks that HDF5 keeps, since a chunk may hold parts of several images."""
_ROWS = {"images": (4, "uint8"), "depths": (3, "float32"), "labels": (3, "uint16")}
"""Arrays of the labelled set: dimensions, the first counts images and the last two are width and height; type."""


@contextmanager
def labelled_set(file: Path) -> Iterator:
    """The labelled set, opened for `array` and `row` and closed at the end; nothing is read yet.

    Raises `InputError` where the file is missing, cut short, or no MATLAB v7.3 file.
    """
    import h5py  # no other set needs it

    try:
        opened = h5py.File(file, "r", rdcc_nbytes=_CHUNK_CACHE)
    except OSError as error:
        raise _broken(file, error, "NYU-V2's labelled set, a MATLAB v7.3 file") from error
    with opened:
        yield opened


def array(opened, name: str):
    """`images` (N 3 W H uint8), `depths` (N W H float32 metres) or `labels` (N W H uint16) of an opened labelled set.

    Raises `InputError` where it is not there, or of another shape or type.
    """
    dimensions, kind = _ROWS[name]
    found = opened.get(name)
    if found is None or getattr(found, "ndim", 0) != dimensions or found.dtype != kind or 0 in found.shape:
        what = "none" if found is None else f"{getattr(found, 'dtype', 'a group')} {getattr(found, 'shape', '')}"
        shape = "(N, 3, 640, 480)" if dimensions == 4 else "(N, 640, 480)"
        raise InputError(
            f"{opened.filename}: the array '{name}' is {what}, but {kind} {shape} was expected of NYU-V2's labelled "
            "set; fetch nyu_depth_v2_labeled.mat again"
        )
    return found


def read_row(array, index: int) -> np.ndarray:
    """Image `index` of an array, upright: (H W 3), or (H W) of depths and labels; raises `InputError` where damaged."""
    try:
        return np.ascontiguousarray(array[index].T)
    except OSError as error:
        expected = f"image {index + 1} of '{array.name.strip('/')}'"
        raise _broken(Path(array.file.filename), error, expected) from error


def read_split(file: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows, from 0, of the training and of the test images: `trainNdxs` and `testNdxs` of `splits.mat`, from 1 there.

    Raises `InputError` where the file is broken, or the two do not share out the `count` images of the labelled set.
    """
    training, test = (_numbers(file, name) - 1 for name in ("trainNdxs", "testNdxs"))
    both = np.concatenate([training, test])
    if not np.array_equal(np.sort(both), np.arange(count)):
        raise InputError(
            f"{file} names {len(training)} training and {len(test)} test images, numbers {both.min() + 1} to "
            f"{both.max() + 1}: expected each of the {count} images of the labelled set once; fetch both files again"
        )
    return training, test


def to_forty(file: Path) -> np.ndarray:
    """The class among the 40 (ids from 1) of each id 0 to 894, 0 for 0: `mapClass` of `classMapping40.mat`.

    Raises `InputError` where the file is broken or maps another number of classes.
    """
    mapped = _numbers(file, "mapClass")
    if mapped.shape != (CLASSES,) or mapped.min() < 1 or mapped.max() > 40:
        raise InputError(
            f"{file} maps {len(mapped)} classes to {mapped.min()} .. {mapped.max()}: expected {CLASSES} classes and "
            "ids of 1 to 40; fetch it again"
        )
    return np.concatenate([[0], mapped]).astype(np.uint8)


def _numbers(file: Path, name: str) -> np.ndarray:
    """The whole numbers (int64, flat) of a variable of an older MATLAB file."""
    from scipy.io import loadmat  # no other set needs it

    expected = f"NYU-V2's {file.name} with a variable '{name}'"
    try:
        values = loadmat(file, variable_names=[name])
    except Exception as error:  # what SciPy raises for damaged files is of many kinds
        raise _broken(file, error, expected) from error
    if name not in values or values[name].dtype.kind not in "uif" or not values[name].size:
        raise InputError(f"{file} has no numbers named '{name}': expected {expected}; fetch it again")
    return values[name].ravel().astype(np.int64)


def _broken(file: Path, error: Exception, expected: str) -> InputError:
    return InputError(
        f"{file} cannot be read ({getattr(error, 'strerror', None) or error}): expected {expected}; it may be cut "
        "short, so fetch it again"
    )


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
    require_labelled(root)
    root = Path(root).expanduser()
    rows, file = numbers(root, split), root / LABELLED
    shapes = {"images": (np.uint8, (3, height, width)), "labels": (np.uint8, (height, width))}
    shapes |= {"depths": (np.float16, (height, width))} if depth else {}
    key = {"split": split, "label_set": label_set.name, "size": [height, width], "crop": crop, "code": _code()}
    with labelled_set(file) as opened:
        sources = [array(opened, name) for name in shapes]
        how, table = resize.plan(_size(*sources, file=file), height, width, crop), _classes(root, label_set)

        def one(row: int) -> tuple[np.ndarray, ...]:
            pixels, found, *metres = (read_row(source, row) for source in sources)
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
    with labelled_set(Path(root) / LABELLED) as opened:
        count = len(array(opened, "images"))
    return read_split(Path(root) / SPLITS, count)[_PARTS.index(split)]


def image(root: str | Path, row: int) -> Image.Image:
    """One image of the labelled set, by its row from 0, as it is on the disk."""
    with labelled_set(Path(root) / LABELLED) as opened:
        return Image.fromarray(read_row(array(opened, "images"), row))


def ids(root: str | Path, row: int) -> np.ndarray:
    """Its ids (H, W) among the 13 classes, from 1, 0 where unlabelled."""
    with labelled_set(Path(root) / LABELLED) as opened:
        found = read_row(array(opened, "labels"), row)
    return _mapped(found, _classes(Path(root), NYU13), f"{Path(root) / LABELLED}, image {row + 1}")


def require_labelled(root: str | Path) -> None:
    """Raise `InputError` unless the three files are there, whole and fit together; no image is read."""
    root = image_files.existing(root, _LAYOUT)
    missing = [name for name in FILES if not (root / name).is_file()]
    if missing:
        raise InputError(f"{root} lacks {', '.join(missing)}: expected {_LAYOUT}, {image_files.found(root)}")
    numbers(root, "train"), to_forty(root / MAPPING)
    with labelled_set(root / LABELLED) as opened:
        _size(*(array(opened, name) for name in ("images", "labels")), file=root / LABELLED)


def _classes(root: Path, label_set: LabelSet) -> np.ndarray:
    """The class id in `label_set` of each id 0 to 894 of the labelled set."""
    forty = to_forty(root / MAPPING)
    return forty if label_set is NYU40 else np.array([0, *NYU_40_TO_13], np.uint8)[forty]


def _mapped(ids: np.ndarray, table: np.ndarray, where: str) -> np.ndarray:
    if ids.max() >= len(table):
        raise InputError(f"{where}: label ids up to {ids.max()}, expected 0 to {CLASSES}; fetch {LABELLED} again")
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
    return source_hash(__file__, __file__, resize.__file__, label_sets.__file__)


RAW = "raw"
"""The folder of the raw dump."""
LAYOUT = f"one that holds {', '.join(FILES)} and a folder {RAW} with scenes of the raw dump"
READ_FIRST = False
"""Whether the video is short enough to be read before anything is trained."""


def video(folder: Path, height: int, width: int, progress: Progress = None) -> Video:
    """Every pair of the raw dump; the scenes of the test images are among them, without labels, as in section 4.3."""
    return nyu_raw.video(folder / RAW, height, width, progress=progress)


def annotated(folder: Path, height: int, width: int, progress: Progress = None) -> tuple[Labelled, Labelled]:
    """The 795 training images, of which a run takes some, and the 654 test images, with the 13 classes."""
    training, test = (labelled(folder, split, height, width, progress=progress) for split in ("train", "test"))
    return training, test


def annotated_count(folder: Path) -> int:
    """Images that a training set can be taken from, counted without decoding any."""
    return len(numbers(folder, "train"))


def parts(folder: Path) -> list[Path]:
    """The files and the folder whose content results depend on."""
    return [*(folder / name for name in FILES), folder / RAW]


def check(folder: Path) -> None:
    """Raise `InputError` unless all parts are there and the labelled set is whole; no image is read."""
    found = image_files.existing(folder, LAYOUT)
    missing = [part for part in (*FILES, RAW) if not (found / part).exists()]
    if missing:
        raise InputError(f"DATA={folder} lacks {', '.join(missing)}: expected {LAYOUT}; {image_files.found(found)}")
    require_labelled(found)
    nyu_raw.scenes(found / RAW)


def sample(folder: Path) -> Sample:
    """What `make check-data` looks at: both splits, the scenes of the raw dump, and a few of its depth frames."""
    splits, scenes = {name: numbers(folder, name) for name in ("train", "test")}, nyu_raw.scenes(folder / RAW)
    pairs = [pair for scene in scenes for pair in zip(scene.colour, scene.depth, strict=True)]
    lost = sum(scene.left_out for scene in scenes)
    return Sample(
        NYU13,
        {name: [_labelled(folder, int(row)) for row in rows] for name, rows in splits.items()},
        {scene.colour[0].parent.name: scene.colour for scene in scenes},
        [_measured(*pair) for pair in evenly(pairs, 4)],
        [f"{lost} colour frames have no depth frame near in time and are left out"] if lost else [],
    )


def _labelled(folder: Path, row: int) -> LabelledImage:
    where = f"{folder / LABELLED}, image {row + 1}"
    return LabelledImage(where, lambda: image(folder, row), lambda: ids(folder, row))


def _measured(colour: Path, depth: Path) -> Measured:
    same = resize.plan(nyu_raw.SIZE, *nyu_raw.SIZE, crop=False)
    return Measured(str(depth), lambda: image_files.photograph(colour), lambda: nyu_raw.depth(depth, same))
