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

An image and a label image belong together where the stars of their globs stand for the same text. Paths count from the
folder of the file, or from `root` where that is given: then the data may lie where nobody may write, and DATA names a
folder that holds nothing but the description, as `examples/camvid` does. `Keys` has all that may be said.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError

from depthseg_lib.data import image_files
from depthseg_lib.data.labels import LabelSet, packed_colour
from depthseg_lib.errors import InputError
from depthseg_lib.settings import ENCODERS, close_to

NAME = "dataset.json"
VOID = "void"
"""What stands in `label_map` for no class."""
INTRINSICS = ("width", "height", "fx", "fy", "cx", "cy")
"""What the intrinsics of a camera are, in pixels of its frames."""

_Text = Annotated[str, Field(pattern=r"\S")]
_Byte = Annotated[int, Field(ge=0, le=255)]
_Side = Annotated[int, Field(ge=64, multiple_of=32)]
_Colour = Annotated[list[_Byte], Field(min_length=3, max_length=3)]
_Pixels = Annotated[float, Field(gt=0, allow_inf_nan=False, description="a positive number, in pixels of the frames")]
_Frames = Annotated[int, Field(ge=1, description="a whole number of frames, 1 at least")]
_list = BeforeValidator(lambda value: value if isinstance(value, list) else [value])
_Globs = Annotated[
    list[_Text],
    Field(min_length=1, description="a glob such as 'images/*.png' or 'labels/*.png', or a list of globs"),
    _list,
]


class _Object(BaseModel):
    """An object of the file; the description of a key is what a message says was expected there."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Camera(_Object):
    """Intrinsics in pixels of frames of `width` x `height`, pixel centres at whole numbers."""

    width: _Pixels
    height: _Pixels
    fx: _Pixels
    fy: _Pixels
    cx: _Pixels
    cy: _Pixels
    guessed: Any = None
    """Anything where nobody has measured them: `make check-data` says so until this is taken out."""


class Footage(_Object):
    """An entry of `video`."""

    folder: _Text = Field(description="the folder of the frames, in quotes")
    """Frames, or sub-folders of frames, each a sequence."""
    intrinsics: (
        Annotated[
            Annotated[Camera, Tag("{}")] | Annotated[_Text, Tag('""')],
            Discriminator(lambda value: "{}" if isinstance(value, dict | Camera) else '""'),
        ]
        | None
    ) = Field(None, description="an object: {...}, or the name of a json file")
    """The camera, or a json file with it; without, it is looked for beside the frames (see `own.beside`)."""
    step: _Frames = 1
    """Frames that lie so far apart become neighbours, for fast-sampled video; all are kept, as so many sequences."""


class Globs(_Object):
    """Labelled images: `images[i]` and `labels[i]` are globs for the same ones."""

    images: _Globs
    labels: _Globs


class Keys(Globs):
    """What a description says; what has a default may be left out."""

    name: _Text = Field(description="a name for figures, in quotes")
    note: Any = None
    """Free text, for whoever reads the file."""
    root: _Text = Field(".", description="the folder that the paths here count from, in quotes")
    """Absolute, with `~`, or from the folder of the file."""
    image_size: list[_Side] = Field(
        min_length=2,
        max_length=2,
        description="[height, width] in pixels, multiples of 32, 64 at least, such as [96, 160]",
    )
    classes: dict[str, _Colour] = Field(
        description="names with a colour of three whole numbers from 0 to 255, such as [128, 64, 128]"
    )
    void: Annotated[list[_Byte], _list] = Field([], description="an id from 0 to 255, or a list of them")
    """Ids of pixels that have no label."""
    label_map: dict[str, str] | None = Field(None, description='an object such as {"7": "road"}')
    """Which class an id ("7") or a colour ("128 64 128") stands for, or `void`; without, ids are classes' positions."""
    representative: list[str] | None = Field(None, min_length=1, description="a list of names of 'classes', each once")
    """Classes whose mean IoU is the main score; without, all."""
    test: Globs | None = Field(None, description='an object: {"images": ..., "labels": ...}')
    """A test split; without, validation is on the images that are not trained on."""
    encoder: str = Field("resnet18-slim", description=f"one of {', '.join(ENCODERS)}")
    frame_step: _Frames = 1
    """Frames between the neighbours of a triplet, in all of the video."""
    video: list[Footage] = Field(
        min_length=1, description='a list of one entry at least, such as [{"folder": "drive", "intrinsics": ...}]'
    )


