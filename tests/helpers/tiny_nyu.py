"""A tiny NYU-V2 in the true formats: the labelled set with its split and class mapping, and scenes of the raw dump."""

from pathlib import Path

import h5py
import numpy as np
from helpers.tiny import picture
from scipy.io import savemat

HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2012 HDF5 schema 1.00 ."
MAPPED = np.arange(894) % 40 + 1
"""The class among the 40 of each id from 1."""


def labelled(root: Path, images: int = 12, test: int = 4, height: int = 60, width: int = 80) -> np.ndarray:
    """Write the labelled set; returns its label ids (N, H, W): 1 and 2 and so on down the rows, shifted by the image.

    The last `test` images are the test split's.
    """
    root.mkdir(parents=True, exist_ok=True)
    seed = np.random.default_rng(0)
    pixels = seed.integers(0, 256, (images, 3, 1, height), np.uint8) * np.ones((1, 1, width, 1), np.uint8)
    ids = (np.arange(height)[None, :, None] // 8 + np.arange(images)[:, None, None]) % 894 + 1
    ids = np.broadcast_to(ids, (images, height, width)).astype(np.uint16)
    ids = np.where(np.arange(width) < 4, 0, ids).astype(np.uint16)  # unlabelled at the left
    metres = np.broadcast_to(np.linspace(1, 4, height), (images, width, height)).astype(np.float32)
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "w", userblock_size=512) as file:
        known = dict(compression="gzip", chunks=True)
        file.create_dataset("images", data=pixels, **known)
        file.create_dataset("labels", data=ids.transpose(0, 2, 1), **known)
        file.create_dataset("depths", data=metres, **known)
    with (root / "nyu_depth_v2_labeled.mat").open("r+b") as file:
        file.write(HEADER)
    numbers = np.arange(1, images + 1, dtype=np.uint16)[:, None]
    savemat(root / "splits.mat", {"trainNdxs": numbers[: images - test], "testNdxs": numbers[images - test :]})
    savemat(root / "classMapping40.mat", {"mapClass": MAPPED[None].astype(np.uint8)})
    return ids


def raw(root: Path, scenes: int = 3, frames: int = 4) -> None:
    """Write scenes of a tilted plane, colour at 30 Hz and depth 10 ms later, with an accelerometer's dump and index."""
    plane = np.linspace(1.5, 4, 480)[:, None] * np.ones(640)
    for scene in range(scenes):
        folder = root / f"basement_{scene:04}a"
        for frame in range(frames):
            time = 1294886360.2 + frame / 30
            picture(folder / f"r-{time:.6f}-{10 * frame}.ppm", 480, 640, seed=10 * scene + frame)
            depth(folder / f"d-{time + 0.01:.6f}-{10 * frame + 3}.pgm", plane + 0.1 * frame)
        (folder / "a-1294886360.3-7.dump").write_bytes(b"\0" * 16)
        (folder / "INDEX.txt").write_text("\n".join(sorted(file.name for file in folder.iterdir())))


def depth(file: Path, metres: np.ndarray, order: str = "<") -> None:
    """Write metres (480, 640; 0 for no depth) as the dump has depth: a 16-bit PGM with the low byte first."""
    known = metres > 0
    values = np.where(known, np.rint(1092.5 - 351.3 / np.where(known, metres, 1)), 2047)
    file.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = metres.shape
    file.write_bytes(f"P5 {columns} {rows} 65535\n".encode() + values.astype(f"{order}u2").tobytes())


def whole(root: Path) -> Path:
    """Write all that the profile `nyu` needs."""
    labelled(root)
    raw(root / "raw")
    return root
