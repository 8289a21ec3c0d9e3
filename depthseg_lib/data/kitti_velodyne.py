"""Depth from KITTI raw's velodyne scans, projected into the image: what predicted depth is measured against."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from depthseg_lib.data import kitti_calibration
from depthseg_lib.data.cache import Progress, source_hash
from depthseg_lib.data.pack import packed
from depthseg_lib.errors import InputError


def depth(frames: Sequence[Path], intrinsics: np.ndarray, height: int, width: int, progress: Progress) -> np.ndarray:
    """Depth (N, H, W) float16 metres of KITTI raw `frames` from the scans of the same number, 0 where no point falls.

    `intrinsics` (N, 3, 3) are those of the H x W images. Raises `InputError` where no frame has a scan, or a
    calibration is missing or broken.
    """
    scans = [scan(frame) for frame in frames]
    if not any(scan.exists() for scan in scans):
        raise InputError(
            f"no frame has a velodyne scan: expected files such as {scans[0]}; fetch the scans, or ask for no depth"
        )

    def one(index: int) -> tuple[np.ndarray]:
        if not scans[index].exists():
            return (np.zeros((height, width)),)
        return (project(_camera_points(scans[index], frames[index]), intrinsics[index], height, width),)

    names = [str(frame.absolute()) for frame in frames]
    digest = hashlib.sha256(repr((names, intrinsics.tolist())).encode()).hexdigest()
    key = {"frames": digest, "size": [height, width], "code": source_hash(__file__, kitti_calibration.__file__)}
    dates = sorted({frame.parents[3] for frame in frames})
    calibrations = [date / name for date in dates for name in ("calib_cam_to_cam.txt", "calib_velo_to_cam.txt")]
    files, arrays = [*scans, *calibrations], {"depth": (np.float16, (height, width))}
    present = [file for file in files if file.exists()]
    return packed("velodyne", key, present, arrays, range(len(frames)), one, progress)[0]


def project(points: np.ndarray, intrinsics: np.ndarray, height: int, width: int) -> np.ndarray:
    """Depth (H, W) in metres of `points` (P, 3) in the camera's axes: the nearest per pixel, 0 where none falls."""
    points = points[points[:, 2] > 0.1]
    pixels = points @ intrinsics.T
    x, y = np.rint(pixels[:, :2] / pixels[:, 2:]).T
    seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y, metres = x[seen].astype(int), y[seen].astype(int), points[seen, 2]
    image = np.full((height, width), np.inf)
    np.minimum.at(image, (y, x), metres)
    return np.where(np.isinf(image), 0.0, image)


def scan(frame: Path) -> Path:
    """The scan of a frame, which need not exist: `drive/velodyne_points/data/N.bin` for `drive/image_0C/data/N.png`."""
    return frame.parents[2] / "velodyne_points" / "data" / f"{frame.stem}.bin"


def _camera_points(scan: Path, frame: Path) -> np.ndarray:
    """The points of `scan` (P, 3) in the axes of the rectified camera of `frame`, metres."""
    date, camera = frame.parents[3], frame.parents[1].name.removeprefix("image_")
    cameras, velodyne = date / "calib_cam_to_cam.txt", date / "calib_velo_to_cam.txt"
    to_camera = kitti_calibration.read(velodyne, "the calibration of the velodyne")
    rotation = kitti_calibration.entry(to_camera, "R", (3, 3), velodyne)
    translation = kitti_calibration.entry(to_camera, "T", (3,), velodyne)
    values = kitti_calibration.read(cameras, "the calibration of the cameras of that date")
    rectify = kitti_calibration.entry(values, "R_rect_00", (3, 3), cameras)
    projection = kitti_calibration.entry(values, f"P_rect_{camera}", (3, 4), cameras)
    try:
        points = np.fromfile(scan, np.float32).reshape(-1, 4)[:, :3]
    except (OSError, ValueError) as error:
        raise InputError(f"{scan} cannot be read ({error}): expected 4 floats a point; fetch it again") from error
    return (points @ rotation.T + translation) @ rectify.T + kitti_calibration.camera(projection)[1]
