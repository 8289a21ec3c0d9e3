"""Runs one notebook without a person: typed parameters in, results by the notebook itself, the executed copy as log.

    python -m depthseg_lib.commands.notebook NOTEBOOK --params run.json --out executed.ipynb

The notebook runs in its own folder, as in JupyterLab. What its cells print appears line by line, also in the journal
beside the log. A notebook that fails leaves `failed.ipynb` in place of the log, and exit status 1.
"""

import argparse
import ast
import json
import re
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from depthseg_lib import fingerprint
from depthseg_lib.commands import journal
from depthseg_lib.commands.kernel import KERNEL_NAME, OwnKernelManager, enter_headless_environment
from depthseg_lib.commands.machine import slot
from depthseg_lib.errors import InputError
from depthseg_lib.files import CHECKPOINT, writing

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


_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class NotebookFailed(Exception):
    """A notebook stopped before its end; the message is what to show: one sentence, or the cell's traceback."""


class Relay:
    """A text file that hands on whole lines; of a line that was rewritten in place, its last state."""

    def __init__(self, report: Callable[[str], None]):
        self.report, self.rest = report, ""

    def write(self, text: str) -> None:
        """Hand on the lines that `text` completes."""
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            if line := line.rstrip().rsplit("\r", 1)[-1].strip():
                self.report(line)

    def flush(self) -> None:
        """Nothing: lines are handed on when they are whole."""


def execute(notebook: Path, values: dict, log: Path, report: Callable[[str], None]) -> None:
    """Run `notebook` with `values` for its parameters; the executed notebook becomes `log` by rename.

    Raises `InputError` for values that do not fit the notebook, `NotebookFailed` when a cell or the kernel fails; then
    the executed part is `failed.ipynb` beside `log`, and there is no `log`.
    """
    node = _load(notebook)
    check(values, declared(node, notebook.name), notebook.name)
    partial, failed = log.with_name(f".{log.stem}-partial.ipynb"), log.with_name("failed.ipynb")
    with writing(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        for old in (log, failed, partial):
            old.unlink(missing_ok=True)
    end = failed
    with writing(log):  # papermill writes the notebook again with every cell
        try:
            _papermill(node, values, partial, notebook.parent, report)
            end = log
        finally:
            if partial.exists():
                partial.replace(end)


def _load(notebook: Path):
    import nbformat

    try:
        return nbformat.read(notebook, as_version=4)
    except OSError as error:
        raise InputError(f"{notebook} cannot be read ({error.strerror}): expected a notebook") from None
    except (ValueError, nbformat.ValidationError) as error:
        raise InputError(f"{notebook} is not a notebook ({str(error).splitlines()[0]})") from None


def _papermill(node, values: dict, partial: Path, folder: Path, report: Callable[[str], None]) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError

    try:
        papermill.execute_notebook(
            node,
            str(partial.absolute()),
            parameters=values,
            kernel_name=KERNEL_NAME,
            language="python",
            cwd=str(folder.absolute()),
            progress_bar=False,
            stdout_file=Relay(report),
            start_timeout=300,
            iopub_timeout=300,  # the default of 4 s is too short for a machine with all cores at work
            kernel_manager_class=OwnKernelManager,
        )
    except papermill.PapermillExecutionError as error:
        raise NotebookFailed(_shown(error)) from None
    except (DeadKernelError, RuntimeError) as error:
        raise NotebookFailed(f"the kernel stopped ({error}): it was ended, or the memory did not suffice") from None


def _shown(error) -> str:
    if error.ename == InputError.__name__:
        return error.evalue
    traceback = _ANSI.sub("", "\n".join(error.traceback))
    return f"cell {error.exec_count} failed\n{traceback}"


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    log = Path(options.out).absolute()  # papermill changes to the notebook's folder while it runs
    folder = log.parent
    name = f"{folder.parent.name} {folder.name}" if folder.parent.name else Path(options.notebook).stem

    def report(line: str) -> None:
        print(f"{name}  {line}", flush=True)
        journal.append(folder, journal.SAID, line)

    try:
        _run(options, log, report)
        (folder / CHECKPOINT).unlink(missing_ok=True)
        journal.append(folder, journal.FINISHED)
    except (InputError, NotebookFailed) as error:
        return _failed(name, folder, str(error), Path(options.out).with_name("failed.ipynb"))
    return 0


def _run(options, log: Path, report: Callable[[str], None]) -> None:
    enter_headless_environment()
    # jsonschema, if this is there, parses a grammar of international addresses on import: half of a job's start.
    sys.modules.setdefault("rfc3987_syntax", None)
    journal.append(log.parent, journal.STARTED)
    paths = {key: str(Path(value).absolute()) for key, value in assignments(options.path, "--path").items()}
    values = read(options.params) if options.params else {}
    values |= assignments(options.set, "--set") | paths
    fingerprint.record(log.parent, [options.notebook, options.params, *paths.values()])
    with slot():
        execute(Path(options.notebook), values, log, report)


def _failed(name: str, folder: Path, message: str, log: Path) -> int:
    text = f"{message}\nlog: {log}" if log.exists() else message
    print(f"{name}  failed: {text}", file=sys.stderr, flush=True)
    try:
        journal.append(folder, journal.FAILED, text)
    except InputError as error:  # the disk that failed the run is full for the journal too
        print(error, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m depthseg_lib.commands.notebook", description="Run one notebook.")
    parser.add_argument("notebook")
    parser.add_argument("--params", help="JSON file of parameters")
    parser.add_argument("--out", required=True, help="the executed notebook, a log")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=TEXT", help="a parameter that is a text")
    parser.add_argument(
        "--path", action="append", default=[], metavar="NAME=PATH", help="a parameter that is a path, made absolute"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
