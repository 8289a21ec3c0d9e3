"""One trainer at a time in a run's folder, whatever machine it is on."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import SoftFileLease, Timeout

from depthseg_lib.errors import InputError
from depthseg_lib.files import read_json, write_json, writing

LEASE = 120.0
"""Seconds without a sign of life after which a trainer on another machine has ended; by no machine's clock."""
HOLDER = ".trainer.json"
"""The file, in a run's folder, that says who trains it."""


class Lock:
    """A run's folder, held by this process."""

    def __init__(self, lease: SoftFileLease, waited: bool):
        self._lease, self.waited = lease, waited

    def check(self) -> None:
        """Raise `InputError` where another trainer has taken the folder over: this process was held up too long."""
        if self._lease.compromise:
            folder = Path(self._lease.lock_file).parent
            raise InputError(
                f"{folder} was taken over by {_holder(folder)} after {LEASE:.0f} s without a sign of life from here: "
                "this run ends, and that one goes on from its last evaluation"
            )


@contextmanager
def held(folder: Path, progress: Callable[[str], None], poll: float = 2.0) -> Iterator[Lock]:
    """Hold a run's folder, waiting for whoever trains it, which is said; `waited` tells whether it was so.

    What a trainer leaves that was killed is taken over: at once where it was of this machine, else after `LEASE` s in
    which it gave no sign of life. The lock is a file that is made exclusively, which works on file systems that are
    shared, where locks of the system may not.
    """
    lease = SoftFileLease(folder / ".trainer.lock", lease_duration=LEASE, heartbeat_interval=LEASE / 6)
    before, waited = _holder(folder) if (folder / ".trainer.lock").exists() else "", False
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lease.acquire(timeout=0.5, poll_interval=0.1)
        except Timeout:
            waited = True
            progress(f"{_holder(folder)} trains in {folder}: waiting for it")
            lease.acquire(poll_interval=poll)
    try:
        if before and (folder / HOLDER).exists():  # who ends by itself takes it along
            progress(f"{before} has ended without a word: going on in its place")
        for scratch in folder.glob(".????????-*") if before else ():  # what was being written then
            scratch.unlink(missing_ok=True)
        about = {"host": socket.gethostname(), "process": os.getpid(), "job": os.environ.get("SLURM_JOB_ID")}
        write_json(folder / HOLDER, about | {"since": time.time()})
        yield Lock(lease, waited)
    finally:
        if not lease.compromise:
            (folder / HOLDER).unlink(missing_ok=True)
        lease.release()


def _holder(folder: Path) -> str:
    """Who holds a folder, in words."""
    with suppress(InputError, KeyError, TypeError):
        about = read_json(folder / HOLDER)
        job = f", job {about['job']}" if about["job"] else ""
        since = datetime.fromtimestamp(about["since"]).strftime("%d %B, %H:%M")
        return f"process {about['process']} on {about['host']}{job} (since {since})"
    return "another process"
