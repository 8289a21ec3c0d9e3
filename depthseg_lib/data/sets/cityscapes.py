"""The `cityscapes` profile's data: the training split's video and labels, tested on the validation split."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.arrays import Labelled, Video
from depthseg_lib.data.cache import Progress
from depthseg_lib.data.labels import CITYSCAPES
from depthseg_lib.data.sets import listing as samples
from depthseg_lib.data.sets.listing import Sample
from depthseg_lib.errors import InputError

SPLITS = ("train", "val", "test")
FOLDERS = {"images": "leftImg8bit", "labels": "gtFine", "video": "leftImg8bit_sequence", "cameras": "camera"}
"""The folders of the set; below each are the splits, and below those the cities."""
_PACKAGES = {
    "leftImg8bit": "leftImg8bit_trainvaltest.zip",
    "gtFine": "gtFine_trainvaltest.zip",
    "leftImg8bit_sequence": "leftImg8bit_sequence_trainvaltest.zip",
    "camera": "camera_trainvaltest.zip",
}
_SITE = "https://www.cityscapes-dataset.com/downloads/"
_FRAME = re.compile(r"(?P<city>.+)_(?P<sequence>\d{6})_(?P<frame>\d{6})")
_CAMERA = (
    'a json object with "intrinsic": {"fx": 2262.52, "fy": 2265.30, "u0": 1096.98, "v0": 513.13}, in pixels of the '
    "frames"
)


def labelled(
    root: str | Path, split: str, height: int, width: int, *, crop: bool = False, progress: Progress = None
) -> Labelled:
    """The images of `split` (train: 2975, val: 500) with the 19 evaluation classes, at `height` x `width`.

    Named `city_sequence_frame`. Without `crop` the whole image is kept, squeezed where the shapes differ. Raises
    `InputError` where `root` is not Cityscapes, an image has no label image or the reverse, or a file is broken.
    """
    pictures, annotations = pairs(root, split)
    found = ingest.labelled(pictures, annotations, CITYSCAPES, height, width, crop, progress)
    names = tuple(name.removesuffix("_leftImg8bit") for name in found.names)
    return Labelled(found.images, found.labels, found.label_set, names, found.depth)


def video_of(
    root: str | Path,
    split: str,
    height: int,
    width: int,
    *,
    step: int = 1,
    crop: bool = False,
    progress: Progress = None,
) -> Video:
    """The frames of `split` at `height` x `width`: each snippet, of 30 frames at 17 Hz, is a sequence.

    A snippet is a run of consecutive frame numbers of a city's sequence. Raises `InputError` where `root` is not
    Cityscapes, a snippet has no camera or one without intrinsics, or a file is broken or of another size.
    """
    frames = _files(root, split, "video", "_leftImg8bit.png")
    cameras = _files(root, split, "cameras", "_camera.json")
    clips = [_clip(snippet, cameras) for snippet in _snippets(frames)]
    return ingest.video(clips, height, width, crop, step, progress)


def sequences(root: str | Path, split: str) -> dict[str, tuple[Path, ...]]:
    """The frames of each snippet of `split`, by the name of its first; nothing is read but folders."""
    snippets = _snippets(_files(root, split, "video", "_leftImg8bit.png"))
    return {"_".join(next(iter(snippet))): tuple(snippet.values()) for snippet in snippets}


def pairs(root: str | Path, split: str) -> tuple[list[Path], list[Path]]:
    """The images of `split` and their label images, in the order of the names; nothing is read but folders."""
    pictures = _files(root, split, "images", "_leftImg8bit.png")
    annotations = _files(root, split, "labels", "_gtFine_labelIds.png")
    unpaired = pictures.keys() ^ annotations.keys()
    if unpaired:
        raise InputError(
            f"{Path(root) / FOLDERS['images'] / split} and {Path(root) / FOLDERS['labels'] / split} do not match: "
            f"expected an image and a label image for every name, found {len(unpaired)} with only one of them, such as "
            f"{'_'.join(min(unpaired))}; fetch what is missing"
        )
    return list(pictures.values()), [annotations[name] for name in pictures]


def require_folders(root: str | Path, *wanted: str) -> None:
    """Raise `InputError` unless the folders `wanted` of `FOLDERS` (all of them without any) are there."""
    root = image_files.existing(root, _layout(FOLDERS.values()))
    missing = [FOLDERS[name] for name in wanted or FOLDERS if not (root / FOLDERS[name]).is_dir()]
    if missing:
        raise InputError(
            f"{root} lacks {', '.join(missing)}: expected Cityscapes' {_layout(missing)}, {image_files.found(root)}; "
            "unpack them there, or give the folder that holds them"
        )


def read_camera(file: Path) -> np.ndarray:
    """The intrinsics (3, 3) of a camera json; raises `InputError` where it is missing, no json or lacks a number."""
    try:
        values = json.loads(image_files.file_text(file, _CAMERA))
    except json.JSONDecodeError as error:
        raise InputError(f"{file} is not json ({error}): expected {_CAMERA}; fetch it again") from error
    intrinsic = values.get("intrinsic") if isinstance(values, dict) else None
    numbers = [intrinsic.get(name) if isinstance(intrinsic, dict) else None for name in ("fx", "fy", "u0", "v0")]
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and 0 < n < float("inf") for n in numbers):
        raise InputError(f"{file} has no intrinsics: expected {_CAMERA}; fetch it again from camera_trainvaltest.zip")
    fx, fy, u0, v0 = numbers
    return np.array([[fx, 0, u0], [0, fy, v0], [0, 0, 1]], float)


def _files(root: str | Path, split: str, kind: str, ending: str) -> dict[tuple[str, str, str], Path]:
    """The files of a split that end so, by city, sequence and frame, in that order."""
    if split not in SPLITS:
        raise InputError(f"Cityscapes has no split '{split}': expected one of {', '.join(SPLITS)}")
    require_folders(root, kind)
    place = Path(root).expanduser() / FOLDERS[kind] / split
    cities = image_files.subfolders(image_files.existing(place, f"the cities of Cityscapes' {split} split"))
    files = [file for city in cities for file in city.iterdir() if file.name.endswith(ending)]
    named = {m.groups(): file for file in files if (m := _FRAME.fullmatch(file.name.removesuffix(ending)))}
    if not named:
        raise InputError(
            f"{place} holds no files city_000000_000019{ending} in folders of cities: expected those of "
            f"{_PACKAGES[FOLDERS[kind]]}, {image_files.found(place)}; fetch them from {_SITE}"
        )
    return dict(sorted(named.items()))


def _snippets(frames: dict[tuple[str, str, str], Path]) -> Iterator[dict[tuple[str, str, str], Path]]:
    """Runs of consecutive frames of one sequence."""
    run, last = {}, None
    for name, file in frames.items():
        if last and (name[:2] != last[:2] or int(name[2]) != int(last[2]) + 1):
            yield run
            run = {}
        run[name], last = file, name
    yield run


def _clip(snippet: dict[tuple[str, str, str], Path], cameras: dict[tuple[str, str, str], Path]) -> ingest.Clip:
    """A snippet with its camera, which the set has for one of its frames."""
    names, files = list(snippet), tuple(snippet.values())
    found = [cameras[name] for name in names if name in cameras]
    if not found:
        raise InputError(
            f"the frames {'_'.join(names[0])} to {'_'.join(names[-1])} have no camera: expected "
            f"{'_'.join(names[len(names) // 2])}_camera.json, or that of another of them, below {FOLDERS['cameras']}; "
            f"fetch {_PACKAGES['camera']} from {_SITE}"
        )
    return ingest.Clip(files, image_files.size(files[0]), read_camera(found[0]))


def _layout(names: Sequence[str]) -> str:
    return f"{', '.join(names)} ({', '.join(_PACKAGES[name] for name in names)} from {_SITE})"


LAYOUT = f"one that holds {', '.join(FOLDERS.values())} of Cityscapes"
READ_FIRST = False
"""Whether the video is short enough to be read before anything is trained."""


def video(folder: Path, height: int, width: int, progress: Progress = None) -> Video:
    """The 2975 snippets of 30 frames of the training split: the test images' cities are not among them."""
    return video_of(folder, "train", height, width, progress=progress)


def annotated(folder: Path, height: int, width: int, progress: Progress = None) -> tuple[Labelled, Labelled]:
    """The 2975 training images, of which a run takes some, and the 500 of val (those of test have no labels)."""
    training, test = (labelled(folder, s, height, width, progress=progress) for s in ("train", "val"))
    return training, test


def annotated_count(folder: Path) -> int:
    """Images that a training set can be taken from, counted without decoding any."""
    return len(pairs(folder, "train")[0])


def parts(folder: Path) -> list[Path]:
    """The folders whose content results depend on."""
    return [folder / part for part in FOLDERS.values()]


def check(folder: Path) -> None:
    """Raise `InputError` unless all parts are there."""
    require_folders(folder)


def sample(folder: Path) -> Sample:
    """What `make check-data` looks at: train and val, and the training split's snippets."""
    splits = {name: list(zip(*pairs(folder, name), strict=True)) for name in ("train", "val")}
    labelled = {name: samples.labelled(pairs) for name, pairs in splits.items()}
    return Sample(CITYSCAPES, labelled, sequences(folder, "train"))
