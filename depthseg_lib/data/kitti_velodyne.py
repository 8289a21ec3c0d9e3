"""Depth from KITTI raw's velodyne scans, projected into the image: what predicted depth is measured against."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from depthseg_lib.data import kitti_calibration
from depthseg_lib.data.cache import Progress, source_hash
from depthseg_lib.data.pack import packed
from depthseg_lib.errors import InputError

CROP = ((0.40810811, 0.99189189), (0.03594771, 0.96405229))
"""Rows and columns, as shares of height and width, on which depth on KITTI is evaluated (Garg et al. 2016): without
the sky, where no echo comes from, and the margins."""


def depth(
    frames: Sequence[Path],
    intrinsics: np.ndarray,
    height: int,
    width: int,
    progress: Progress,
    cropped: bool = False,
) -> np.ndarray:
    """Depth (N, H, W) float16 metres of KITTI raw `frames` from the scans of the same number, 0 where no point falls.

    `intrinsics` (N, 3, 3) are those of the H x W images. `cropped` depth is 0 outside of `CROP` too. Raises
    `InputError` where no frame has a scan, a scan is not whole, or a calibration is missing or broken.
    """
    scans = [scan(frame) for frame in frames]
    kept = crop(height, width) if cropped else np.ones((height, width), bool)
    if not any(file.exists() for file in scans):
        raise InputError(
            f"no frame has a velodyne scan: expected files such as {scans[0]}; fetch the scans, or ask for no depth"
        )

    def one(index: int) -> tuple[np.ndarray]:
        if not scans[index].exists():
            return (np.zeros((height, width)),)
        points = _camera_points(scans[index], frames[index])
        return (project(points, intrinsics[index], height, width) * kept,)

    names = [str(frame.absolute()) for frame in frames]
    digest = hashlib.sha256(repr((names, intrinsics.tolist())).encode()).hexdigest()
    code = source_hash(__file__, kitti_calibration.__file__)
    key = {"frames": digest, "size": [height, width], "cropped": cropped, "code": code}
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


def crop(height: int, width: int) -> np.ndarray:
    """The pixels (H, W) bool of an image of this size that lie within `CROP`."""
    (top, bottom), (left, right) = CROP
    inside = np.zeros((height, width), bool)
    inside[int(top * height) : int(bottom * height), int(left * width) : int(right * width)] = True
    return inside


def scan(frame: Path) -> Path:
    """The scan of a frame, which need not exist: `drive/velodyne_points/data/N.bin` for `drive/image_0C/data/N.png`."""
    return frame.parents[2] / "velodyne_points" / "data" / f"{frame.stem}.bin"


def calibration(date: Path, camera: str) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and translation (3,) in metres from the velodyne's axes to those of a rectified camera.

    Raises `InputError` where a calibration file of the folder `date` is missing or lacks what is needed.
    """
    cameras, velodyne = date / "calib_cam_to_cam.txt", date / "calib_velo_to_cam.txt"
    to_camera = kitti_calibration.read(velodyne, f"the calibration of the velodyne on {date.name}")
    rotation = kitti_calibration.entry(to_camera, "R", (3, 3), velodyne)
    translation = kitti_calibration.entry(to_camera, "T", (3,), velodyne)
    values = kitti_calibration.read(cameras, f"the calibration of the cameras on {date.name}")
    rectify = kitti_calibration.entry(values, "R_rect_00", (3, 3), cameras)
    projection = kitti_calibration.entry(values, f"P_rect_{camera}", (3, 4), cameras)
    return rectify @ rotation, rectify @ translation + kitti_calibration.camera(projection)[1]


def _camera_points(file: Path, frame: Path) -> np.ndarray:
    """The points (P, 3) of the scan `file` in the axes of the rectified camera of `frame`, metres."""
    rotation, translation = calibration(frame.parents[3], frame.parents[1].name.removeprefix("image_"))
    return _points(file) @ rotation.T + translation


def _points(file: Path) -> np.ndarray:
    """The points (P, 3) of a scan in the velodyne's axes, metres; each is four floats, the last the reflectance."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}): expected a velodyne scan; fetch it") from error
    if not content or len(content) % 16:
        raise InputError(
            f"{file} has {len(content)} bytes: expected a velodyne scan, 4 floats (16 bytes) a point; fetch it again"
        )
    return np.frombuffer(content, "<f4").reshape(-1, 4)[:, :3]
