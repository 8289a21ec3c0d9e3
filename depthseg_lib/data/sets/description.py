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

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from json.decoder import scanstring
from pathlib import Path
from typing import NoReturn

from depthseg_lib.data import image_files
from depthseg_lib.data.labels import LabelSet, packed_colour
from depthseg_lib.errors import InputError
from depthseg_lib.settings import ENCODERS

Steps = tuple[str | int, ...]
"""The way to a value: keys of objects and numbers of list items, from the outermost in."""
_SPACE = re.compile(r"[ \t\n\r]*")


class Located:
    """A json file, read whole."""

    def __init__(self, file: Path, text: str):
        """Raises `InputError`, naming line and column, where `text` (the content of `file`) is no json.

        A key that stands twice in one object is an error too: json itself would drop the first without a word.
        """
        self.file, self.text = file, text
        try:
            self.value = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{file}:{error.lineno}:{error.colno}: this is not json ({error.msg}); correct it there: strings and "
                "keys stand in double quotes, a comma stands between two entries and none after the last"
            ) from error
        self._offsets: dict[Steps, int] = {}
        self._walk(0, ())

    def where(self, *steps: str | int) -> str:
        """`FILE:LINE:COLUMN` of the value that `steps` lead to: of its key, where it has one.

        What is not there is where it would have to be: in the innermost of the objects and lists on the way.
        """
        while steps not in self._offsets:
            steps = steps[:-1]
        before = self.text[: self._offsets[steps]]
        return f"{self.file}:{before.count(chr(10)) + 1}:{len(before) - (before.rfind(chr(10)) + 1) + 1}"

    def get(self, *steps: str | int):
        """The value that `steps` lead to."""
        value = self.value
        for step in steps:
            value = value[step]
        return value

    def object(self, *steps: str | int) -> dict:
        """The same, which has to be an object."""
        value = self.get(*steps)
        if not isinstance(value, dict):
            self.wrong(steps, "an object: {...}")
        return value

    def check_keys(self, steps: Steps, known: tuple[str, ...], required: tuple[str, ...]) -> None:
        """Raise for a key of the object at `steps` that is not `known`, and for a `required` one that is not there."""
        found = self.object(*steps)
        for key in found:
            if key not in known:
                hint = close_to(key, known) or f"; known: {', '.join(known)}"
                raise InputError(f"{self.where(*steps, key)}: there is no key '{key}'{hint}; correct it or take it out")
        if missing := [key for key in required if key not in found]:
            raise InputError(
                f"{self.where(*steps)}: expected the keys {', '.join(required)} here, found "
                f"{', '.join(found) or 'none'}; add {', '.join(missing)}"
            )

    def wrong(self, steps: Steps, expected: str, hint: str = "") -> NoReturn:
        """Raise: the value that `steps` lead to is not what was `expected`."""
        shown = json.dumps(self.get(*steps), ensure_ascii=False)
        self.fail(steps, shown if len(shown) < 60 else f"{shown[:56]} ...", expected, hint)

    def fail(self, steps: Steps, found: str, expected: str, hint: str = "") -> NoReturn:
        """Raise `InputError` at `steps`, with what was found and what was `expected`."""
        name = next((f"'{step}': " for step in reversed(steps) if isinstance(step, str)), "")
        raise InputError(f"{self.where(*steps)}: {name}expected {expected}, found {found}{hint}; correct it there")

    def _walk(self, at: int, steps: Steps) -> int:
        """Note the place of the value at offset `at` and of all in it; returns the offset behind it."""
        at = self._skip(at)
        self._offsets.setdefault(steps, at)
        if self.text[at] in "{[":
            return self._items(at + 1, steps, "}" if self.text[at] == "{" else "]")
        return json.JSONDecoder().raw_decode(self.text, at)[1]

    def _items(self, at: int, steps: Steps, end: str) -> int:
        number, at = 0, self._skip(at)
        while self.text[at] != end:
            inner, at = self._key(at, steps) if end == "}" else ((*steps, number), at)
            at = self._skip(self._walk(at, inner))
            if self.text[at] == ",":
                at = self._skip(at + 1)
            number += 1
        return at + 1

    def _key(self, at: int, steps: Steps) -> tuple[Steps, int]:
        key, after = scanstring(self.text, at + 1)
        inner = (*steps, key)
        if inner in self._offsets:
            first = self.where(*inner)
            self._offsets[inner] = at
            raise InputError(
                f"{self.where(*inner)}: the key '{key}' stands here a second time, first at {first}: expected each key "
                "once; take one of the two out"
            )
        self._offsets[inner] = at
        return inner, self._skip(after) + 1  # behind the colon

    def _skip(self, at: int) -> int:
        return _SPACE.match(self.text, at).end()


