"""What this machine offers a study: its GPUs and places on them, folders that can be written, a lock on the runs."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path

from filelock import FileLock, Timeout

from depthseg_lib.errors import InputError
from depthseg_lib.files import cache_root

NODES = Path("/dev")
"""Where the system has its devices."""


@dataclass(frozen=True)
class Device:
    """The processors that torch can use."""

    gpus: tuple[str, ...] = ()
    """Names of the CUDA devices; empty on a machine without."""
    visible: str = ""
    """CUDA_VISIBLE_DEVICES when it was asked."""

    def __str__(self) -> str:
        if not self.gpus:
            return "the CPU"
        return self.gpus[0] if len(self.gpus) == 1 else f"{len(self.gpus)} x {self.gpus[0]}"

    @property
    def profile(self) -> str:
        """The profile that suits it."""
        return "gpu" if self.gpus else "laptop"

    @property
    def ids(self) -> str:
        """The GPUs as CUDA_VISIBLE_DEVICES names them."""
        return (self.visible or ",".join(str(i) for i in range(len(self.gpus)))) if self.gpus else ""


@cache
def device() -> Device:
    """What torch can use; it is asked, which takes seconds, only where the system has the node of a GPU's driver."""
    if not any(node for pattern in ("nvidia*", "dxg", "kfd") for node in NODES.glob(pattern)):
        return Device()
    import torch

    names = tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return Device(names, os.environ.get("CUDA_VISIBLE_DEVICES", ""))


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
    """Hold the lock of a folder of runs; yields its descriptor: a child that inherits it goes on holding the lock when
    this process is killed.

    The lock ends with its last holder, however that ends: nothing has to be unlocked by hand.
    """
    path, descriptor = Path(folder) / ".lock", []
    lock = FileLock(path, on_acquired=descriptor.append)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        holder = path.read_text().strip()
        raise InputError(
            f"another `make figures` is at work in {folder}: wait for it, or stop it (process {holder})"
        ) from None
    try:
        say_holder(descriptor[0], os.getpid())
        yield descriptor[0]
    finally:
        lock.release()


def say_holder(lock: int, process: int) -> None:
    """Write the number of the process to stop into the lock's file, for whoever finds it locked."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{process}\n".encode(), 0)


GPUS = "DEPTHSEG_GPUS"
"""Variable with the GPUs to share out, such as `0,1`; without it, nothing is locked or hidden."""
JOBS_PER_GPU = "DEPTHSEG_JOBS_PER_GPU"
"""Variable with the number of jobs that share one GPU."""


@contextmanager
def slot(folder: Path | None = None, poll: float = 0.5) -> Iterator[str | None]:
    """Hold a place on a GPU, waiting for one, and set `CUDA_VISIBLE_DEVICES` to that GPU alone.

    The first places of all GPUs are given out before any second one. Locks end with their process, however it ends.
    Yields the GPU, or None when `DEPTHSEG_GPUS` is not set.
    """
    gpus = [gpu for gpu in os.environ.get(GPUS, "").split(",") if gpu]
    if not gpus:
        yield None
        return
    folder = folder or cache_root() / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    places = [(gpu, place) for place in range(int(os.environ.get(JOBS_PER_GPU, "1"))) for gpu in gpus]
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    for gpu, place in cycle(places):
        lock = FileLock(folder / f"{os.uname().nodename}-gpu{gpu}-{place}.lock")
        with suppress(Timeout):
            lock.acquire(timeout=0)
            break
        if (gpu, place) == places[-1]:
            time.sleep(poll)
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    try:
        yield gpu
    finally:
        lock.release()
        os.environ.pop("CUDA_VISIBLE_DEVICES")
        if before is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = before