@dataclass(frozen=True)
class Description:
    """A `dataset.json`; `read` makes it."""

    file: Path
    root: Path
    """The folder that its paths count from."""
    keys: Keys
    label_set: LabelSet

    def where(self, *steps: str | int) -> str:
        """The place of a value, for messages: `FILE: video.0.intrinsics`."""
        return _place(self.file, steps)


def read(folder: Path) -> Description:
    """The description in `folder`; raises `InputError`, naming the place, for all that can be wrong in it."""
    file = folder / NAME
    expected = f"a description of the data; write one with `make describe DATA={folder}` and correct it"

    def once(pairs: list[tuple[str, Any]]) -> dict:  # of a key that stands twice, json itself drops the first
        keys = [key for key, _ in pairs]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise InputError(
                f"{file}: the key '{twice[0]}' stands twice in one object, with {', '.join(sorted(set(keys))[:6])}: "
                "expected each key once; take one of the two out"
            )
        return dict(pairs)

    try:
        values = json.loads(image_files.file_text(file, expected), object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{file}:{error.lineno}:{error.colno}: this is not json ({error.msg}); correct it there: strings and "
            "keys stand in double quotes, a comma stands between two entries and none after the last"
        ) from error
    try:
        keys = Keys.model_validate(values)
    except ValidationError as error:
        errors = error.errors()
        _explain(file, next((one for one in errors if one["type"] == "extra_forbidden"), errors[0]))
    if keys.encoder not in ENCODERS:
        _wrong(
            file, ("encoder",), Keys.model_fields["encoder"].description, keys.encoder, close_to(keys.encoder, ENCODERS)
        )
    for steps, globs in (((), keys), (("test",), keys.test)):
        if globs and len(globs.images) != len(globs.labels):
            counts = f"{len(globs.images)} globs of images and {len(globs.labels)} of labels"
            _fail(file, (*steps, "labels"), "as many of both: the first belongs to the first, and so on", counts)
    root = folder / Path(keys.root).expanduser()
    if not root.is_dir():
        _fail(file, ("root",), "the folder that the paths here count from", f"no folder {root.absolute()}", "; put the "
              "data there, make it a link to them (ln -s), or write their folder")  # fmt: skip
    return Description(file, root, keys, _label_set(file, keys))


def _explain(file: Path, error: dict) -> NoReturn:
    """Raise `InputError` for one of pydantic's errors."""
    steps = [step for step in error["loc"] if step not in ("{}", '""')]
    model, expected = Keys, "an object: {...}"
    nested = {"video": Footage, "intrinsics": Camera, "test": Globs}
    for step in steps[: -1 if error["type"] in ("extra_forbidden", "missing") else None]:
        if step in model.model_fields:
            expected, model = model.model_fields[step].description or expected, nested.get(step, model)
    known, found = list(model.model_fields), error["input"]
    if error["type"] == "extra_forbidden":
        hint = close_to(steps[-1], known) or f"; known: {', '.join(known)}"
        raise InputError(f"{_place(file, steps)}: there is no key '{steps[-1]}'{hint}; correct it or take it out")
    if error["type"] == "missing":
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        missing = [name for name in required if name not in found]
        raise InputError(
            f"{_place(file, steps[:-1])}: expected the keys {', '.join(required)} here, found "
            f"{', '.join(found) or 'none'}; add {', '.join(missing)}"
        )
    if error["type"] == "model_type":
        expected = "an object: {...}"
    _wrong(file, steps, expected, found)


def _place(file: Path, steps) -> str:
    return f"{file}: {'.'.join(map(str, steps))}" if steps else str(file)


