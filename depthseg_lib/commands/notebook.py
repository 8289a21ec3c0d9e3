"""Runs one notebook without a person: typed parameters in, results by the notebook itself, the executed copy as log.

    python -m depthseg_lib.commands.notebook NOTEBOOK --params run.json --out executed.ipynb

The notebook runs in its own folder, as in JupyterLab. What its cells print appears line by line, also in the journal
beside the log. A notebook that fails leaves `failed.ipynb` in place of the log, and exit status 1.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from depthseg_lib.commands import journal
from depthseg_lib.commands.kernel import KERNEL_NAME, OwnKernelManager, enter_headless_environment
from depthseg_lib.commands.machine import slot
from depthseg_lib.errors import InputError
from depthseg_lib.files import CHECKPOINT, writing
from depthseg_lib.settings import close_to

OTHER = "other"
"""The parameter of a notebook that takes the settings which its parameters cell does not show."""


def fitted(notebook: Path, values: dict) -> dict:
    """`values` as a notebook takes them: what its parameters cell does not name goes into its mapping `other`.

    Raises `InputError` for a name that a notebook without such a mapping does not have; of those in `other`, the
    settings that are made of them say what they don't know.
    """
    import papermill

    known = papermill.inspect_notebook(str(notebook))
    named = {name: value for name, value in values.items() if name in known and name != OTHER}
    others = {name: value for name, value in values.items() if name not in named}
    if OTHER in known:
        return named | {OTHER: others.pop(OTHER, {}) | others}
    for name in others:
        hint = close_to(name, known) or f"; it has: {', '.join(known) or 'none at all'}"
        raise InputError(f"{notebook.name} has no parameter '{name}'{hint}")
    return named


def read(file: str | Path) -> dict:
    """The mapping in a JSON file of parameters; raises `InputError` when it is missing, broken or not a mapping."""
    try:
        values = json.loads(Path(file).read_text("utf-8"))
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
    node, values = _load(notebook), fitted(notebook, values)
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
