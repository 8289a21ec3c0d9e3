"""Which files something was read from: their sizes and times, by which a changed source is noticed."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depthseg_lib.errors import InputError


@dataclass(frozen=True)
class Listing:
    """Files as they were at one moment; build it with `listing`."""

    files: Sequence[Path | str]
    """In the order given."""
    stats: np.ndarray
    """(N, 2) int64: size in bytes and time of the last change in nanoseconds."""

    @property
    def digest(self) -> str:
        """A digest of names, sizes and times."""
        found = hashlib.sha256(self.stats.tobytes())
        for file in self.files:
            found.update(f"{os.path.abspath(file)}\n".encode())
        return found.hexdigest()

    def require_unchanged(self) -> None:
        """Raise `InputError`, naming the first, where a file has now another size or time, or is gone."""
        changed = np.flatnonzero((listing(self.files).stats != self.stats).any(axis=1))
        if len(changed):
            raise InputError(
                f"{self.files[changed[0]]} changed while it was read ({len(changed)} of {len(self.files)} files did): "
                "expected a source that nothing writes to; wait until it is complete, then run the same command again"
            )


def listing(files: Sequence[Path | str]) -> Listing:
    """Sizes and times of `files`, of which there may be millions; raises `InputError` where one cannot be read."""
    stats = np.empty((len(files), 2), np.int64)
    for number, file in enumerate(files):
        try:
            found = os.stat(file)
        except OSError as error:
            raise InputError(
                f"{file} cannot be read ({error.strerror}): expected a file of the data set; fetch it again"
            ) from error
        stats[number] = found.st_size, found.st_mtime_ns
    return Listing(files, stats)
