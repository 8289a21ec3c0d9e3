"""Which frames of KITTI raw depth is learned from and evaluated on: lists of files, or made from the drives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from depthseg_lib.data import image_files
from depthseg_lib.data.cache import Progress, cached, files_digest, load_arrays, mapped
from depthseg_lib.data.sets import kitti_raw
from depthseg_lib.errors import InputError
from depthseg_lib.fingerprint import source_hash

HEIGHT, WIDTH = 32, 104
"""Size at which frames are compared, pixels: motions near the limit are then a fraction of a pixel, where the linear
measure below holds."""
LEAST = 1.0
"""Mean motion below which a frame counts as still, in pixels of an image `UNIT` wide, as Zhou et al. (2017) have it."""
UNIT = 416


def moving(files: Sequence[Path], progress: Progress = None) -> np.ndarray:
    """Whether the camera moves around each of the consecutive frames `files` (N,) bool.

    That is where the mean of the motion from the frame before and to the one behind is `LEAST` at least; the first and
    the last frame, which lack one of the two, are not called moving. Kept in the cache.
    """
    found = np.zeros(len(files), bool)
    if len(files) > 2:
        between = np.array(_kept(files, progress))
        found[1:-1] = (between[:-1] + between[1:]) / 2 >= LEAST
    return found


def motion(first: np.ndarray, second: np.ndarray) -> float:
    """The mean motion between two grey images (h w) of `WIDTH` columns, in pixels of an image `UNIT` wide.

    From the linear brightness constancy, |change| = |gradient| |motion| |cos|, as the ratio of the means over the image
    times pi / 2, the inverse of the mean |cos| over all directions. Contrast cancels, and so does a change of exposure,
    by the mean that is subtracted first. Traffic that passes a standing car moves a small part of the image only.
    """
    first, second = first.astype(np.float32), second.astype(np.float32)
    change = second - first
    gradient = np.hypot(*np.gradient((first + second) / 2)).mean()
    shift = np.abs(change - change.mean()).mean() / max(gradient, 1e-6)
    return float(np.pi / 2 * shift * UNIT / WIDTH)


def _kept(files: Sequence[Path], progress: Progress) -> np.ndarray:
    """The motion between neighbours (N - 1,), measured once."""

    def build(folder: Path) -> None:
        small = list(mapped(_small, files, progress))
        found = [motion(a, b) for a, b in zip(small, small[1:], strict=False)]
        np.save(folder / "motion.npy", np.array(found, np.float32))

    key = {"files": files_digest(files), "code": source_hash(__file__, image_files.__file__)}
    return load_arrays(cached("motion", key, build, progress), "motion")[0]


def _small(file: Path) -> np.ndarray:
    return np.asarray(image_files.photograph(file).convert("L").resize((WIDTH, HEIGHT), Image.Resampling.BOX))


CAMERAS = {"l": "02", "r": "03"}
"""The camera that a side in a split file stands for."""
EIGEN_TEST = {
    "2011_09_26": (
        *("0002", "0009", "0013", "0020", "0023", "0027", "0029", "0036", "0046", "0048", "0052", "0056", "0059"),
        *("0064", "0084", "0086", "0093", "0096", "0101", "0106", "0117"),
    ),
    "2011_09_28": ("0002",),
    "2011_09_29": ("0071",),
    "2011_09_30": ("0016", "0018", "0027"),
    "2011_10_03": ("0027", "0047"),
}
"""The 28 drives that Eigen et al. (2014) test depth on, by date: nobody trains on them."""
TESTED = 25
"""Frames of each held-out drive on which depth is evaluated, as many as Eigen et al. have of most."""
_FORM = "lines such as `2011_09_26/2011_09_26_drive_0001_sync 5 l` (drive, frame, l for image_02 or r for image_03)"

_Looker = Callable[[str, str], dict[int, Path]]


@dataclass(frozen=True, order=True)
class Frame:
    """One frame of one camera."""

    drive: str
    """Folder of the drive below that of the set, such as 2011_09_26/2011_09_26_drive_0001_sync."""
    camera: str
    """02 or 03."""
    number: int
    """The number in its file's name."""


@dataclass(frozen=True)
class Split:
    """Targets of triplets; the frames before and behind each are there."""

    training: frozenset[Frame]
    held_out: frozenset[Frame]


def split(raw: Path, lists: Path, progress: Progress = None) -> Split:
    """The split of the folder `lists` where that is there, else one that is made: see `read` and `make`."""
    return read(raw, lists, progress) if lists.is_dir() else make(raw, progress)


def read(raw: Path, lists: Path, progress: Progress = None) -> Split:
    """The split of the files in `lists`: trained on `train_files.txt`, evaluated on `test_files.txt`, or, where that
    is not there, on `val_files.txt`.

    They have the form of Monodepth2's `splits/eigen_zhou` and `splits/eigen`; a line names the target of a triplet.
    Test frames at the end of a drive, which have no neighbour there, are left out, and `progress` is told. Raises
    `InputError`, naming file and line, for lines of another form and for frames that are not below `raw`.
    """
    evaluated = next((lists / n for n in ("test_files.txt", "val_files.txt") if (lists / n).is_file()), None)
    if evaluated is None:
        raise InputError(
            f"{lists} holds neither test_files.txt nor val_files.txt, one of which says what depth is evaluated on; "
            f"{image_files.found(lists)}: put it there, or remove {lists.name} to have a split made"
        )
    there = _looker(raw)
    training = _listed(there, lists / "train_files.txt")
    held_out = _listed(there, evaluated, ends=True)
    both = sorted(training.keys() & held_out.keys(), key=training.get)
    if both:
        raise InputError(
            f"{lists / 'train_files.txt'}, line {training[both[0]]}: this frame is held out too, in line "
            f"{held_out[both[0]]} of {evaluated.name}; remove it from one of them"
        )
    whole = frozenset(frame for frame in held_out if _missing(there, frame) is None)
    if progress and len(whole) < len(held_out):
        progress(f"{evaluated.name}: {len(held_out) - len(whole)} frames at the ends of drives are left out")
    return Split(frozenset(training), whole)


