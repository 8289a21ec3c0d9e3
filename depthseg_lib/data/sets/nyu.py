"""The `nyu` profile's data: NYU-V2's labelled images with its split, and the raw dump with measured depth."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from depthseg_lib.data import image_files, resize
from depthseg_lib.data.arrays import Video
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.ingest import Annotated
from depthseg_lib.data.labels import NYU13, NYU_40_TO_13
from depthseg_lib.data.sets import nyu_raw
from depthseg_lib.data.sets.listing import Listing, Measured, evenly
from depthseg_lib.errors import InputError

LABELLED, SPLITS, MAPPING = "nyu_depth_v2_labeled.mat", "splits.mat", "classMapping40.mat"
FILES = (LABELLED, SPLITS, MAPPING)
RAW = "raw"
"""The folder of the raw dump, beside the files."""
CLASSES = 894
"""Class ids of the labelled set, from 1; 0 is no label."""
_ROWS = {"images": (4, "uint8"), "labels": (3, "uint16")}
"""Arrays of the labelled set: dimensions, the first counts images and the last two are width and height; type."""
_EXPECTED = (
    f"NYU-V2's {LABELLED} and {SPLITS}, from https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html, and {MAPPING}, of "
    "Gupta et al. 2013"
)


class Nyu(Listing):
    """Images are whole, with the 13 classes."""

    LAYOUT = f"one that holds {', '.join(FILES)} and a folder {RAW} with scenes of the raw dump"
    label_set = NYU13

    def check(self) -> None:
        """Raise `InputError` unless the files are there, whole and fit together, and the raw dump holds a scene."""
        super().check()
        image_files.existing(self.folder, self.LAYOUT)
        missing = [name for name in (*FILES, RAW) if not (self.folder / name).exists()]
        if missing:
            expected = _EXPECTED if missing != [RAW] else self.LAYOUT
            raise InputError(
                f"{self.folder} lacks {', '.join(missing)}: expected {expected}; {image_files.found(self.folder)}"
            )
        _ = self.labelled, self.scenes  # whatever is wrong with them raises

    @cached_property
    def labelled(self) -> Mapping[str, Sequence[Annotated]]:
        """The 795 training images, of which a run takes some, and the 654 test images, named by number, from 1."""
        file = LabelledSet(self.folder / LABELLED)
        splits, forty = read_split(self.folder / SPLITS, file.count), to_forty(self.folder / MAPPING)
        table, files = np.array([0, *NYU_40_TO_13], np.uint8)[forty], tuple(self.folder / name for name in FILES)

        def ids(row: int, where: str) -> np.ndarray:
            found = file.read("labels", row)
            if found.max() >= len(table):
                raise InputError(
                    f"{where}: label ids up to {found.max()}, expected 0 to {CLASSES}; fetch {LABELLED} again"
                )
            return table[found]

        def one(row: int) -> Annotated:
            where = f"{file.file}, image {row + 1}"
            return Annotated(
                f"{row + 1:04}",
                where,
                files,
                lambda: Image.fromarray(file.read("images", row)),
                lambda: ids(row, where),
                lambda: None,  # all images have one size, which was looked at when the file was opened
            )

        return {name: [one(int(row)) for row in rows] for name, rows in zip(("train", "test"), splits, strict=True)}

    @cached_property
    def scenes(self) -> Sequence[nyu_raw.Scene]:
        """The scenes of the raw dump; those of the test images are among them, without labels, as in section 4.3."""
        return nyu_raw.scenes(self.folder / RAW)

    @property
    def sequences(self) -> Mapping[str, Sequence[Path]]:
        return {scene.name: scene.colour for scene in self.scenes}

    @property
    def parts(self) -> Sequence[Path]:
        return [self.folder / name for name in (*FILES, RAW)]

    @property
    def depth(self) -> Sequence[Measured]:
        def one(colour: Path, depth: Path) -> Measured:
            return Measured(str(depth), lambda: image_files.photograph(colour), lambda: nyu_raw.depth(depth, same))

        same = resize.plan(nyu_raw.SIZE, *nyu_raw.SIZE, crop=False)
        pairs = [pair for scene in self.scenes for pair in zip(scene.colour, scene.depth, strict=True)]
        return [one(*pair) for pair in evenly(pairs, 4)]

    @property
    def remarks(self) -> Sequence[str]:
        lost = sum(scene.left_out for scene in self.scenes)
        return [f"{lost} colour frames have no depth within {nyu_raw.LATEST:.3f} s and are left out"] if lost else []

    def video(self, height: int, width: int, progress: Progress = None) -> Video:
        """Every pair of the raw dump."""
        return nyu_raw.video(self.scenes, height, width, progress)


class LabelledSet:
    """The MATLAB v7.3 file of the labelled set, from which images are read one by one.

    Raises `InputError` where it is missing, cut short, or its arrays are not those of NYU-V2.
    """

    def __init__(self, file: Path):
        import h5py  # no other set needs it

        self.file = file
        try:
            self._opened = h5py.File(file, "r", rdcc_nbytes=128 * 2**20)  # a chunk may hold parts of several images
        except OSError as error:
            raise _broken(file, error, "NYU-V2's labelled set, a MATLAB v7.3 file") from error
        for name, (dimensions, kind) in _ROWS.items():
            found = self._opened.get(name)
            if found is None or getattr(found, "ndim", 0) != dimensions or found.dtype != kind or 0 in found.shape:
                what = (
                    "none" if found is None else f"{getattr(found, 'dtype', 'a group')} {getattr(found, 'shape', '')}"
                )
                shape = "(N, 3, 640, 480)" if dimensions == 4 else "(N, 640, 480)"
                raise InputError(
                    f"{file}: the array '{name}' is {what}, but {kind} {shape} was expected of NYU-V2's labelled set; "
                    f"fetch {LABELLED} again"
                )
        images, labels = (self._opened[name].shape for name in _ROWS)
        if (images[0], *images[-2:]) != labels:
            raise InputError(
                f"{file}: expected as many images as label images, of one size, found 'images' {images}, 'labels' "
                f"{labels}; fetch it again"
            )
        self.count = images[0]

    def read(self, name: str, index: int) -> np.ndarray:
        """Image `index` of `images` or `labels`, upright: (H W 3) or (H W); raises `InputError` where damaged."""
        try:
            return np.ascontiguousarray(self._opened[name][index].T)
        except OSError as error:
            raise _broken(self.file, error, f"image {index + 1} of '{name}'") from error


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
