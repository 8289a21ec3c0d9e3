"""The cache on disk: a folder per content key, built once, in place by rename, safe for several processes."""

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock

from depthseg_lib.errors import InputError


def cache_root() -> Path:
    """`DEPTHSEG_CACHE`, else `depthseg` under the user's cache folder (`XDG_CACHE_HOME` or `~/.cache`)."""
    if chosen := os.environ.get("DEPTHSEG_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "depthseg"


def source_hash(*files: str | Path) -> str:
    """A short hash of the text of `files`: part of a key, so that what a changed generator made is made anew."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:16]


def cached(kind: str, key: Mapping, build: Callable[[Path], None]) -> Path:
    """The folder that holds what `build(folder)` writes for `key`, built now if it is not there.

    `key` is any JSON mapping; equal keys share a folder. Two processes that ask at once build once. A build that
    fails, or is killed, leaves nothing under the final name. Raises `InputError` when the disk is full or the cache
    folder cannot be written; any other error of `build` is passed on as it is.
    """
    text = json.dumps(key, sort_keys=True)
    folder = cache_root() / kind / hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        if folder.is_dir():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                _build(folder, text, build)
    except OSError as error:
        if not _from_writing(error):
            raise
        raise InputError(
            f"the cache folder {cache_root()} cannot be written ({error.strerror or error}): free some space there, or "
            "set DEPTHSEG_CACHE to a folder that you can write"
        ) from error
    return folder


def require_space(folder: Path, needed: int) -> None:
    """Raise `InputError` when the disk of the cache `folder` has fewer than `needed` bytes free, before any work."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"the cache folder {cache_root()} needs {needed / 1e9:.3f} GB and its disk has {free / 1e9:.3f} GB free: "
            "free some space there, or set DEPTHSEG_CACHE to a folder on another disk"
        )


_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def _from_writing(error: OSError) -> bool:
    """Whether `error` came from writing under the cache folder, not from a file that a build reads."""
    if error.filename is None:  # a write to an open file; numpy's short write carries no errno, only this text
        return error.errno in _DISK_ERRORS or str(error).endswith(" written")
    root, file = cache_root().absolute(), Path(os.fsdecode(error.filename)).absolute()
    return file.is_relative_to(root) or root.is_relative_to(file)


def _build(folder: Path, text: str, build: Callable[[Path], None]) -> None:
    _remove_abandoned(folder)
    scratch = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    scratch.mkdir()
    try:
        build(scratch)
        (scratch / "key.json").write_text(text)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed builds of this key left behind; the caller holds the key's lock, so none is alive."""
    for partial in folder.parent.glob(f"{folder.name}.*.partial"):
        shutil.rmtree(partial, ignore_errors=True)
