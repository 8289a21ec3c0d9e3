"""KITTI raw: `date/date_drive_0001_sync/image_0N/data/*.png` with `calib_cam_to_cam.txt`, and velodyne scans."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from depthseg_lib.data import folders, image_files, ingest, kitti_calibration, kitti_velodyne
from depthseg_lib.data.arrays import Video
from depthseg_lib.data.pack import Progress
from depthseg_lib.data.sets.listing import Measured
from depthseg_lib.errors import InputError

_LAYOUT = (
    "KITTI raw (2011_09_26/2011_09_26_drive_0001_sync/image_02/data ... and 2011_09_26/calib_cam_to_cam.txt), from "
    "https://www.cvlibs.net/datasets/kitti/raw_data.php"
)


def video(
    root: str | Path,
    height: int,
    width: int,
    *,
    cameras: Sequence[str] = ("02",),
    drives: Sequence[str] | None = None,
    depth: bool = False,
    step: int = 1,
    crop: bool = False,
    progress: Progress = None,
) -> Video:
    """Rectified frames of `cameras` of all drives, or of the named ones, at `height` x `width`.

    A drive is broken into several sequences where frame numbers are missing. With `depth`, the velodyne scan of each
    frame that has one is projected: sparse metres, 0 elsewhere and for frames without a scan. Raises `InputError` where
    `root` is not KITTI raw, a drive, camera or calibration is missing, frames are not of the calibrated size, or a file
    is broken.
    """
    root = folders.existing(root, _LAYOUT)
    clips = [clip for drive in named(root, drives) for camera in cameras for clip in _clips(drive, camera)]
    result = ingest.video(clips, height, width, crop, step, progress)
    if not depth:
        return result
    files = [file for clip in clips for part in clip.every(step) for file in part.files]
    return replace(result, depth=kitti_velodyne.depth(files, result.intrinsics, height, width, progress))


def named(root: Path, names: Sequence[str] | None = None) -> list[Path]:
    """The folders of the drives below `root` in name order, or of those with these names; unsynchronised recordings
    (`_extract`), whose images are not rectified, are left aside.

    Raises `InputError` where there are no drives at all, or a name is not among them.
    """
    drives = [drive for date in folders.subfolders(root) for drive in folders.subfolders(date)]
    present = {drive.name: drive for drive in drives if is_drive(drive)}
    if not present:
        raise InputError(
            f"{root} is not KITTI raw, it has no drives: expected {_LAYOUT}, {folders.found(root)}; give the folder "
            "that holds the dates"
        )
    missing = sorted(set(names or ()) - present.keys())
    if missing:
        raise InputError(f"{root} lacks the drives {', '.join(missing)}: expected {_LAYOUT}; fetch or leave them out")
    return [present[name] for name in names or present]


def is_drive(folder: Path) -> bool:
    """Whether `folder` is named as a drive of synchronised and rectified frames is."""
    return "_drive_" in folder.name and not folder.name.endswith("_extract")


def frames(drive: Path, camera: str) -> dict[int, Path]:
    """The image files of a drive's camera (02, 03, ...) by frame number, in order.

    Raises `InputError` where there are none, or one is not named by a number.
    """
    folder = folders.existing(drive / f"image_{camera}" / "data", f"the frames of camera {camera} of KITTI raw")
    files = folders.image_files(folder)
    try:
        return {int(file.stem): file for file in files}
    except ValueError as error:
        raise InputError(
            f"{folder} holds frames that are not named by a number ({error}): expected names such as "
            "0000000000.png; remove what is no frame"
        ) from error


def calibration(drive: Path, camera: str) -> tuple[tuple[int, int], np.ndarray]:
    """Height and width of a camera's rectified frames and its intrinsics (3, 3) in their pixels, those of the date.

    Raises `InputError` where the date's calibration is missing or lacks the camera.
    """
    file = drive.parent / "calib_cam_to_cam.txt"
    values = kitti_calibration.read(file, f"the calibration of the cameras on {drive.parent.name}")
    projection = kitti_calibration.entry(values, f"P_rect_{camera}", (3, 4), file)
    columns, rows = kitti_calibration.entry(values, f"S_rect_{camera}", (2,), file)
    return (int(rows), int(columns)), kitti_calibration.camera(projection)[0]


def measured(frame: Path) -> Measured:
    """A frame that has a velodyne scan, with its depth at the frame's own size."""
    camera = frame.parents[1].name.removeprefix("image_")

    def depth() -> np.ndarray:
        (rows, columns), matrix = calibration(frame.parents[2], camera)
        return kitti_velodyne.depth([frame], matrix[None], rows, columns, None)[0]

    return Measured(str(kitti_velodyne.scan(frame)), lambda: image_files.photograph(frame), depth)


def runs(numbers: Iterable[int]) -> list[list[int]]:
    """`numbers`, ascending, cut where one is missing: a triplet across a gap would hold a jump."""
    parts: list[list[int]] = []
    for number in numbers:
        if not parts or number != parts[-1][-1] + 1:
            parts.append([])
        parts[-1].append(number)
    return parts


def _clips(drive: Path, camera: str) -> Iterator[ingest.Clip]:
    size, intrinsics = calibration(drive, camera)
    files = frames(drive, camera)
    for part in runs(files):
        yield ingest.Clip(tuple(files[number] for number in part), size, intrinsics)
