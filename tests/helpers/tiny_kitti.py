"""A tiny KITTI in the true layout, raw and semantics, for tests of its readers and of the whole study on it."""

from pathlib import Path

import numpy as np
from helpers.tiny import label, picture, pixels

from depthseg_lib.data.labels import KITTI

SIZES = {"2011_09_26": (64, 96), "2011_09_28": (62, 94)}
"""Height and width of the frames of each date: KITTI's differ too."""
DRIVES = {"2011_09_26": {"0001": 6, "0002": 5}, "2011_09_28": {"0004": 6}}
"""Drives and their frames; 0002 is one of those that depth is tested on."""
FIRST, TESTED, LAST = (f"{date}/{date}_drive_{number}_sync" for date, of in DRIVES.items() for number in of)
"""The drives' folders below that of KITTI raw."""


def write(root: Path, pairs: int = 8) -> Path:
    """A folder as the kitti profile needs it: two dates, three drives with both cameras and scans, labelled pairs."""
    for date, drives in DRIVES.items():
        calibrate(root / "raw" / date, SIZES[date])
        for number, frames in drives.items():
            for frame in range(frames):
                write_frame(root / "raw" / date / f"{date}_drive_{number}_sync", frame, SIZES[date])
    for i in range(pairs):
        size = (64, 96) if i % 2 else (61, 93)  # each pair has its own size
        name = f"{i:06d}_10.png"
        picture(root / "semantics" / "training" / "image_2" / name, *size, seed=i)
        label(root / "semantics" / "training" / "semantic" / name, street(*size, i))
    return root


def calibrate(date: Path, size: tuple[int, int]) -> None:
    """Both calibration files of a date, for cameras half a metre apart; the velodyne's x is ahead, its z is up."""
    height, width = size
    lines = ["calib_time: 09-Jan-2012 13:57:47", "R_rect_00: 1 0 0 0 1 0 0 0 1"]
    for camera, shift in (("02", 0.0), ("03", -0.5 * 0.6 * width)):
        lines.append(f"S_rect_{camera}: {width:.6e} {height:.6e}")
        lines.append(f"P_rect_{camera}: {0.6 * width} 0 {width / 2} {shift} 0 {0.6 * width} {height / 2} 0 0 0 1 0")
    date.mkdir(parents=True, exist_ok=True)
    (date / "calib_cam_to_cam.txt").write_text("\n".join(lines) + "\n")
    (date / "calib_velo_to_cam.txt").write_text("calib_time: 15-Mar-2012\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n")


def write_frame(drive: Path, frame: int, size: tuple[int, int]) -> None:
    """One frame of both cameras and its scan: a wall of texture that the car passes at two pixels a frame."""
    height, width = size
    texture = pixels(height, 2 * width, seed=7)
    for camera, shift in (("02", 0), ("03", 4)):
        seen = texture[:, 2 * frame + shift : 2 * frame + shift + width]
        label(drive / f"image_{camera}" / "data" / f"{frame:010d}.png", seen)
    ahead, beside, up = np.meshgrid([8.0, 12.0], np.linspace(-6, 6, 25), np.linspace(-4, 1, 20), indexing="ij")
    points = np.stack([ahead, beside, up, np.ones_like(up)], axis=-1).reshape(-1, 4).astype(np.float32)
    scans = drive / "velodyne_points" / "data"
    scans.mkdir(parents=True, exist_ok=True)
    points.tofile(scans / f"{frame:010d}.bin")


def street(height: int, width: int, seed: int) -> np.ndarray:
    """Label ids (H, W): sky, building, vegetation, road, a car, and rows that are not evaluated (id 4)."""
    id_of = dict(zip(KITTI.classes, KITTI.ids, strict=True))
    ids = np.full((height, width), id_of["sky"], np.uint8)
    ids[height // 3 :, : width // 2] = id_of["building"]
    ids[height // 3 :, width // 2 :] = id_of["vegetation"]
    ids[height // 2 :] = id_of["road"]
    ids[height // 2 : height // 2 + 8, 10 + 5 * seed : 22 + 5 * seed] = id_of["car"]
    ids[-3:] = 4
    return ids
