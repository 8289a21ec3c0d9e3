"""Files that appear whole or not at all."""

import errno
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from depthseg_lib.errors import InputError

PLAN = "plan.json"
"""The file beside a study's runs, and beside its committed results, that holds all of its plan."""
CHECKPOINT = "checkpoint.pt"
"""The file, in the folder of a run, that a training goes on from; it is there until the run is over."""
_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A scratch path to write to; it becomes `path` by rename when the block ends well, and is removed when not.

    A full disk or a missing permission raises `InputError` with the path.
    """
    path = Path(path)
    scratch = path.with_name(f".{uuid.uuid4().hex[:8]}-{path.name}")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield scratch
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn the failures of a full disk or a missing permission into an `InputError` that names `path`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        raise InputError(
            f"{path} cannot be written ({error.strerror}): free some space or get write permission there, then run the "
            "same command again; finished runs are kept"
        ) from error


def write_json(path: str | Path, content) -> None:
    """Write JSON, in place by rename; NaN is refused, since JSON has none."""
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", "utf-8")


def read_json(path: str | Path):
    """Read JSON; a missing or broken file raises `InputError`."""
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not JSON (line {error.lineno}: {error.msg})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not JSON in UTF-8 ({error.reason} at byte {error.start})") from None


def cache_root() -> Path:
    """`DEPTHSEG_CACHE`, else `depthseg` under the user's cache folder (`XDG_CACHE_HOME` or `~/.cache`)."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "depthseg")
    return Path(os.environ.get("DEPTHSEG_CACHE") or usual).expanduser()


def project_path(path: str | Path) -> Path:
    """Relative paths count from the project's root, wherever Jupyter was started; absolute ones stay as they are.

    The root is the first folder upwards of here, or of this library, with both notebooks and library in it.
    """
    if (path := Path(path).expanduser()).is_absolute():
        return path
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
        if (folder / "notebooks").is_dir() and (folder / "depthseg_lib").is_dir():
            return folder / path
    raise InputError(f"{here} is not inside the project: start Jupyter from the project's folder, or with `make lab`")
