"""KITTI raw: `date/date_drive_0001_sync/image_0N/data/*.png` with `calib_cam_to_cam.txt`, and velodyne scans."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from depthseg_lib.data import folders, ingest, kitti_calibration, kitti_velodyne
from depthseg_lib.data.pack import Progress
from depthseg_lib.data.sets import Video
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
    clips = [clip for drive in _drives(root, drives) for camera in cameras for clip in _clips(drive, camera)]
    result = ingest.video(clips, height, width, crop, step, progress)
    if not depth:
        return result
    files = [file for clip in clips for part in clip.every(step) for file in part.files]
    return replace(result, depth=kitti_velodyne.depth(files, result.intrinsics, height, width, progress))


def _drives(root: Path, names: Sequence[str] | None) -> list[Path]:
    drives = [drive for date in folders.subfolders(root) for drive in folders.subfolders(date)]
    present = {drive.name: drive for drive in drives if "_drive_" in drive.name}
    if not present:
        raise InputError(
            f"{root} is not KITTI raw, it has no drives: expected {_LAYOUT}, {folders.found(root)}; give the folder "
            "that holds the dates"
        )
    missing = sorted(set(names or ()) - present.keys())
    if missing:
        raise InputError(f"{root} lacks the drives {', '.join(missing)}: expected {_LAYOUT}; fetch or leave them out")
    return [present[name] for name in names or present]


def _clips(drive: Path, camera: str) -> Iterator[ingest.Clip]:
    file = drive.parent / "calib_cam_to_cam.txt"
    values = kitti_calibration.read(file, "the calibration of the cameras of that date")
    projection = kitti_calibration.entry(values, f"P_rect_{camera}", (3, 4), file)
    columns, rows = kitti_calibration.entry(values, f"S_rect_{camera}", (2,), file)
    frames = folders.existing(drive / f"image_{camera}" / "data", f"the frames of camera {camera} of KITTI raw")
    for files in _unbroken(folders.image_files(frames)):
        yield ingest.Clip(files, (int(rows), int(columns)), kitti_calibration.camera(projection)[0])


def _unbroken(files: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Parts of `files` whose names are consecutive numbers: a triplet across a gap would hold a jump."""
    try:
        numbers = [int(file.stem) for file in files]
    except ValueError as error:
        raise InputError(
            f"{files[0].parent} holds frames that are not named by a number ({error}): expected names such as "
            "0000000000.png; remove what is no frame"
        ) from error
    starts = [0, *(i for i in range(1, len(files)) if numbers[i] != numbers[i - 1] + 1), len(files)]
    return [tuple(files[a:b]) for a, b in zip(starts, starts[1:], strict=False)]
