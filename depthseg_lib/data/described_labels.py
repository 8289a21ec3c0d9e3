"""The classes of a `dataset.json`: names, colours, ids, and what is wrong with them."""

from depthseg_lib.data.labels import LabelSet, packed_colour
from depthseg_lib.data.located import Located, close_to, is_whole
from depthseg_lib.errors import InputError

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
