"""Typed parameters of a notebook: what its cell tagged `parameters` declares, and whether values fit that."""

import ast
import json
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from depthseg_lib.errors import InputError

if TYPE_CHECKING:  # at run time its import has to wait for `notebook._run`
    from nbformat import NotebookNode

_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a mapping",
}


def declared(notebook: "NotebookNode", name: str) -> dict:
    """The names and default values in the cell tagged `parameters`; `{}` without such a cell.

    Anything there that is not an assignment of a literal raises `InputError`: papermill's values come after that cell,
    so a value derived in it would be stale.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    defaults = {}
    for statement in ast.parse(cells[0].source).body if cells else []:
        try:
            (target,) = statement.targets
            defaults[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError):
            raise InputError(
                f"{name}: the parameters cell may hold `name = literal` only, found `{ast.unparse(statement)}`: move "
                "it to the next cell"
            ) from None
    return defaults


def check(values: dict, defaults: dict, name: str) -> None:
    """Raise `InputError` for a value whose name the notebook does not declare, or of another type than the default."""
    for key, value in values.items():
        if key not in defaults:
            close = get_close_matches(key, defaults, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"it has: {', '.join(defaults) or 'none at all'}"
            raise InputError(f"{name} has no parameter '{key}'; {hint}")
        if not _fits(value, defaults[key]):
            expected = _NAMES.get(type(defaults[key]), "another type")
            raise InputError(
                f"{name}: parameter {key} = {json.dumps(value)}: expected {expected}, as its default {defaults[key]!r}"
            )


def _fits(value, default) -> bool:
    # bool is a subclass of int in Python, not in anybody's intention; a float may be written without its point.
    return type(value) is type(default) or (type(default) is float and type(value) is int)


def read(file: str | Path) -> dict:
    """The mapping in a JSON file of parameters; raises `InputError` when it is missing, broken or not a mapping."""
    try:
        values = json.loads(Path(file).read_text())
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}): expected a JSON file of parameters") from None
    except ValueError as error:
        raise InputError(f"{file} is not JSON ({error}): expected a mapping of parameters") from None
    if not isinstance(values, dict):
        raise InputError(f"{file} holds {type(values).__name__}: expected a mapping of parameters, {{...}}")
    return values


def assignments(texts: list[str], option: str) -> dict[str, str]:
    """`name=value` texts of the command line as a mapping; raises `InputError` for one without a `=`."""
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise InputError(f"{option} {text}: expected name=value")
        pairs[key] = value
    return pairs
