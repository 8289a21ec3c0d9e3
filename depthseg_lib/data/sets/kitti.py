"""The `kitti` profile's data, the paper's: depth from a split of KITTI raw's frames, labels from KITTI semantics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.arrays import PartialDepth, Video, spread
from depthseg_lib.data.cache import Progress, cached, files_digest, load_arrays, mapped
from depthseg_lib.data.ingest import Annotated
from depthseg_lib.data.labels import KITTI
from depthseg_lib.data.sets import kitti_raw
from depthseg_lib.data.sets.listing import Listing, Measured, evenly
from depthseg_lib.errors import InputError, together
from depthseg_lib.fingerprint import source_hash

RAW, SEMANTICS, LISTS = ("raw", "kitti_raw"), ("semantics", "kitti_semantics", "data_semantics"), "splits"
"""Names of the folders of both sets below DATA, any of them, and that of the lists of frames."""
TRAINED = 500
"""Training frames of which depth is read too: for their mean depth map, which a depth network has to beat."""
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
HEIGHT, WIDTH = 32, 104
"""Size at which frames are compared, pixels: motions near the limit are then a fraction of a pixel, where the linear
measure below holds."""
LEAST = 1.0
"""Mean motion below which a frame counts as still, in pixels of an image `UNIT` wide, as Zhou et al. (2017) have it."""
UNIT = 416


class Kitti(Listing):
    """Images are whole, each from its own size; the benchmark keeps its test labels to itself."""

    LAYOUT = (
        "one that holds raw/ (KITTI raw: 2011_09_26/2011_09_26_drive_0001_sync with image_02, image_03 and "
        "velodyne_points, and 2011_09_26/calib_*.txt, from https://www.cvlibs.net/datasets/kitti/raw_data.php), or "
        "those dates themselves, and semantics/training/ (image_2 and semantic, from "
        "https://www.cvlibs.net/datasets/kitti/eval_semseg.php?benchmark=semantics2015), or that training/ itself"
    )
    label_set = KITTI

    def __init__(self, folder: str | Path):
        super().__init__(folder)
        raw, semantics = (
            [*(place for name in names if (place := self.folder / name).is_dir()), self.folder]
            for names in (RAW, SEMANTICS)
        )
        self.raw = next((place for place in raw if place.is_dir() and kitti_raw.has_drives(place)), raw[0])
        self.training, self.lists = semantics[0] / "training", self.folder / LISTS

    def check(self) -> None:
        """Raise `InputError` unless both sets are there, drives have frames and calibrations, listed frames are there,
        and some drive that depth is evaluated on has laser scans."""
        super().check()
        has_drives = kitti_raw.has_drives(self.raw)
        if not has_drives or not self.training.is_dir():
            lacking = "KITTI semantics" if has_drives else "KITTI raw"
            apart = f" ({'; '.join(kitti_raw.remarks(self.raw))})" if not has_drives else ""
            raise InputError(
                f"DATA={self.folder} lacks {lacking}: expected {self.LAYOUT}; {image_files.found(self.folder)}{apart}"
            )
        self._raise()
        evaluated = (
            held_out_drives(kitti_raw.drives(self.raw))
            if not self.lists.is_dir()
            else sorted({self.raw / frame.drive for frame in read_split(self.raw, self.lists).held_out})
        )
        if not evaluated:
            raise InputError(f"{LISTS} names no frame to evaluate depth on that has both neighbours: list others")
        places = [drive / "velodyne_points" / "data" for drive in evaluated]
        if not any(place.is_dir() and next(place.glob("*.bin"), None) for place in places):
            raise InputError(  # one drive with scans suffices: frames without one are left out of the evaluation
                f"none of the {len(places)} drives that depth is evaluated on has velodyne scans: expected files such "
                f"as {places[0] / '0000000000.bin'}; fetch the scans"
            )

    @cached_property
    def labelled(self) -> Mapping[str, Sequence[Annotated]]:
        """All pairs of KITTI semantics."""
        pictures, annotations = (
            image_files.image_files(self.training / name, f"the images of KITTI semantics' training/{name}")
            for name in ("image_2", "semantic")
        )
        label_of = {file.stem: file for file in annotations}
        if unpaired := {file.stem for file in pictures} ^ label_of.keys():
            raise InputError(
                f"{self.training / 'image_2'} and {self.training / 'semantic'} do not match: expected an image and a "
                f"label image for every name, found {len(unpaired)} with only one of them, such as {min(unpaired)}; "
                "fetch what is missing"
            )
        like = annotations[0]
        return {"training": [ingest.pair(file.stem, file, label_of[file.stem], like=like) for file in pictures]}

    @cached_property
    def sequences(self) -> Mapping[str, Sequence[Path]]:
        """The drives, of both cameras."""
        self._raise()
        return {
            str((drive / f"image_{camera}").relative_to(self.raw)): tuple(files.values())
            for (drive, camera), files in self._cameras[0].items()
        }

    @property
    def remarks(self) -> Sequence[str]:
        found, wrong = self._cameras
        drives = kitti_raw.drives(self.raw)
        one = [drive.name for drive in drives if (drive, CAMERAS["r"]) not in found]
        both = f"{len(one)} of {len(drives)} drives lack image_{CAMERAS['r']}, such as {one[0]}" if one else ""
        unread = image_files.unread(next(iter(files.values())).parent for files in found.values())
        return [*kitti_raw.remarks(self.raw), *map(str, wrong), *([both] if both else []), *unread]

    @cached_property
    def _cameras(self) -> tuple[dict[tuple[Path, str], dict[int, Path]], list[InputError]]:
        """The frames of every drive and camera by number, and what is wrong with some."""
        return kitti_raw.cameras(kitti_raw.drives(self.raw), list(CAMERAS.values()))

    def _raise(self) -> None:
        """Raise one `InputError` for all drives that are not whole, but where lists say which are read."""
        if (wrong := self._cameras[1]) and not self.lists.is_dir():
            raise together(wrong, "folders and calibrations of drives are not as expected")

    @property
    def parts(self) -> Sequence[Path]:
        return [self.raw, self.training / "image_2", self.training / "semantic", self.lists]

    @property
    def depth(self) -> Sequence[Measured]:
        scanned = [frame for of in self.sequences.values() for frame in of if kitti_raw.scan(frame).exists()]
        return [kitti_raw.measured(frame) for frame in evenly(scanned, 4)]

    def video(self, height: int, width: int, progress: Progress = None) -> Video:
        """The triplets of the split in `splits/`, where there is one, or of one that is made."""
        listed = self.lists.is_dir()
        split = read_split(self.raw, self.lists, progress) if listed else make_split(self.raw, progress)
        return video_of(self.raw, split, height, width, progress)


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
    wanted: dict[tuple[str, str], set[int]] = {}
    for target in split.training | split.held_out:
        wanted.setdefault((target.drive, target.camera), set()).update(range(target.number - 1, target.number + 2))
    clips, frames = [], []  # which frames the clips hold, in the same order
    for (drive, camera), numbers in sorted(wanted.items()):
        size, intrinsics = kitti_raw.calibration(raw / drive, camera)
        of = kitti_raw.frames(raw / drive, camera)
        for part in image_files.pieces(sorted(numbers), lambda number, later: later == number + 1):
            clips.append(ingest.Clip(tuple(of[number] for number in part), size, intrinsics))
            frames += [Frame(drive, camera, number) for number in part]
    result = ingest.video(clips, height, width, progress=progress)
    held_out, training = (np.array([frame in of for frame in frames]) for of in (split.held_out, split.training))
    files = [file for clip in clips for file in clip.files]
    scanned = np.array([kitti_raw.scan(file).exists() for file in files])
    if not (held_out & scanned).any():
        raise InputError(
            f"none of the {held_out.sum()} frames that depth is evaluated on has a velodyne scan: expected files such "
            f"as {kitti_raw.scan(files[np.flatnonzero(held_out)[0]])}; fetch the scans"
        )
    trained = np.flatnonzero(training & scanned)
    rows = np.union1d(np.flatnonzero(held_out & scanned), spread(trained, TRAINED))
    chosen, matrices = [files[row] for row in rows], result.intrinsics[rows]
    maps = kitti_raw.scanned_depth(chosen, matrices, height, width, progress, cropped=True)
    return replace(result, depth=PartialDepth(rows, maps), targets=training | held_out, held_out=held_out)


def read_split(raw: Path, lists: Path, progress: Progress = None) -> Split:
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
    training = _listed(there, lists / "train_files.txt", (-1, 0, 1))
    held_out = _listed(there, evaluated, (0,))
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


def make_split(raw: Path, progress: Progress = None) -> Split:
    """A split of all drives below `raw`: trained on both cameras wherever the car moves, evaluated on whole drives.

    Of each of the `held_out_drives`, `TESTED` frames of camera 02 are evaluated, evenly over those with a laser scan,
    or over all where none has one. `moving` decides, on camera 02, where the car moves.
    """
    drives, there = kitti_raw.drives(raw), _looker(raw)
    tested = held_out_drives(drives)
    training, held_out = set(), set()
    for drive in drives:
        name, files = drive.relative_to(raw).as_posix(), kitti_raw.frames(drive, "02")
        parts = image_files.pieces(list(files), lambda number, later: later == number + 1)
        if drive in tested:
            inner = [number for part in parts for number in part[1:-1]]
            scanned = [number for number in inner if kitti_raw.scan(files[number]).exists()]
            numbers, cameras, chosen = evenly(scanned or inner, TESTED), ["02"], held_out
        else:
            moves = [zip(part, moving([files[number] for number in part], progress), strict=True) for part in parts]
            numbers = [number for part in moves for number, moved in part if moved]
            cameras, chosen = [c for c in CAMERAS.values() if c == "02" or there(name, c)], training
        wanted = (Frame(name, camera, number) for camera in cameras for number in numbers)
        chosen |= {frame for frame in wanted if _missing(there, frame) is None}
    return Split(frozenset(training), frozenset(held_out))


def held_out_drives(drives: Sequence[Path]) -> list[Path]:
    """Those of `drives` that a split made from them evaluates on: those of `EIGEN_TEST`; where none of them is there,
    or no other, the last tenth, one at least. Raises `InputError` for a single drive."""
    if len(drives) < 2:
        raise InputError(
            f"{drives[0].parents[1]} holds one drive, {drives[0].name}: expected two at least, one of them to evaluate "
            "depth on; fetch another, or give lists of frames"
        )
    known = [drive for drive in drives if drive.name[17:21] in EIGEN_TEST.get(drive.parent.name, ())]
    return known if 0 < len(known) < len(drives) else list(drives[-max(1, len(drives) // 10) :])


_Looker = Callable[[str, str], dict[int, Path]]


def _looker(raw: Path) -> _Looker:
    """A function from a drive's name and a camera to its files by number, looked up once; none where there is none."""

    @cache
    def files(drive: str, camera: str) -> dict[int, Path]:
        there = (raw / drive / f"image_{camera}" / "data").is_dir()
        return kitti_raw.frames(raw / drive, camera) if there else {}

    return files


