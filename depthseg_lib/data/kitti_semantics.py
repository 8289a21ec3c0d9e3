"""KITTI semantics: 200 pairs `training/image_2/*.png` and `training/semantic/*.png` (label ids)."""

from pathlib import Path

from depthseg_lib.data import folders, ingest
from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.labels import KITTI
from depthseg_lib.data.pack import Progress
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
    root = folders.existing(root, _LAYOUT)
    pictures, annotations = (files(root, name) for name in ("image_2", "semantic"))
    return ingest.labelled(pictures, folders.paired(pictures, annotations), KITTI, height, width, crop, progress)


def files(root: Path, name: str) -> tuple[Path, ...]:
    """The image files of `training/<name>` (image_2 or semantic); raises `InputError` where there are none."""
    folder = root / "training" / name
    if not folder.is_dir():
        raise InputError(
            f"{root} is not KITTI semantics, it has no folder training/{name}: expected {_LAYOUT}, "
            f"{folders.found(root)}; give the folder that holds training"
        )
    return folders.image_files(folder, f"the images of KITTI's training/{name}")