def close_to(name: object, known: Iterable[str]) -> str:
    """A hint at the one of `known` that was probably meant; empty where none is close."""
    close = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def is_whole(value: object, low: int, high: float = float("inf")) -> bool:
    """Whether `value` is a whole number from `low` to `high`."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


VOID = "void"
"""What stands in `label_map` for no class."""


def label_set(text: Located) -> LabelSet:
    """The classes of a description, and how the ids or colours of its label images map to them."""
    classes = _classes(text)
    if not isinstance(text.value["name"], str) or not text.value["name"].strip():
        text.wrong(("name",), "a name for figures, in quotes")
    names = list(classes)
    ids, coloured = _label_map(text, names) if "label_map" in text.value else (dict(enumerate(names)), False)
    ids |= dict.fromkeys(_void(text, ids, coloured), VOID)
    of = {name: [label_id for label_id, of in ids.items() if of == name] for name in (*names, VOID)}
    if missing := [name for name in names if not of[name]]:
        raise InputError(
            f"{text.where('label_map')}: no id or colour stands for the class '{missing[0]}': expected one at least "
            "for each class; add it, or take the class out of 'classes'"
        )
    first = tuple(of[name][0] for name in names)
    more = tuple((label_id, index) for index, name in enumerate(names) for label_id in of[name][1:])
    void, shown = tuple(of[VOID]), _representative(text, names)
    name = text.value["name"].strip()
    return LabelSet(name, tuple(names), tuple(classes.values()), first, void, shown, more, coloured)


def _label_map(text: Located, names: list[str]) -> tuple[dict[int, str], bool]:
    ids: dict[int, str] = {}
    asked = text.object("label_map")
    coloured = any(len(key.split()) == 3 for key in asked)
    kind = "a colour such as '128 64 128', like the other keys" if coloured else "an id from 0 to 255 such as '7'"
    for key, name in asked.items():
        numbers = [int(part) if part.isdecimal() else -1 for part in key.split()]
        if len(numbers) != (3 if coloured else 1) or not all(is_whole(number, 0, 255) for number in numbers):
            text.fail(("label_map", key), f"the key '{key}'", kind)
        if name not in (*names, VOID):
            text.wrong(("label_map", key), f"a name of 'classes', or '{VOID}'", close_to(name, names))
        number = packed_colour(*numbers) if coloured else numbers[0]
        if number in ids:
            text.fail(("label_map", key), f"'{key}' for a second time", "each id or colour once")
        ids[number] = name
    return ids, coloured


def _void(text: Located, ids: dict[int, str], coloured: bool) -> list[int]:
    void = text.value.get("void", [])
    void = void if isinstance(void, list) else [void]
    if not all(is_whole(label_id, 0, 255) for label_id in void):
        text.wrong(("void",), "an id from 0 to 255, or a list of them")
    if void and coloured:
        colour = 'the colours that have no class in \'label_map\', such as "0 0 0": "void", and no ids here'
        text.wrong(("void",), colour)
    if taken := [label_id for label_id in void if ids.get(label_id, VOID) != VOID]:
        text.fail(("void",), f"{taken[0]}, the id of the class '{ids[taken[0]]}'", "ids of no class")
    return void


def _representative(text: Located, names: list[str]) -> tuple[int, ...]:
    asked = text.value.get("representative", names)
    if not isinstance(asked, list) or not asked or len(set(map(str, asked))) != len(asked):
        text.wrong(("representative",), "a list of names of 'classes', each once")
    for number, name in enumerate(asked):
        if name not in names:
            text.wrong(("representative", number), "a name of 'classes'", close_to(name, names))
    return tuple(names.index(name) for name in asked)


def _classes(text: Located) -> dict[str, tuple[int, int, int]]:
    classes = text.object("classes")
    if not 2 <= len(classes) <= 254:
        text.fail(("classes",), f"{len(classes)} classes", "2 to 254, each with its colour")
    seen: dict[tuple, str] = {}
    for name, colour in classes.items():
        here = ("classes", name)
        if name == VOID or not name.strip():
            text.fail(here, f"a class called '{name}'", "another name: void pixels have no class")
        if not isinstance(colour, list) or len(colour) != 3 or not all(is_whole(part, 0, 255) for part in colour):
            text.wrong(here, "a colour of three whole numbers from 0 to 255, such as [128, 64, 128]")
        if seen.setdefault(tuple(colour), name) != name:
            text.fail(here, f"{colour}, the colour of '{seen[tuple(colour)]}' too", "a colour of its own")
    return {name: tuple(colour) for name, colour in classes.items()}


INTRINSICS = ("width", "height", "fx", "fy", "cx", "cy")
"""What the intrinsics of a camera are, in pixels of its frames."""


def is_positive(value: object) -> bool:
    """Whether `value` is a finite number above zero."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


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
    text = Located(file, image_files.file_text(file, expected))
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
        text.check_keys((*here, "intrinsics"), (*INTRINSICS, GUESSED), INTRINSICS)
        for key in INTRINSICS:
            if not is_positive(intrinsics[key]):
                text.wrong((*here, "intrinsics", key), "a positive number, in pixels of the frames")
    return Footage(folder / entry["folder"], intrinsics, text.where(*here))