def make(raw: Path, progress: Progress = None) -> Split:
    """A split of all drives below `raw`: trained on both cameras wherever the car moves, evaluated on whole drives.

    Held out are the drives of `EIGEN_TEST`; where none of them is there, or no other, the last tenth of the drives,
    one at least. Of each, `TESTED` frames of camera 02 are evaluated, evenly over those with a laser scan.
    `still_frames` decides, on camera 02, where the car moves.
    """
    drives, there = kitti_raw.drives(raw), _looker(raw)
    tested = held_out_drives(drives)
    training, held_out = set(), set()
    for drive in drives:
        name = drive.relative_to(raw).as_posix()
        numbers = _tested(drive) if drive in tested else _moving(drive, progress)
        cameras = [c for c in CAMERAS.values() if c == "02" or drive not in tested and there(name, c)]
        wanted = (Frame(name, camera, number) for camera in cameras for number in numbers)
        chosen = held_out if drive in tested else training
        chosen |= {frame for frame in wanted if _missing(there, frame) is None}
    return Split(frozenset(training), frozenset(held_out))


def held_out_drives(drives: Sequence[Path]) -> list[Path]:
    """Those of `drives` that a split made from them evaluates on."""
    if len(drives) < 2:
        raise InputError(
            f"{drives[0].parents[1]} holds one drive, {drives[0].name}: expected two at least, one of them to evaluate "
            "depth on; fetch another, or give lists of frames"
        )
    known = [drive for drive in drives if drive.name[17:21] in EIGEN_TEST.get(drive.parent.name, ())]
    return known if 0 < len(known) < len(drives) else list(drives[-max(1, len(drives) // 10) :])


def _moving(drive: Path, progress: Progress) -> list[int]:
    """Numbers of the frames around which the car moves."""
    files, found = kitti_raw.frames(drive, "02"), []
    for part in kitti_raw.runs(files):
        found += list(np.array(part)[moving([files[number] for number in part], progress)])
    return [int(number) for number in found]


def _tested(drive: Path) -> list[int]:
    """Numbers of `TESTED` frames with neighbours, evenly over those that have a scan, or over all where none has."""
    files = kitti_raw.frames(drive, "02")
    inner = [number for part in kitti_raw.runs(files) for number in part[1:-1]]
    inner = [number for number in inner if kitti_raw.scan(files[number]).exists()] or inner
    return [inner[i] for i in np.linspace(0, len(inner) - 1, min(TESTED, len(inner))).round().astype(int)]


def _looker(raw: Path) -> _Looker:
    """A function from a drive's name and a camera to its files by number, looked up once; none where there is none."""

    @cache
    def files(drive: str, camera: str) -> dict[int, Path]:
        there = (raw / drive / f"image_{camera}" / "data").is_dir()
        return kitti_raw.frames(raw / drive, camera) if there else {}

    return files


def _listed(there: _Looker, file: Path, ends: bool = False) -> dict[Frame, int]:
    """Frames and the numbers of their lines in a split file; each with both neighbours, or, with `ends`, itself."""
    found = {}
    for number, line in enumerate(image_files.file_text(file, _FORM).splitlines(), 1):
        if not line.strip():
            continue
        frame = _parsed(line, f"{file}, line {number}")
        missing = _missing(there, frame, (0,) if ends else (-1, 0, 1))
        if missing is not None:
            raise InputError(
                f"{file}, line {number}: '{line.strip()}' asks for frame {missing}, but {frame.drive}/image_"
                f"{frame.camera}/data has {_found(there(frame.drive, frame.camera))}: expected the frame"
                f"{'' if ends else ' and both neighbours'}; fetch that drive, or remove the line"
            )
        found.setdefault(frame, number)
    if not found:
        raise InputError(f"{file} names no frame: expected {_FORM}")
    return found


def _parsed(line: str, where: str) -> Frame:
    parts = line.split()
    if len(parts) != 3 or not parts[1].isdigit() or parts[2] not in CAMERAS:
        raise InputError(f"{where}: '{line.strip()}' is no frame: expected {_FORM}; correct or remove the line")
    return Frame(PurePosixPath(parts[0].strip("/")).as_posix(), CAMERAS[parts[2]], int(parts[1]))


def _missing(there: _Looker, frame: Frame, offsets: Sequence[int] = (-1, 0, 1)) -> int | None:
    """The first number at these offsets from a frame that its camera has no file of; None where all are there."""
    files = there(frame.drive, frame.camera)
    return next((frame.number + o for o in offsets if frame.number + o not in files), None)


def _found(files: dict[int, Path]) -> str:
    return f"{len(files)} frames from {min(files)} to {max(files)}" if files else "none"
