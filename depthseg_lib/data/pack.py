"""Work on many files, on all cores and in order, and its results as memory maps in the cache."""

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from depthseg_lib.data.arrays import load_arrays
from depthseg_lib.data.blocks import BLOCK, Blocks, intact
from depthseg_lib.data.cache import Progress, cached, require_space
from depthseg_lib.data.listing import listing
from depthseg_lib.errors import InputError
from depthseg_lib.files import cache_root

AHEAD = 4
"""Items per thread that are worked on before their turn, so that no thread waits while a block is written."""
THREADS = 16
"""At most: what every image needs of Python itself keeps more from being of use."""
REPORT = 5.0
"""Seconds between lines of progress."""


def packed(
    kind: str,
    key: Mapping,
    files: Sequence[Path | str],
    arrays: Mapping[str, tuple[type, tuple[int, ...]]],
    items: Sequence,
    work: Callable[..., tuple[np.ndarray, ...]],
    progress: Progress = None,
    check: Callable | None = None,
) -> list[np.ndarray]:
    """Memory maps with a row per item, which `work` makes from it; made now unless the cache has them.

    `arrays` names them, in the order of what `work` returns, with the dtype and shape of a row. `files` are all that
    is read: their names, sizes and times belong to the key, and are looked at again at the end. `check` of every item
    comes first. A process that was killed is gone on with, and damaged maps are made anew (see `blocks`). Raises
    `InputError` where a file changed meanwhile, or the disk has too little space; that of `work` is passed on.
    """
    source = listing(files)
    whole = {name: (np.dtype(dtype), (len(items), *shape)) for name, (dtype, shape) in arrays.items()}

    def build(folder: Path) -> None:
        blocks = Blocks(folder, whole)
        _announce(blocks, progress)
        require_space(folder, blocks.missing)
        try:
            if check:
                deque(mapped(check, items, None), maxlen=0)
            _fill(blocks, items, work, progress)
            source.require_unchanged()
        except InputError:  # the source is wrong: put right it has another key, and this is of no use to it
            shutil.rmtree(folder)
            raise
        blocks.finish()

    wanted = {**key, "files": source.digest, "count": len(items)}
    folder = cached(kind, wanted, build, progress, resumes=True, sound=partial(intact, progress=progress))
    return load_arrays(folder, *arrays)


def mapped(work: Callable, items: Sequence, progress: Progress, done: int = 0) -> Iterator:
    """`work` of every item from number `done` on, in order, on a thread per core.

    Threads, since decoding and resizing leave Python's lock: on two cores they read JPEG 1.4 times as fast as two
    processes, which have to send their images, and PNG nearly as fast.
    """
    started = reported = time.monotonic()
    threads = min(THREADS, _cores())
    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            for number in range(done, len(items)):
                upcoming = range(number + len(waiting), min(number + AHEAD * threads, len(items)))
                waiting.extend(pool.submit(work, items[later]) for later in upcoming)
                yield waiting.popleft().result()
                now = time.monotonic()
                if progress and (number + 1 == len(items) or now - reported > REPORT):
                    reported, left = now, (now - started) / (number + 1 - done) * (len(items) - number - 1)
                    progress(f"read {number + 1} of {len(items)} files, {left:.0f} s left")
        finally:
            for future in waiting:
                future.cancel()


def _fill(blocks: Blocks, items: Sequence, work: Callable, progress: Progress) -> None:
    rows = []
    for row in mapped(work, items, progress, done=blocks.rows):
        rows.append(row)
        if len(rows) == BLOCK or blocks.rows + len(rows) == len(items):
            blocks.append(rows)
            rows = []


def _announce(blocks: Blocks, progress: Progress) -> None:
    """Say, before anything is decoded, what it will take."""
    if not progress:
        return
    free = shutil.disk_usage(blocks.folder).free
    before = f", {blocks.rows} of them read before" if blocks.rows else ""
    progress(
        f"{blocks.count} files to read once{before}: {blocks.missing / 1e9:.3f} GB to write under {cache_root()}, "
        f"whose disk has {free / 1e9:.3f} GB free"
    )


def _cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
