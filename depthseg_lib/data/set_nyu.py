"""The `nyu` profile's data: NYU-V2's labelled images with its split, and the raw dump with measured depth."""

from pathlib import Path

from depthseg_lib.data import folders, nyu, nyu_raw
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.sets import Labelled, Video
from depthseg_lib.errors import InputError

RAW = "raw"
"""The folder of the raw dump."""
LAYOUT = f"one that holds {', '.join(nyu.FILES)} and a folder {RAW} with scenes of the raw dump"


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
