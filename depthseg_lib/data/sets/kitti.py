"""The `kitti` profile's data, the paper's: depth from KITTI raw, segmentation on KITTI semantics."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.arrays import Labelled, PartialDepth, Video
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.labels import KITTI
from depthseg_lib.data.sets import kitti_raw, kitti_split
from depthseg_lib.data.sets import listing as samples
from depthseg_lib.data.sets.kitti_split import Frame, Split
from depthseg_lib.data.sets.listing import Sample
from depthseg_lib.errors import InputError

_LAYOUT = (
    "KITTI semantics (training/image_2 and training/semantic), from "
    "https://www.cvlibs.net/datasets/kitti/eval_semseg.php?benchmark=semantics2015"
)


def labelled(root: str | Path, height: int, width: int, *, crop: bool = False, progress: Progress = None) -> Labelled:
    """The annotated pairs at `height` x `width`, named by their files' stems.

    Raises `InputError` where `root` is not KITTI semantics, an image has no label image or the reverse, a pair differs
    in size, an id is unknown, or a file is broken.
    """
    root = image_files.existing(root, _LAYOUT)
    pictures, annotations = (files(root, name) for name in ("image_2", "semantic"))
    return ingest.labelled(pictures, image_files.paired(pictures, annotations), KITTI, height, width, crop, progress)


def files(root: Path, name: str) -> tuple[Path, ...]:
    """The image files of `training/<name>` (image_2 or semantic); raises `InputError` where there are none."""
    folder = root / "training" / name
    if not folder.is_dir():
        raise InputError(
            f"{root} is not KITTI semantics, it has no folder training/{name}: expected {_LAYOUT}, "
            f"{image_files.found(root)}; give the folder that holds training"
        )
    return image_files.image_files(folder, f"the images of KITTI's training/{name}")


TRAINED = 500
"""Training frames of which depth is read too: for their mean depth map, which a depth network has to beat."""


def video_of(raw: Path, split: Split, height: int, width: int, progress: Progress = None) -> Video:
    """The targets of `split` with their neighbours, at `height` x `width`: as many sequences as there are gaps.

    Depth is that of the laser within the crop on which KITTI's depth is evaluated, projected to this size (Eigen et al.
    evaluate at the size of the files): of the held-out targets, and of `TRAINED` others. Raises `InputError` where a
    side of the split is empty, a calibration is missing, no evaluated frame has a scan, or a file is broken.
    """
    if not split.training or not split.held_out:
        raise InputError(
            f"{raw}: {len(split.training)} frames to train depth on and {len(split.held_out)} to evaluate it on, "
            "expected some of both: in drives of three frames at least, and for training in which the car moves"
        )
    clips, frames = _clips(raw, split)
    result = ingest.video(clips, height, width, crop=False, step=1, progress=progress)
    held_out = np.array([frame in split.held_out for frame in frames])
    training = np.array([frame in split.training for frame in frames])
    depth = _depth([file for clip in clips for file in clip.files], training, held_out, result, progress)
    return replace(result, depth=depth, targets=training | held_out, held_out=held_out)


def _clips(raw: Path, split: Split) -> tuple[list[ingest.Clip], list[Frame]]:
    """The frames that are in a triplet, as clips of consecutive ones, and which frames these are, in the same order."""
    wanted: dict[tuple[str, str], set[int]] = {}
    for target in split.training | split.held_out:
        numbers = wanted.setdefault((target.drive, target.camera), set())
        numbers |= {target.number - 1, target.number, target.number + 1}
    clips, frames = [], []
    for (drive, camera), numbers in sorted(wanted.items()):
        size, intrinsics = kitti_raw.calibration(raw / drive, camera)
        files = kitti_raw.frames(raw / drive, camera)
        for part in kitti_raw.runs(sorted(numbers)):
            clips.append(ingest.Clip(tuple(files[number] for number in part), size, intrinsics))
            frames += [Frame(drive, camera, number) for number in part]
    return clips, frames


def _depth(files: list[Path], training, held_out, video: Video, progress: Progress) -> PartialDepth:
    scanned = np.array([kitti_raw.scan(file).exists() for file in files])
    evaluated, trained = np.flatnonzero(held_out & scanned), np.flatnonzero(training & scanned)
    if not len(evaluated):
        raise InputError(
            f"none of the {held_out.sum()} frames that depth is evaluated on has a velodyne scan: expected files such "
            f"as {kitti_raw.scan(files[np.flatnonzero(held_out)[0]])}; fetch the scans"
        )
    some = np.linspace(0, len(trained) - 1, min(TRAINED, len(trained))).round().astype(int)
    rows, (height, width) = np.union1d(evaluated, trained[some]), video.images.shape[-2:]
    chosen = [files[row] for row in rows]
    return PartialDepth(
        rows, kitti_raw.scanned_depth(chosen, video.intrinsics[rows], height, width, progress, cropped=True)
    )


RAW, SEMANTICS, LISTS = ("raw", "kitti_raw"), ("semantics", "kitti_semantics", "data_semantics"), "splits"
"""Names of the folders of both sets below DATA, any of them, and that of the lists of frames."""
LAYOUT = (
    "one that holds raw/ (KITTI raw: 2011_09_26/2011_09_26_drive_0001_sync with image_02, image_03 and "
    "velodyne_points, and 2011_09_26/calib_*.txt, from https://www.cvlibs.net/datasets/kitti/raw_data.php), or those "
    "dates themselves, and semantics/training/ (image_2 and semantic, from "
    "https://www.cvlibs.net/datasets/kitti/eval_semseg.php?benchmark=semantics2015), or that training/ itself"
)
READ_FIRST = False
"""Whether the whole video is read before anything is trained: it is too long, and `check` looks at names instead."""


def video(folder: Path, height: int, width: int, progress: Progress = None) -> Video:
    """The triplets of the split in `splits/`, or of one that is made: see `kitti_split` and `kitti_triplets`."""
    raw = _raw(folder)
    return video_of(raw, kitti_split.split(raw, folder / LISTS, progress), height, width, progress)


def annotated(folder: Path, height: int, width: int, progress: Progress = None) -> tuple[Labelled, None]:
    """All pairs of KITTI semantics, whole and each from its own size; the benchmark keeps its test labels to itself."""
    return labelled(_semantics(folder), height, width, progress=progress), None


def annotated_count(folder: Path) -> int:
    """Images that a training set can be taken from, counted without decoding any."""
    return len(files(_semantics(folder), "image_2"))


def parts(folder: Path) -> list[Path]:
    """The folders whose content results depend on."""
    semantics = _semantics(folder) / "training"
    return [_raw(folder), semantics / "image_2", semantics / "semantic", folder / LISTS]


def check(folder: Path) -> None:
    """Raise `InputError` unless both sets are there, every drive's date is calibrated, listed frames are there, and
    some drive that depth is evaluated on has laser scans."""
    if not folder.is_dir():
        raise InputError(f"DATA={folder}: there is no such folder; expected {LAYOUT}")
    raw, semantics = _raw(folder), _semantics(folder)
    if not _has_drives(raw) or not (semantics / "training").is_dir():
        lacking = "KITTI semantics" if _has_drives(raw) else "KITTI raw"
        raise InputError(f"DATA={folder} lacks {lacking}: expected {LAYOUT}; {image_files.found(folder)}")
    drives = kitti_raw.named(raw)
    for drive in drives:
        for camera in (name for name in kitti_split.CAMERAS.values() if (drive / f"image_{name}").is_dir()):
            kitti_raw.calibration(drive, camera)
            kitti_raw.velodyne_calibration(drive.parent, camera)
    if (folder / LISTS).is_dir():
        _check_scans(sorted({raw / frame.drive for frame in kitti_split.read(raw, folder / LISTS).held_out}))
    else:
        _check_scans(kitti_split.held_out_drives(drives))


def sample(folder: Path) -> Sample:
    """What `make check-data` looks at: the annotated pairs, the drives of both cameras, and a few laser scans."""
    raw, semantics = _raw(folder), _semantics(folder)
    drives = {k: v for c in kitti_split.CAMERAS.values() for k, v in samples.sequences(raw, f"image_{c}").items()}
    pictures, annotations = (files(semantics, name) for name in ("image_2", "semantic"))
    pairs = list(zip(pictures, image_files.paired(pictures, annotations), strict=True))
    scanned = [frame for frames in drives.values() for frame in frames if kitti_raw.scan(frame).exists()]
    measured = [kitti_raw.measured(frame) for frame in samples.evenly(scanned, 4)]
    return Sample(KITTI, {"training": samples.labelled(pairs)}, drives, measured)


def _check_scans(evaluated: list[Path]) -> None:
    """One drive with scans suffices here; frames without one are left out of the evaluation."""
    places = [drive / "velodyne_points" / "data" for drive in evaluated]
    if not places:
        raise InputError(f"{LISTS} names no frame to evaluate depth on that has both neighbours: list others")
    if not any(place.is_dir() and next(place.glob("*.bin"), None) for place in places):
        raise InputError(
            f"none of the {len(places)} drives that depth is evaluated on has velodyne scans: expected files such as "
            f"{places[0] / '0000000000.bin'}; fetch the scans"
        )


def _raw(folder: Path) -> Path:
    return next((folder / name for name in RAW if (folder / name).is_dir()), folder)


def _semantics(folder: Path) -> Path:
    return next((folder / name for name in SEMANTICS if (folder / name).is_dir()), folder)


def _has_drives(raw: Path) -> bool:
    return any(
        kitti_raw.is_drive(drive) for date in image_files.subfolders(raw) for drive in image_files.subfolders(date)
    )
