"""Arrays on disk, written in blocks with checksums: a cut-off write is gone on with, and damage is noticed."""

import io
import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from depthseg_lib.data.cache import Progress
from depthseg_lib.errors import InputError

BLOCK = 64
"""Rows of a block."""
CHECKSUMS = "checksums.jsonl"
"""A line of JSON with every array's dtype and shape, then one per finished block with its CRC-32 in each array."""
SEEN = "seen.json"
"""Sizes, times and inodes of the arrays' files when their checksums were last found right."""
Array = tuple[np.dtype, tuple[int, ...]]
"""Dtype and whole shape."""
Arrays = Mapping[str, Array]
"""Arrays by name; all have the same number of rows."""


class Blocks:
    """`<name>.npy` files in a folder that are written from the first row to the last, a block at a time.

    What an earlier, killed process wrote is taken over, as far as its checksums hold. Plain writes, not a memory map:
    on a full disk a write raises, while a memory map kills the process.
    """

    def __init__(self, folder: Path, arrays: Arrays):
        self.folder, self.arrays, self.count = folder, arrays, _count(arrays)
        self.done = _take_over(folder, arrays)
        if not self.done:
            self._start()

    @property
    def rows(self) -> int:
        """Rows that are there."""
        return min(self.done * BLOCK, self.count)

    @property
    def missing(self) -> int:
        """Bytes that are not there yet."""
        return sum(map(_row_bytes, self.arrays.values())) * (self.count - self.rows)

    def append(self, rows: Sequence[tuple[np.ndarray, ...]]) -> None:
        """Write the next block: `BLOCK` rows, fewer at the end, each with its part of every array."""
        line = []
        for (name, array), parts in zip(self.arrays.items(), zip(*rows, strict=True), strict=True):
            block = np.ascontiguousarray(np.stack(parts), array[0])
            with _file(self.folder, name).open("r+b") as file:
                file.seek(_position(array, self.done))
                file.write(block)
            line.append(zlib.crc32(block))
        with (self.folder / CHECKSUMS).open("a") as lines:  # only now: a block counts when it has its line
            lines.write(json.dumps(line) + "\n")
        self.done += 1

    def finish(self) -> None:
        """Bring everything to the disk; from here on the folder is `intact`."""
        for path in (*(_file(self.folder, name) for name in self.arrays), self.folder / CHECKSUMS):
            with path.open("rb") as file:
                os.fsync(file.fileno())
        _note(self.folder, self.arrays)

    def _start(self) -> None:
        for name, array in self.arrays.items():
            with _file(self.folder, name).open("wb") as file:
                file.write(_header(array))
                file.truncate(len(_header(array)) + _row_bytes(array) * self.count)


def intact(folder: Path, progress: Progress = None) -> bool:
    """Whether `folder` holds arrays as they were written.

    Costs a look at sizes, times and inodes while these are as noted. Where one differs (a copy of the cache, a backup
    put back, a write), all blocks are read and compared, and when they are right the new ones are noted.
    """
    if not folder.is_dir():
        return False
    arrays, _ = _read(folder)
    with suppress(OSError, ValueError):  # `verify` says what is missing
        if arrays and json.loads((folder / SEEN).read_text()) == _stats(folder, arrays):
            return True
    if progress:
        progress(f"{folder} does not hold the very files that were written: comparing their checksums")
    try:
        verify(folder)
    except InputError:
        return False
    with suppress(OSError):  # a cache that may only be read: compared again each time
        _note(folder, arrays)
    return True


def verify(folder: Path) -> None:
    """Read every block of the arrays in `folder`; raises `InputError`, naming the place, where one is damaged."""
    arrays, lines = _read(folder)
    if not arrays or len(lines) != math.ceil(_count(arrays) / BLOCK):
        raise _damaged(folder, f"{CHECKSUMS} is not whole")
    for number, wanted in enumerate(lines):
        found = _checksums(folder, arrays, number)
        wrong = [name for name, a, b in zip(arrays, found, wanted, strict=True) if a != b]
        if wrong:
            rows = f"rows {number * BLOCK} to {min((number + 1) * BLOCK, _count(arrays)) - 1}"
            raise _damaged(folder, f"{rows} of {wrong[0]}.npy are not what was written")


def _damaged(folder: Path, reason: str) -> InputError:
    return InputError(
        f"{folder} is damaged: {reason}; delete that folder, and the next run that needs it makes it anew from the "
        "source"
    )


def _take_over(folder: Path, arrays: Arrays) -> int:
    """Blocks that an earlier process left on disk as it wrote them; all later lines of the checksums are removed."""
    known, lines = _read(folder)
    done = 0
    while known == arrays and done < len(lines) and _checksums(folder, arrays, done) == lines[done]:
        done += 1
    about = {name: [dtype.str, shape] for name, (dtype, shape) in arrays.items()}
    (folder / CHECKSUMS).write_text("".join(json.dumps(line) + "\n" for line in (about, *lines[:done])))
    return done


def _read(folder: Path) -> tuple[dict[str, Array], list[list[int]]]:
    """The arrays that a folder is to hold, and the checksums of its finished blocks; nothing where none can be read."""
    arrays, blocks = {}, []
    with suppress(OSError, ValueError, TypeError, AttributeError):  # the last line may be cut off
        about, *lines = (folder / CHECKSUMS).read_text().splitlines()
        arrays = {name: (np.dtype(dtype), tuple(shape)) for name, (dtype, shape) in json.loads(about).items()}
        for line in lines:
            blocks.append(json.loads(line))
    return arrays, blocks


def _checksums(folder: Path, arrays: Arrays, number: int) -> list[int | None]:
    """The CRC-32 of a block of each array as it is on disk; None where it cannot be read, or the file is another."""
    found = []
    for name, array in arrays.items():
        size, content = _row_bytes(array) * min(BLOCK, _count(arrays) - number * BLOCK), b""
        with suppress(OSError), _file(folder, name).open("rb") as file:
            if file.read(len(_header(array))) == _header(array):
                file.seek(_position(array, number))
                content = file.read(size)
        found.append(zlib.crc32(content) if len(content) == size else None)
    return found


def _note(folder: Path, arrays: Arrays) -> None:
    (folder / SEEN).write_text(json.dumps(_stats(folder, arrays)))


def _stats(folder: Path, arrays: Arrays) -> dict[str, list[int]]:
    stats = {name: _file(folder, name).stat() for name in arrays}
    return {name: [stat.st_size, stat.st_mtime_ns, stat.st_ino] for name, stat in stats.items()}


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"


def _count(arrays: Arrays) -> int:
    return next(iter(arrays.values()))[1][0]


def _row_bytes(array: Array) -> int:
    return array[0].itemsize * math.prod(array[1][1:])


def _position(array: Array, number: int) -> int:
    """Where in its file a block of an array begins."""
    return len(_header(array)) + number * BLOCK * _row_bytes(array)


def _header(array: Array) -> bytes:
    header = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(array[0]), "fortran_order": False, "shape": array[1]}
    np.lib.format.write_array_header_1_0(header, about)
    return header.getvalue()
