"""KITTI odometry: `sequences/XX/image_N/*.png` with `calib.txt` and, for some, poses."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.arrays import Video
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.sets import kitti_raw
from depthseg_lib.errors import InputError

_LAYOUT = (
    "KITTI odometry (sequences/00 ... with image_0 and calib.txt), from "
    "https://www.cvlibs.net/datasets/kitti/eval_odometry.php"
)
_CALIBRATION = "a calib.txt of KITTI odometry, with 12 numbers per camera"


def video(
    root: str | Path,
    height: int,
    width: int,
    *,
    camera: str = "0",
    sequences: Sequence[str] | None = None,
    step: int = 1,
    crop: bool = False,
    progress: Progress = None,
) -> Video:
    """Frames of `camera` (0, 1 grey; 2, 3 colour) of all sequences, or the named ones, at `height` x `width`.

    Poses come from `sequences/XX/poses.txt` or `poses/XX.txt`; where a sequence has none, or not one per image,
    `progress` is told and the video has no poses. Raises `InputError` where `root` is not KITTI odometry, a sequence,
    camera or calibration is missing, or a file is broken.
    """
    root = image_files.existing(root, _LAYOUT)
    clips = [_clip(folder, camera, progress) for folder in _sequences(root, sequences)]
    return ingest.video(clips, height, width, crop, step, progress)


def _sequences(root: Path, names: Sequence[str] | None) -> list[Path]:
    if not (root / "sequences").is_dir():
        raise InputError(
            f"{root} is not KITTI odometry, it has no folder sequences: expected {_LAYOUT}, {image_files.found(root)}; "
            "give the folder that holds sequences"
        )
    present = {folder.name: folder for folder in image_files.subfolders(root / "sequences")}
    missing = sorted(set(names or ()) - present.keys())
    if missing or not present:
        raise InputError(
            f"{root}/sequences lacks {', '.join(missing) or 'sequences'}: expected {_LAYOUT}, "
            f"{image_files.found(root / 'sequences')}; fetch them, or leave them out"
        )
    return [present[name] for name in names or present]


def _clip(folder: Path, camera: str, progress: Progress) -> ingest.Clip:
    frames = image_files.existing(folder / f"image_{camera}", f"the frames of camera {camera} of KITTI odometry")
    files = image_files.image_files(frames)
    file = folder / "calib.txt"
    projection = kitti_raw.entry(kitti_raw.read(file, _CALIBRATION), f"P{camera}", (3, 4), file)
    intrinsics, offset = kitti_raw.camera_of(projection)
    poses = _poses(folder, files, progress)
    if poses is not None:  # the file's poses are those of camera 0: x_camera = x_0 + offset
        poses = poses @ _translation(-offset)
    return ingest.Clip(files, image_files.size(files[0]), intrinsics, poses)


def _poses(folder: Path, files: Sequence[Path], progress: Progress) -> np.ndarray | None:
    """Poses (N, 4, 4) of camera 0, camera-to-world; None without a file of exactly one per frame."""
    candidates = (folder / "poses.txt", folder.parent.parent / "poses" / f"{folder.name}.txt")
    file = next((candidate for candidate in candidates if candidate.exists()), None)
    if file is None:
        return _without(f"{folder} has no poses.txt", progress)
    lines = [line.split() for line in image_files.file_text(file, "12 numbers a line").splitlines() if line.strip()]
    try:
        rows = np.array(lines, float).reshape(len(lines), 3, 4)
    except ValueError as error:
        raise InputError(f"{file} holds no poses: expected 12 numbers a line; fetch it again or remove it") from error
    if len(rows) != len(files):
        return _without(f"{file} has {len(rows)} poses for {len(files)} images", progress)
    last = np.broadcast_to([0.0, 0.0, 0.0, 1.0], (len(rows), 1, 4))
    return np.concatenate([rows, last], axis=1)


def _without(reason: str, progress: Progress) -> None:
    if progress:
        progress(f"{reason}: read without poses")


def _translation(offset: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix
