"""The cache on disk: a folder per content key, built once, in place by rename, safe for several processes."""

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from depthseg_lib.errors import InputError
from depthseg_lib.files import cache_root

Progress = Callable[[str], None] | None
"""Gets one line of text now and then."""
ABANDONED = 7 * 24 * 3600
"""Seconds after which a build that was cut off and never gone on with is removed."""


def cached(
    kind: str,
    key: Mapping,
    build: Callable[[Path], None],
    progress: Progress = None,
    resumes: bool = False,
    sound: Callable[[Path], bool] = Path.is_dir,
) -> Path:
    """The folder that holds what `build(folder)` writes for `key`, built now if it is not there.

    `key` is any JSON mapping; equal keys share a folder. Of two processes that ask at once, one builds and the other
    says that it waits. A build that fails, or is killed, leaves nothing under the final name; with `resumes` the next
    one gets the folder that it left. A folder that is not `sound` is said and built anew. Raises `InputError` when the
    disk is full or the cache folder cannot be written; any other error of `build` is passed on as it is.
    """
    text = json.dumps(key, sort_keys=True)
    folder = cache_root() / kind / hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        if not sound(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with _alone(folder, progress):
                if not sound(folder):
                    _remove_unsound(folder, progress)
                    _build(folder, text, build, resumes)
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


def reserved(file: Path, shape: tuple[int, ...], dtype) -> np.memmap:
    """A new .npy file to be filled through a memory map, with its room on the disk taken at once.

    A disk that fills up later would end the process without a word. Raises `OSError` when it is full now.
    """
    array = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with file.open("rb+") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return array


_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def _from_writing(error: OSError) -> bool:
    """Whether `error` came from writing under the cache folder, not from a file that a build reads."""
    if error.filename is None:  # a write to an open file; numpy's short write carries no errno, only this text
        return error.errno in _DISK_ERRORS or str(error).endswith(" written")
    root, file = cache_root().absolute(), Path(os.fsdecode(error.filename)).absolute()
    return file.is_relative_to(root) or root.is_relative_to(file)


@contextmanager
def _alone(folder: Path, progress: Progress) -> Iterator[None]:
    lock = FileLock(f"{folder}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if progress:
            progress(f"another process is making {folder}: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _remove_unsound(folder: Path, progress: Progress) -> None:
    if folder.is_dir():
        if progress:
            progress(f"{folder} is not as it was written: it is removed and made anew")
        shutil.rmtree(folder)


def _build(folder: Path, text: str, build: Callable[[Path], None], resumes: bool) -> None:
    _remove_abandoned(folder)
    scratch = folder.with_name(f"{folder.name}{'' if resumes else '.' + uuid.uuid4().hex[:8]}.partial")
    scratch.mkdir(exist_ok=resumes)
    try:
        build(scratch)
        (scratch / "key.json").write_text(text)
        scratch.rename(folder)
    finally:
        if not resumes:
            shutil.rmtree(scratch, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed builds of this key left behind that cannot be gone on with, and what any key's left long ago.

    The caller holds the key's lock, so none of its builds is alive; one of another key that is alive wrote lately.
    """
    for partial in folder.parent.glob("*.partial"):
        own = partial.name.startswith(f"{folder.name}.") and partial.stem != folder.name
        if own or (partial.stem != folder.name and _age(partial) > ABANDONED):
            shutil.rmtree(partial, ignore_errors=True)


def _age(partial: Path) -> float:
    """Seconds since something was last written in a folder."""
    try:
        return time.time() - max(path.stat().st_mtime for path in (partial, *partial.iterdir()))
    except OSError:  # finished, and renamed, at this moment
        return 0.0
