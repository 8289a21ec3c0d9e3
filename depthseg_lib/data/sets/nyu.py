"""The `nyu` profile's data: NYU-V2's labelled images with its split, and the raw dump with measured depth."""

from pathlib import Path

from depthseg_lib.data import folders, image_files, nyu, nyu_kinect, resize
from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.labels import NYU13
from depthseg_lib.data.sets import nyu_raw
from depthseg_lib.data.sets.listing import LabelledImage, Measured, Sample, evenly
from depthseg_lib.errors import InputError

RAW = "raw"
"""The folder of the raw dump."""
LAYOUT = f"one that holds {', '.join(nyu.FILES)} and a folder {RAW} with scenes of the raw dump"
READ_FIRST = False
"""Whether the video is short enough to be read before anything is trained."""


def video(folder: Path, height: int, width: int, progress: Progress = None) -> Video:
    """Every pair of the raw dump; the scenes of the test images are among them, without labels, as in section 4.3."""
    return nyu_raw.video(folder / RAW, height, width, progress=progress)


def annotated(folder: Path, height: int, width: int, progress: Progress = None) -> tuple[Labelled, Labelled]:
    """The 795 training images, of which a run takes some, and the 654 test images, with the 13 classes."""
    training, test = (nyu.labelled(folder, split, height, width, progress=progress) for split in ("train", "test"))
    return training, test


def annotated_count(folder: Path) -> int:
    """Images that a training set can be taken from, counted without decoding any."""
    return len(nyu.numbers(folder, "train"))


def parts(folder: Path) -> list[Path]:
    """The files and the folder whose content results depend on."""
    return [*(folder / name for name in nyu.FILES), folder / RAW]


def check(folder: Path) -> None:
    """Raise `InputError` unless all parts are there and the labelled set is whole; no image is read."""
    found = folders.existing(folder, LAYOUT)
    missing = [part for part in (*nyu.FILES, RAW) if not (found / part).exists()]
    if missing:
        raise InputError(f"DATA={folder} lacks {', '.join(missing)}: expected {LAYOUT}; {folders.found(found)}")
    nyu.check(found)
    nyu_raw.scenes(found / RAW)


def sample(folder: Path) -> Sample:
    """What `make check-data` looks at: both splits, the scenes of the raw dump, and a few of its depth frames."""
    splits, scenes = {name: nyu.numbers(folder, name) for name in ("train", "test")}, nyu_raw.scenes(folder / RAW)
    pairs = [pair for scene in scenes for pair in zip(scene.colour, scene.depth, strict=True)]
    lost = sum(scene.left_out for scene in scenes)
    return Sample(
        NYU13,
        {name: [_labelled(folder, int(row)) for row in rows] for name, rows in splits.items()},
        {scene.colour[0].parent.name: scene.colour for scene in scenes},
        [_measured(*pair) for pair in evenly(pairs, 4)],
        [f"{lost} colour frames have no depth frame near in time and are left out"] if lost else [],
    )


def _labelled(folder: Path, row: int) -> LabelledImage:
    where = f"{folder / nyu.LABELLED}, image {row + 1}"
    return LabelledImage(where, lambda: nyu.image(folder, row), lambda: nyu.ids(folder, row))


def _measured(colour: Path, depth: Path) -> Measured:
    same = resize.plan(nyu_kinect.SIZE, *nyu_kinect.SIZE, crop=False)
    return Measured(str(depth), lambda: image_files.photograph(colour), lambda: nyu_raw.depth(depth, same))
