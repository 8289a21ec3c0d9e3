"""The `kitti` profile's data, the paper's: depth from KITTI raw, segmentation on KITTI semantics."""

from collections.abc import Callable
from pathlib import Path

from depthseg_lib.data import folders, kitti_semantics, kitti_triplets, kitti_velodyne
from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.labels import KITTI
from depthseg_lib.data.sets import kitti_raw, kitti_split
from depthseg_lib.data.sets import listing as samples
from depthseg_lib.data.sets.listing import Sample
from depthseg_lib.errors import InputError

Progress = Callable[[str], None] | None
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
    return kitti_triplets.video(raw, kitti_split.split(raw, folder / LISTS, progress), height, width, progress)


def annotated(folder: Path, height: int, width: int, progress: Progress = None) -> tuple[Labelled, None]:
    """All pairs of KITTI semantics, whole and each from its own size; the benchmark keeps its test labels to itself."""
    return kitti_semantics.labelled(_semantics(folder), height, width, progress=progress), None


def annotated_count(folder: Path) -> int:
    """Images that a training set can be taken from, counted without decoding any."""
    return len(kitti_semantics.files(_semantics(folder), "image_2"))


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
        raise InputError(f"DATA={folder} lacks {lacking}: expected {LAYOUT}; {folders.found(folder)}")
    drives = kitti_raw.named(raw)
    for drive in drives:
        for camera in (name for name in kitti_split.CAMERAS.values() if (drive / f"image_{name}").is_dir()):
            kitti_raw.calibration(drive, camera)
            kitti_velodyne.calibration(drive.parent, camera)
    if (folder / LISTS).is_dir():
        _check_scans(sorted({raw / frame.drive for frame in kitti_split.read(raw, folder / LISTS).held_out}))
    else:
        _check_scans(kitti_split.held_out_drives(drives))


def sample(folder: Path) -> Sample:
    """What `make check-data` looks at: the annotated pairs, the drives of both cameras, and a few laser scans."""
    raw, semantics = _raw(folder), _semantics(folder)
    drives = {k: v for c in kitti_split.CAMERAS.values() for k, v in samples.sequences(raw, f"image_{c}").items()}
    pictures, annotations = (kitti_semantics.files(semantics, name) for name in ("image_2", "semantic"))
    pairs = list(zip(pictures, folders.paired(pictures, annotations), strict=True))
    scanned = [frame for frames in drives.values() for frame in frames if kitti_velodyne.scan(frame).exists()]
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
    return any(kitti_raw.is_drive(drive) for date in folders.subfolders(raw) for drive in folders.subfolders(date))
