"""Runs one notebook without a person: typed parameters in, results by the notebook itself, the executed copy as log.

    python -m depthseg_lib.commands.notebook NOTEBOOK --params run.json --out executed.ipynb

The notebook runs in its own folder, as in JupyterLab, on this interpreter, whatever else the user has installed. What
its cells print appears line by line, also in the journal beside the log. A notebook that fails leaves `failed.ipynb` in
place of the log, and exit status 1.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec

from depthseg_lib.commands import journal, kernels
from depthseg_lib.commands.machine import slot
from depthseg_lib.errors import InputError
from depthseg_lib.files import CHECKPOINT, cache_root, read_json, writing
from depthseg_lib.settings import close_to

OTHER = "other"
"""The parameter of a notebook that takes the settings which its parameters cell does not show."""


class NotebookFailed(Exception):
    """A notebook stopped before its end; the message is what to show: one sentence, or the cell's traceback."""


class OwnKernelManager(AsyncKernelManager):
    """Starts `sys.executable` as the kernel and never looks for kernelspecs, which may lead to another Python."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The specification of this interpreter's own kernel."""
        return KernelSpec(argv=kernels.command("{connection_file}"), display_name="Python 3", language="python")


def enter_headless_environment() -> None:
    """Keep Jupyter, IPython and matplotlib of this process and its children out of the home directory, and the user's
    settings out of a run.

    The kernel's own inline backend has to put the figures into the notebook.
    """
    folders = {f"JUPYTER_{name.upper()}_DIR": name for name in ("config", "data", "runtime")}
    for name, below in {**folders, "IPYTHONDIR": "ipython", "MPLCONFIGDIR": "matplotlib"}.items():
        folder = cache_root().absolute() / "jupyter" / below
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(folder)
    os.environ |= {"JUPYTER_PREFER_ENV_PATH": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1", "DEPTHSEG_HEADLESS": "1"}
    for name in ("MPLBACKEND", "MATPLOTLIBRC", "PYTHONSTARTUP", "JUPYTER_PATH", "JUPYTER_CONFIG_PATH"):
        os.environ.pop(name, None)


def fitted(notebook: Path, values: dict) -> dict:
    """`values` as a notebook takes them: what its parameters cell does not name goes into its mapping `other`.

    Raises `InputError` for a name that a notebook without such a mapping does not have; of those in `other`, the
    settings that are made of them say what they don't know.
    """
    import papermill

    known = papermill.inspect_notebook(_literal(notebook))
    named = {name: value for name, value in values.items() if name in known and name != OTHER}
    others = {name: value for name, value in values.items() if name not in named}
    if OTHER in known:
        return named | {OTHER: others.pop(OTHER, {}) | others}
    for name in others:
        hint = close_to(name, known) or f"; it has: {', '.join(known) or 'none at all'}"
        raise InputError(f"{notebook.name} has no parameter '{name}'{hint}")
    return named


def _literal(path: Path) -> str:
    """A path for papermill, which takes braces for names of parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


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
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError

    try:
        node = nbformat.read(notebook, as_version=4)
    except OSError as error:
        raise InputError(f"{notebook} cannot be read ({error.strerror}): expected a notebook") from None
    except (ValueError, nbformat.ValidationError) as error:
        raise InputError(f"{notebook} is not a notebook ({str(error).splitlines()[0]})") from None
    values = fitted(notebook, values)
    partial, failed = log.with_name(f".{log.stem}-partial.ipynb"), log.with_name("failed.ipynb")
    with writing(log):  # papermill writes the notebook again with every cell
        log.parent.mkdir(parents=True, exist_ok=True)
        for old in (log, failed, partial):
            old.unlink(missing_ok=True)
        end = failed
        try:
            papermill.execute_notebook(
                node,
                _literal(partial.absolute()),
                parameters=values,
                kernel_name="python3",
                language="python",
                cwd=str(notebook.parent.absolute()),
                progress_bar=False,
                stdout_file=Relay(report),
                start_timeout=300,
                iopub_timeout=300,  # the default of 4 s is too short for a machine with all cores at work
                kernel_manager_class=OwnKernelManager,
            )
            end = log
        except papermill.PapermillExecutionError as error:
            if error.ename == InputError.__name__:
                raise NotebookFailed(error.evalue) from None
            traceback = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", "\n".join(error.traceback))
            raise NotebookFailed(f"cell {error.exec_count} failed\n{traceback}") from None
        except (DeadKernelError, RuntimeError) as error:
            raise NotebookFailed(f"the kernel stopped ({error}): it was ended, or the memory did not suffice") from None
        finally:
            if partial.exists():
                partial.replace(end)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m depthseg_lib.commands.notebook", description="Run one notebook.")
    add = parser.add_argument
    add("notebook")
    add("--params", help="JSON file of parameters")
    add("--out", required=True, help="the executed notebook, a log")
    add("--set", action="append", default=[], metavar="NAME=TEXT", help="a parameter that is a text")
    add("--path", action="append", default=[], metavar="NAME=PATH", help="a parameter that is a path, made absolute")
    options = parser.parse_args(arguments)
    log = Path(options.out).absolute()  # papermill changes to the notebook's folder while it runs
    folder = log.parent
    *_, kind, run, last = folder.parts
    name = f"{kind} {run}/{last}" if re.fullmatch(r"t\d+", last) else f"{run} {last}"

    def report(line: str) -> None:
        print(f"{name}  {line}", flush=True)
        journal.append(folder, journal.SAID, line)

    try:
        enter_headless_environment()
        # jsonschema, if this is there, parses a grammar of international addresses on import: half of a job's start.
        sys.modules.setdefault("rfc3987_syntax", None)
        journal.append(folder, journal.STARTED)
        values = read_json(options.params) if options.params else {}
        if not isinstance(values, dict):
            raise InputError(
                f"{options.params} holds {type(values).__name__}: expected a mapping of parameters, {{...}}"
            )
        paths = _assigned(options.path, "--path")
        values |= _assigned(options.set, "--set") | {key: str(Path(path).absolute()) for key, path in paths.items()}
        with slot():
            execute(Path(options.notebook), values, log, report)
        (folder / CHECKPOINT).unlink(missing_ok=True)
        journal.append(folder, journal.FINISHED)
        return 0
    except (InputError, NotebookFailed) as error:
        left = log.with_name("failed.ipynb")
        text = f"{error}\nlog: {left}" if left.exists() else str(error)
    print(f"{name}  failed: {text}", file=sys.stderr, flush=True)
    try:
        journal.append(folder, journal.FAILED, text)
    except InputError as error:  # the disk that failed the run is full for the journal too
        print(error, file=sys.stderr)
    return 1


def _assigned(texts: list[str], option: str) -> dict[str, str]:
    """`name=value` texts of the command line as a mapping; raises `InputError` for one without a `=`."""
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise InputError(f"{option} {text}: expected name=value")
        pairs[key] = value
    return pairs


if __name__ == "__main__":
    sys.exit(main())
