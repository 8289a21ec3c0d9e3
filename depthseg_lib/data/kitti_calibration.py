"""KITTI's calibration files: lines of `name: numbers`."""

from pathlib import Path

import numpy as np

from depthseg_lib.data import folders
from depthseg_lib.errors import InputError


def read(file: Path, expected: str) -> dict[str, np.ndarray]:
    """The numbers of every line by its name; lines without a name (odometry) are `P0`, `P1`, ... in order.

    Lines that hold no numbers (dates) are left out. Raises `InputError` where the file is missing or has no such line.
    """
    values = {}
    for number, line in enumerate(folders.file_text(file, expected).splitlines()):
        name, numbers = line.split(":", 1) if ":" in line else (f"P{number}", line)
        try:
            values[name.strip()] = np.array([float(part) for part in numbers.split()])
        except ValueError:
            continue
    if not values:
        raise InputError(f"{file} holds no calibration: expected {expected}; fetch it again")
    return values


def entry(values: dict[str, np.ndarray], name: str, shape: tuple[int, ...], file: Path) -> np.ndarray:
    """The matrix `name` of a calibration; raises `InputError` where it is missing or of another size than `shape`."""
    if name not in values or values[name].size != np.prod(shape):
        raise InputError(
            f"{file} has no line '{name}' of {np.prod(shape)} numbers: expected one for this camera, found "
            f"{', '.join(values)}; choose another camera, or fetch the calibration again"
        )
    return values[name].reshape(shape)


def camera(projection: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intrinsics K (3, 3) and offset t (3,) in metres of a projection P = K [I | t] (3, 4)."""
    intrinsics = projection[:, :3]
    return intrinsics, np.linalg.solve(intrinsics, projection[:, 3])
