"""`dataset.json`: how a user's own images, labels and video are described, and what is wrong with a description.

    {
      "name": "my town",
      "image_size": [96, 160],
      "images": "images/*.jpg",
      "labels": "labels/*.png",
      "classes": {"road": [128, 64, 128], "car": [0, 0, 142], "rest": [70, 70, 70]},
      "void": 255,
      "video": [{"folder": "drive", "intrinsics": {"width": 640, "height": 384, "fx": 578, "fy": 576, "cx": 320,
                 "cy": 192}}]
    }

Paths count from the folder of the file. An image and a label image belong together where the stars of their globs stand
for the same text. `OPTIONAL` says what may be added.
"""

from dataclasses import dataclass
from pathlib import Path

from depthseg_lib.data import folders, frames
from depthseg_lib.data.described_labels import label_set
from depthseg_lib.data.labels import LabelSet
from depthseg_lib.data.located import Located, is_whole
from depthseg_lib.models import ENCODERS

NAME = "dataset.json"
GUESSED = "guessed"
"""A key beside intrinsics that nobody has measured; `make check-data` says so until it is taken out."""
REQUIRED = ("name", "image_size", "images", "labels", "classes", "video")
OPTIONAL = {
    "note": "free text, for whoever reads the file",
    "void": "an id, or a list of ids, of pixels that have no label",
    "label_map": 'which class an id (`"7": "road"`) or a colour (`"128 64 128": "road"`) of the label images stands '
    "for, or `void`; without it a class's id is its position, the first is 0",
    "representative": "names of the classes whose mean IoU is the main score; without it all classes",
    "test": 'globs of a test split, `{"images": ..., "labels": ...}`; without it validation is on the images that are '
    "not trained on",
    "encoder": f"one of {', '.join(ENCODERS)}; without it resnet18-slim, for a CPU",
    "frame_step": "frames between the neighbours of a triplet, for slow or fast-sampled video; without it 1",
}
"""The keys that may be left out, and what each says."""


@dataclass(frozen=True)
class Footage:
    """One entry of `video`."""

    folder: Path
    """Frames, or sub-folders of frames."""
    intrinsics: Path | dict | None
    """A json file, the values themselves, or None where the file is to be looked for beside the frames."""
    where: str
    """The entry's place in the description."""


@dataclass(frozen=True)
class Globs:
    """Labelled images: `images[i]` and `labels[i]` are globs for the same ones."""

    images: tuple[str, ...]
    labels: tuple[str, ...]
    where: tuple[str, str]
    """The places of both in the description."""


@dataclass(frozen=True)
class Description:
    """What a `dataset.json` says; `read` makes it."""

    file: Path
    height: int
    width: int
    encoder: str
    frame_step: int
    labelled: Globs
    test: Globs | None
    label_set: LabelSet
    footage: tuple[Footage, ...]


def read(folder: Path) -> Description:
    """The description in `folder`; raises `InputError`, with line and column, for all that can be wrong in it."""
    file = folder / NAME
    expected = f"a description of the data; write one with `make describe DATA={folder}` and correct it"
    text = Located(file, folders.file_text(file, expected))
    asked = text.object()
    text.check_keys((), (*REQUIRED, *OPTIONAL), REQUIRED)
    height, width = _size(text)
    encoder, step = asked.get("encoder", "resnet18-slim"), asked.get("frame_step", 1)
    if encoder not in ENCODERS:
        text.wrong(("encoder",), f"one of {', '.join(ENCODERS)}")
    if not is_whole(step, 1):
        text.wrong(("frame_step",), "a whole number of frames, 1 at least")
    test = _globs(text, ("test",)) if "test" in asked else None
    classes = label_set(text)
    return Description(file, height, width, encoder, step, _globs(text, ()), test, classes, _footage(text, folder))


def _size(text: Located) -> tuple[int, int]:
    size = text.value["image_size"]
    if not isinstance(size, list) or len(size) != 2 or not all(is_whole(n, 64) and n % 32 == 0 for n in size):
        text.wrong(("image_size",), "[height, width] in pixels, multiples of 32, 64 at least, such as [96, 160]")
    return tuple(size)


def _globs(text: Located, steps: tuple[str, ...]) -> Globs:
    asked, found = text.object(*steps), []
    if steps:
        text.check_keys(steps, ("images", "labels"), ("images", "labels"))
    for key in ("images", "labels"):
        globs = asked[key] if isinstance(asked[key], list) else [asked[key]]
        if not globs or not all(isinstance(one, str) and one for one in globs):
            text.wrong((*steps, key), f"a glob such as '{key}/*.png', or a list of globs")
        found.append(tuple(globs))
    if len(found[0]) != len(found[1]):
        counts = f"{len(found[0])} globs of images and {len(found[1])} of labels"
        text.fail((*steps, "labels"), counts, "as many of both: the first belongs to the first, and so on")
    return Globs(*found, (text.where(*steps, "images"), text.where(*steps, "labels")))


def _footage(text: Located, folder: Path) -> tuple[Footage, ...]:
    asked = text.value["video"]
    if not isinstance(asked, list) or not asked:
        text.wrong(("video",), 'a list of one entry at least, such as [{"folder": "drive", "intrinsics": ...}]')
    return tuple(_entry(text, folder, number) for number in range(len(asked)))


def _entry(text: Located, folder: Path, number: int) -> Footage:
    here = ("video", number)
    entry = text.object(*here)
    text.check_keys(here, ("folder", "intrinsics"), ("folder",))
    intrinsics = entry.get("intrinsics")
    if not isinstance(entry["folder"], str) or not entry["folder"]:
        text.wrong((*here, "folder"), "the folder of the frames, in quotes")
    if isinstance(intrinsics, str):
        intrinsics = folder / intrinsics
    elif "intrinsics" in entry:
        intrinsics = text.object(*here, "intrinsics")
        text.check_keys((*here, "intrinsics"), (*frames.INTRINSICS, GUESSED), frames.INTRINSICS)
        for key in frames.INTRINSICS:
            if not frames.is_positive(intrinsics[key]):
                text.wrong((*here, "intrinsics", key), "a positive number, in pixels of the frames")
    return Footage(folder / entry["folder"], intrinsics, text.where(*here))