def _listed(there: _Looker, file: Path, offsets: Sequence[int]) -> dict[Frame, int]:
    """Frames and the numbers of their lines in a split file; the frames at these offsets from each are there.

    Raises one `InputError` for all cameras of drives that lack frames.
    """
    found, wrong = {}, {}
    for number, line in enumerate(map(str.strip, image_files.file_text(file, _FORM).splitlines()), 1):
        if not line:
            continue
        where, parts = f"{file}, line {number}: '{line}'", line.split()
        if len(parts) != 3 or not parts[1].isdigit() or parts[2] not in CAMERAS:
            raise InputError(f"{where} is no frame: expected {_FORM}; correct or remove the line")
        frame = Frame(PurePosixPath(parts[0].strip("/")).as_posix(), CAMERAS[parts[2]], int(parts[1]))
        missing = _missing(there, frame, offsets)
        if missing is not None:
            files = there(frame.drive, frame.camera)
            error = InputError(
                f"{where} asks for frame {missing}, but {frame.drive}/image_{frame.camera}/data has "
                f"{f'{len(files)} frames from {min(files)} to {max(files)}' if files else 'none'}: expected the frame"
                f"{' and both neighbours' if len(offsets) > 1 else ''}; fetch that drive, or remove the line"
            )
            wrong.setdefault((frame.drive, frame.camera), error)
            continue
        found.setdefault(frame, number)
    if wrong:
        raise together([*wrong.values()], f"cameras of drives that {file.name} names lack frames")
    if not found:
        raise InputError(f"{file} names no frame: expected {_FORM}")
    return found


