"""What can be checked before hours are spent: folders that can be written, space on disks, nobody else at work."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from depthseg_lib.errors import InputError

SPACE = 2**30
"""Bytes that a study may need in each of its folders."""


def writable(folder: str | Path, purpose: str, space: int = SPACE) -> None:
    """Raise `InputError` unless `folder` can be made and written and its disk has `space` free bytes."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
            file.flush()
    except OSError as error:
        raise InputError(
            f"{folder}, the folder for {purpose}, cannot be written ({error.strerror}): get write permission there, or "
            "name another folder (`make help` says how)"
        ) from None
    if (free := shutil.disk_usage(folder).free) < space:
        raise InputError(
            f"{folder}, the folder for {purpose}, is on a disk with {free / 2**20:.0f} MiB free: expected "
            f"{space / 2**20:.0f} MiB; free some space, or name another folder (`make help` says how)"
        )


@contextmanager
def alone(folder: str | Path) -> Iterator[int]:
    """Hold the lock of a folder of runs; yields its descriptor, which children that inherit it hold too.

    The lock ends when the last holder does, however it ends: nothing has to be unlocked by hand.
    """
    path = Path(folder) / ".lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            raise InputError(
                f"another `make figures` is at work in {folder}: wait for it, or stop it (process {holder})"
            ) from None
        say_holder(file.fileno(), os.getpid())
        yield file.fileno()


def say_holder(lock: int, process: int) -> None:
    """Write the number of the process to stop into the lock's file, for whoever finds it locked."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{process}\n".encode(), 0)
