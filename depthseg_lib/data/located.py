"""JSON that a person writes: its values, and the line and column of each, so that a message can name the place."""

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from json.decoder import scanstring
from pathlib import Path
from typing import NoReturn

from depthseg_lib.errors import InputError

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