def _missing(there: _Looker, frame: Frame, offsets: Sequence[int] = (-1, 0, 1)) -> int | None:
    """The first number at these offsets from a frame that its camera has no file of; None where all are there."""
    files = there(frame.drive, frame.camera)
    return next((frame.number + o for o in offsets if frame.number + o not in files), None)


def moving(files: Sequence[Path], progress: Progress = None) -> np.ndarray:
    """Whether the camera moves around each of the consecutive frames `files` (N,) bool.

    That is where the mean of the motion from the frame before and to the one behind is `LEAST` at least; the first and
    the last frame, which lack one of the two, are not called moving. Kept in the cache.
    """
    found = np.zeros(len(files), bool)
    if len(files) < 3:
        return found

    def small(file: Path) -> np.ndarray:
        grey = image_files.photograph(file).convert("L")
        return np.asarray(grey.resize((WIDTH, HEIGHT), Image.Resampling.BOX))

    def build(folder: Path) -> None:
        between = [motion(*pair) for pair in pairwise(mapped(small, files, progress))]
        np.save(folder / "motion.npy", np.array(between, np.float32))

    key = {"files": files_digest(files), "code": source_hash(__file__, image_files.__file__)}
    between = np.array(load_arrays(cached("motion", key, build, progress), "motion")[0])
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
