"""Video of the triplets of a split of KITTI raw: only the frames that are in one are read."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from depthseg_lib.data import ingest, kitti_velodyne
from depthseg_lib.data.arrays import PartialDepth, Video
from depthseg_lib.data.pack import Progress
from depthseg_lib.data.sets import kitti_raw
from depthseg_lib.data.sets.kitti_split import Frame, Split
from depthseg_lib.errors import InputError

TRAINED = 500
"""Training frames of which depth is read too: for their mean depth map, which a depth network has to beat."""


def video(raw: Path, split: Split, height: int, width: int, progress: Progress = None) -> Video:
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
    scanned = np.array([kitti_velodyne.scan(file).exists() for file in files])
    evaluated, trained = np.flatnonzero(held_out & scanned), np.flatnonzero(training & scanned)
    if not len(evaluated):
        raise InputError(
            f"none of the {held_out.sum()} frames that depth is evaluated on has a velodyne scan: expected files such "
            f"as {kitti_velodyne.scan(files[np.flatnonzero(held_out)[0]])}; fetch the scans"
        )
    some = np.linspace(0, len(trained) - 1, min(TRAINED, len(trained))).round().astype(int)
    rows, (height, width) = np.union1d(evaluated, trained[some]), video.images.shape[-2:]
    chosen = [files[row] for row in rows]
    return PartialDepth(
        rows, kitti_velodyne.depth(chosen, video.intrinsics[rows], height, width, progress, cropped=True)
    )
