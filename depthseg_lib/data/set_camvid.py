"""The `camvid` profile's data: CamVid's labels, and the video of all small real clips in one folder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from depthseg_lib.data import camvid, image_files, kitti_odometry
from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.labels import CAMVID
from depthseg_lib.data.sets import kitti_raw, own
from depthseg_lib.data.sets import listing as samples
from depthseg_lib.data.sets.listing import Sample
from depthseg_lib.errors import InputError

HIGHWAY_STEP = 2
"""Every second highway frame: at 25 frames/s neighbours hardly differ."""
PARTS = ("highway", "kitti_odometry", "camvid", "kitti_raw")
"""Folders that the profile needs, below the folder that DATA names."""
LAYOUT = f"one that holds {', '.join(PARTS)}"
READ_FIRST = True
"""Whether the whole video is read before anything is trained: it takes seconds."""


def video(folder: Path, height: int, width: int, progress: Progress = None) -> Video:
    """Highway, both KITTI odometry clips, CamVid's val video and KITTI raw, each cropped and resized to one size.

    The second half of the KITTI raw drive is a sequence of its own and comes last, so that it is held out of training
    and depth is evaluated on it, at the frames that have a laser scan.
    """
    check(folder)
    size = (height, width)
    return concatenate(
        [
            own.video_of(folder / "highway", *size, step=HIGHWAY_STEP, crop=True, progress=progress),
            kitti_odometry.video(folder / "kitti_odometry", *size, crop=True, progress=progress),
            camvid.video(folder / "camvid", "val", *size, progress=progress),
            halves(kitti_raw.video(folder / "kitti_raw", *size, depth=True, crop=True, progress=progress)),
        ]
    )


def annotated(folder: Path, height: int, width: int, progress: Progress = None) -> tuple[Labelled, Labelled]:
    """CamVid's training split, of which a run takes some, and its test split, on which every run is validated."""
    root = folder / "camvid"
    training, test = (camvid.labelled(root, split, height, width, progress=progress) for split in ("train", "test"))
    return training, test


def annotated_count(folder: Path) -> int:
    """Images that a training set can be taken from, counted without decoding any."""
    return len(camvid.files(folder / "camvid", "train"))


def parts(folder: Path) -> list[Path]:
    """The folders whose content results depend on."""
    return [folder / part for part in PARTS]


def check(folder: Path) -> None:
    """Raise `InputError` unless all parts are there."""
    if not folder.is_dir():
        raise InputError(f"DATA={folder}: there is no such folder; expected one that holds {', '.join(PARTS)}")
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        found = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise InputError(f"DATA={folder} lacks {', '.join(missing)}: expected {', '.join(PARTS)}, found {found}")


def sample(folder: Path) -> Sample:
    """What `make check-data` looks at: all three splits, all clips, and a few laser scans."""
    root, drives = folder / "camvid", samples.sequences(folder / "kitti_raw", "image_02")
    splits = {name: (camvid.files(root, name), camvid.files(root, name, "annot")) for name in ("train", "test")}
    pairs = {name: list(zip(of[0], image_files.paired(*of), strict=True)) for name, of in splits.items()}
    scanned = [frame for frames_of in drives.values() for frame in frames_of if kitti_raw.scan(frame).exists()]
    return Sample(
        CAMVID,
        {name: samples.labelled(of) for name, of in pairs.items()},
        samples.sequences(folder / "highway")
        | samples.sequences(folder / "kitti_odometry")
        | {"camvid/val": camvid.files(root, "val")}
        | drives,
        [kitti_raw.measured(frame) for frame in samples.evenly(scanned, 4)],
        ["nobody gives CamVid's intrinsics: fx = fy = 0.8 of the width is assumed for its video"],
    )


def halves(clip: Video) -> Video:
    """One sequence cut into two of the same length."""
    count = len(clip.sequence)
    return replace(clip, sequence=(np.arange(count) * 2 // count).astype(np.int32))


def concatenate(videos: Sequence[Video]) -> Video:
    """One video after another, as different sequences; depth is 0 (unknown) for those without."""
    offsets = np.cumsum([0] + [int(v.sequence.max()) + 1 for v in videos[:-1]])
    depth = [np.zeros((len(v.images), *v.images.shape[2:]), np.float16) if v.depth is None else v.depth for v in videos]
    return Video(
        images=np.concatenate([v.images for v in videos]),
        sequence=np.concatenate([v.sequence + o for v, o in zip(videos, offsets, strict=True)]).astype(np.int32),
        intrinsics=np.concatenate([v.intrinsics for v in videos]).astype(np.float32),
        depth=np.concatenate(depth) if any(v.depth is not None for v in videos) else None,
    )
