"""Work on many files, in order, and its results packed into `.npy` files as they come."""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from depthseg_lib.data.cache import require_space

Progress = Callable[[str], None] | None
"""Gets one line of text now and then."""


def mapped(work: Callable, items: Sequence, progress: Progress) -> Iterator:
    """`work` of every item, in order, on a few threads (decoding and resizing leave Python's lock)."""
    started = reported = time.monotonic()
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(items), 64):  # in pieces, so that results never pile up in memory
            yield from pool.map(work, items[start : start + 64])
            done, now = min(start + 64, len(items)), time.monotonic()
            if progress and (done == len(items) or now - reported > 5):
                reported, left = now, (now - started) / done * (len(items) - done)
                progress(f"read {done} of {len(items)} files, {left:.0f} s left")


def pack(folder: Path, arrays: dict[str, tuple[type, tuple[int, ...]]], rows: Iterable[tuple[np.ndarray, ...]]) -> None:
    """Write `rows` one after another into `<name>.npy` files; `arrays` gives the dtype and whole shape of each name.

    Plain writes, not a memory map: on a full disk a write raises, while a memory map kills the process.
    """
    require_space(folder, sum(np.dtype(dtype).itemsize * math.prod(shape) for dtype, shape in arrays.values()))
    with ExitStack() as stack:
        outputs = [stack.enter_context(open(folder / f"{name}.npy", "wb")) for name in arrays]
        for output, (dtype, shape) in zip(outputs, arrays.values(), strict=True):
            header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(output, header)
        for row in rows:
            for output, array, (dtype, _) in zip(outputs, row, arrays.values(), strict=True):
                output.write(np.asarray(array, dtype).tobytes())
