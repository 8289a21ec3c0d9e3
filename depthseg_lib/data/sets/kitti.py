"""The `kitti` profile's data, the paper's: depth from KITTI raw, segmentation on KITTI semantics."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.arrays import PartialDepth, Video, spread
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.ingest import Pair
from depthseg_lib.data.labels import KITTI
from depthseg_lib.data.sets import kitti_raw, kitti_split
from depthseg_lib.data.sets.kitti_split import CAMERAS, Frame, Split
from depthseg_lib.data.sets.listing import Listing, Measured, evenly
from depthseg_lib.errors import InputError

RAW, SEMANTICS, LISTS = ("raw", "kitti_raw"), ("semantics", "kitti_semantics", "data_semantics"), "splits"
"""Names of the folders of both sets below DATA, any of them, and that of the lists of frames."""
TRAINED = 500
"""Training frames of which depth is read too: for their mean depth map, which a depth network has to beat."""


class Kitti(Listing):
    """Images are whole, each from its own size; the benchmark keeps its test labels to itself."""

    LAYOUT = (
        "one that holds raw/ (KITTI raw: 2011_09_26/2011_09_26_drive_0001_sync with image_02, image_03 and "
        "velodyne_points, and 2011_09_26/calib_*.txt, from https://www.cvlibs.net/datasets/kitti/raw_data.php), or those "
        "dates themselves, and semantics/training/ (image_2 and semantic, from "
        "https://www.cvlibs.net/datasets/kitti/eval_semseg.php?benchmark=semantics2015), or that training/ itself"
    )
    label_set = KITTI

    def __init__(self, folder: str | Path):
        super().__init__(folder)
        self.raw, semantics = (
            next((self.folder / name for name in names if (self.folder / name).is_dir()), self.folder)
            for names in (RAW, SEMANTICS)
        )
        self.training, self.lists = semantics / "training", self.folder / LISTS

    def check(self) -> None:
        """Raise `InputError` unless both sets are there, every drive's date is calibrated, listed frames are there, and
        some drive that depth is evaluated on has laser scans."""
        super().check()
        has_drives = any(
            kitti_raw.is_drive(d) for date in image_files.subfolders(self.raw) for d in image_files.subfolders(date)
        )
        if not has_drives or not self.training.is_dir():
            lacking = "KITTI semantics" if has_drives else "KITTI raw"
            raise InputError(
                f"DATA={self.folder} lacks {lacking}: expected {self.LAYOUT}; {image_files.found(self.folder)}"
            )
        drives = kitti_raw.drives(self.raw)
        for drive in drives:
            for camera in (name for name in CAMERAS.values() if (drive / f"image_{name}").is_dir()):
                kitti_raw.calibration(drive, camera)
                kitti_raw.velodyne_calibration(drive.parent, camera)
        evaluated = (
            kitti_split.held_out_drives(drives)
            if not self.lists.is_dir()
            else sorted({self.raw / frame.drive for frame in kitti_split.read(self.raw, self.lists).held_out})
        )
        if not evaluated:
            raise InputError(f"{LISTS} names no frame to evaluate depth on that has both neighbours: list others")
        places = [drive / "velodyne_points" / "data" for drive in evaluated]
        if not any(place.is_dir() and next(place.glob("*.bin"), None) for place in places):
            raise InputError(  # one drive with scans suffices: frames without one are left out of the evaluation
                f"none of the {len(places)} drives that depth is evaluated on has velodyne scans: expected files such as "
                f"{places[0] / '0000000000.bin'}; fetch the scans"
            )

    @cached_property
    def labelled(self) -> Mapping[str, Sequence[Pair]]:
        """All pairs of KITTI semantics."""
        pictures, annotations = (
            image_files.image_files(self.training / name, f"the images of KITTI semantics' training/{name}")
            for name in ("image_2", "semantic")
        )
        labels = image_files.paired(pictures, annotations)
        return {
            "training": [
                Pair(file.stem, file, label, like=labels[0]) for file, label in zip(pictures, labels, strict=True)
            ]
        }

    @cached_property
    def sequences(self) -> Mapping[str, Sequence[Path]]:
        """The drives, of both cameras."""
        found = (
            (drive / f"image_{camera}", camera) for camera in CAMERAS.values() for drive in kitti_raw.drives(self.raw)
        )
        return {
            str(place.relative_to(self.raw)): tuple(kitti_raw.frames(place.parent, camera).values())
            for place, camera in found
            if place.is_dir()
        }

    @property
    def parts(self) -> Sequence[Path]:
        return [self.raw, self.training / "image_2", self.training / "semantic", self.lists]

    @property
    def depth(self) -> Sequence[Measured]:
        scanned = [frame for of in self.sequences.values() for frame in of if kitti_raw.scan(frame).exists()]
        return [kitti_raw.measured(frame) for frame in evenly(scanned, 4)]

    def video(self, height: int, width: int, progress: Progress = None) -> Video:
        """The triplets of the split in `splits/`, or of one that is made: see `kitti_split`."""
        split = kitti_split.split(self.raw, self.lists, progress)
        return video_of(self.raw, split, height, width, progress)


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
