"""NYU-V2's MATLAB files: the labelled set (v7.3, which is HDF5), the split and the mapping of its 894 classes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from depthseg_lib.errors import InputError

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


def row(array, index: int) -> np.ndarray:
    """Image `index` of an array, upright: (H W 3), or (H W) of depths and labels; raises `InputError` where damaged."""
    try:
        return np.ascontiguousarray(array[index].T)
    except OSError as error:
        expected = f"image {index + 1} of '{array.name.strip('/')}'"
        raise _broken(Path(array.file.filename), error, expected) from error


def split(file: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
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
