"""A user's own video: folders of frames with an `intrinsics.json`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from depthseg_lib.data import folders, ingest
from depthseg_lib.data.arrays import Video
from depthseg_lib.data.pack import Progress
from depthseg_lib.errors import InputError

_LAYOUT = "frames as PNG or JPEG, directly or in one sub-folder per sequence"
INTRINSICS = ("width", "height", "fx", "fy", "cx", "cy")
"""What the intrinsics of a camera are, in pixels of its frames."""
_JSON = (
    'a json object like {"width": 640, "height": 320, "fx": 578.3, "fy": 575.7, "cx": 335.7, "cy": 194.6}, in pixels '
    "of the frames"
)


def video(
    source: str | Path | Sequence[str | Path],
    height: int,
    width: int,
    *,
    intrinsics: str | Path | None = None,
    step: int = 1,
    crop: bool = False,
    progress: Progress = None,
) -> Video:
    """Frames of one folder or several, at `height` x `width`; the images of a folder are a sequence in name order.

    A folder may hold frames, sub-folders of frames (a sequence each), or both. `intrinsics` is one json file for all;
    without it, `intrinsics.json` is looked for beside the frames, then in the folder above. With `step` above 1 frames
    that lie `step` apart become neighbours: for slow or fast-sampled video. With `crop`, frames keep their shape.
    Raises `InputError` for a missing or empty folder, missing or wrong intrinsics, frames of another size than the
    intrinsics are for, and broken images.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    if not sources:
        raise InputError(f"no folder of frames was given: expected at least one with {_LAYOUT}")
    clips = [_clip(folder, intrinsics) for given in sources for folder in sequences(given)]
    return ingest.video(clips, height, width, crop, step, progress)


def sequences(source: str | Path) -> list[Path]:
    """The folders of frames in `source`: itself, its sub-folders, or both; `InputError` where there are none."""
    folder = folders.existing(source, _LAYOUT)
    sequences = [part for part in (folder, *folders.subfolders(folder)) if folders.holds_images(part)]
    if not sequences:
        raise InputError(f"{folder} holds no frames: expected {_LAYOUT}, {folders.found(folder)}; give another folder")
    return sequences


def _clip(folder: Path, intrinsics: str | Path | None) -> ingest.Clip:
    file = Path(intrinsics).expanduser() if intrinsics else beside(folder)
    size, matrix = read_intrinsics(file)
    return ingest.Clip(folders.image_files(folder), size, matrix)


def beside(folder: Path) -> Path:
    """The `intrinsics.json` for the frames in `folder`, there or in the folder above; it need not exist."""
    file, above = folder / "intrinsics.json", folder.absolute().parent / "intrinsics.json"
    return above if above.exists() and not file.exists() else file


def read_intrinsics(file: Path) -> tuple[tuple[int, int], np.ndarray]:
    """The size (height, width) that an intrinsics json is for, and its matrix (3, 3) in pixels of that size.

    Raises `InputError` where the file is missing, no json, or lacks a key or a positive number for it.
    """
    try:
        values = json.loads(folders.file_text(file, _JSON))
    except json.JSONDecodeError as error:
        raise InputError(f"{file} is not json ({error}): expected {_JSON}; correct it") from error
    wrong = [key for key in INTRINSICS if not isinstance(values, dict) or not is_positive(values.get(key))]
    if wrong:
        raise InputError(f"{file} has no positive number for {', '.join(wrong)}: expected {_JSON}; add what is missing")
    return camera(values)


def camera(values: Mapping) -> tuple[tuple[int, int], np.ndarray]:
    """The size (height, width) and the matrix (3, 3) of positive numbers for the keys of `INTRINSICS`."""
    matrix = np.array([[values["fx"], 0, values["cx"]], [0, values["fy"], values["cy"]], [0, 0, 1]], float)
    return (int(values["height"]), int(values["width"])), matrix


def is_positive(value: object) -> bool:
    """Whether `value` is a finite number above zero."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