def _wrong(file: Path, steps, expected: str, found: Any, hint: str = "") -> NoReturn:
    """Raise `InputError`: the value at `steps` is not what was `expected`."""
    shown = json.dumps(found, ensure_ascii=False)
    _fail(file, steps, expected, shown if len(shown) < 60 else f"{shown[:56]} ...", hint)


def _fail(file: Path, steps, expected: str, found: str, hint: str = "") -> NoReturn:
    raise InputError(f"{_place(file, steps)}: expected {expected}, found {found}{hint}; correct it there")


def _label_set(file: Path, keys: Keys) -> LabelSet:
    """The classes of a description, and how the ids or colours of its label images map to them."""
    names = list(keys.classes)
    if not 2 <= len(names) <= 254:
        _fail(file, ("classes",), "2 to 254, each with its colour", f"{len(names)} classes")
    first_with: dict[tuple, str] = {}
    for name, colour in keys.classes.items():
        if name == VOID or not name.strip():
            _fail(file, ("classes", name), "another name: void pixels have no class", f"a class called '{name}'")
        if (other := first_with.setdefault(tuple(colour), name)) != name:
            _fail(file, ("classes", name), "a colour of its own", f"{colour}, the colour of '{other}' too")
    ids, coloured = (
        (dict(enumerate(names)), False) if keys.label_map is None else _label_map(file, keys.label_map, names)
    )
    if keys.void and coloured:
        colours = 'the colours that have no class in \'label_map\', such as "0 0 0": "void", and no ids here'
        _wrong(file, ("void",), colours, keys.void)
    if taken := [label_id for label_id in keys.void if ids.get(label_id, VOID) != VOID]:
        _fail(file, ("void",), "ids of no class", f"{taken[0]}, the id of the class '{ids[taken[0]]}'")
    ids |= dict.fromkeys(keys.void, VOID)
    of = {name: [label_id for label_id, of in ids.items() if of == name] for name in (*names, VOID)}
    if missing := [name for name in names if not of[name]]:
        raise InputError(
            f"{_place(file, ['label_map'])}: no id or colour stands for the class '{missing[0]}': expected one at "
            "least for each class; add it, or take the class out of 'classes'"
        )
    shown = names if keys.representative is None else keys.representative
    for number, name in enumerate(shown):
        if name not in names:
            _wrong(file, ("representative", number), "a name of 'classes'", name, close_to(name, names))
    if len(set(shown)) != len(shown):
        _wrong(file, ("representative",), "a list of names of 'classes', each once", shown)
    return LabelSet(
        name=keys.name.strip(),
        classes=tuple(names),
        colours=tuple(tuple(colour) for colour in keys.classes.values()),
        ids=tuple(of[name][0] for name in names),
        void_ids=tuple(of[VOID]),
        representative=tuple(names.index(name) for name in shown),
        more_ids=tuple((label_id, index) for index, name in enumerate(names) for label_id in of[name][1:]),
        coloured=coloured,
    )


def _label_map(file: Path, asked: dict[str, str], names: list[str]) -> tuple[dict[int, str], bool]:
    """The name for each id, or for each colour as one number; and whether these are colours."""
    ids: dict[int, str] = {}
    coloured = any(len(key.split()) == 3 for key in asked)
    kind = "a colour such as '128 64 128', like the other keys" if coloured else "an id from 0 to 255 such as '7'"
    for key, name in asked.items():
        here, numbers = ("label_map", key), [int(part) if part.isdecimal() else -1 for part in key.split()]
        if len(numbers) != (3 if coloured else 1) or not all(0 <= number <= 255 for number in numbers):
            _fail(file, here, kind, f"the key '{key}'")
        if name not in (*names, VOID):
            _wrong(file, here, f"a name of 'classes', or '{VOID}'", name, close_to(name, names))
        number = packed_colour(*numbers) if coloured else numbers[0]
        if number in ids:
            _fail(file, here, "each id or colour once", f"'{key}' for a second time")
        ids[number] = name
    return ids, coloured
