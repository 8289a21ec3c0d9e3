"""The cache on disk: a folder per content key, built once, in place by rename, safe for several processes.

What takes long is `packed`: rows of memory-mapped arrays, written in order, with a count of those that are finished. A
build that was killed goes on at that count. A source of other files, sizes or times has another key, but where some of
its files were broken, what was read of the others is kept for that one.
"""

import errno
import hashlib
import json
import math
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from depthseg_lib.data.image_files import remedy
from depthseg_lib.errors import InputError, together
from depthseg_lib.files import cache_root

Progress = Callable[[str], None] | None
"""Gets one line of text now and then."""
BLOCK = 64
"""Rows after which what was written is brought to the disk and counted."""
ROWS = "rows"
"""The file of a build with the count of its finished rows."""
MARKS = "marks.npy"
"""The file of a build with broken files that says which row is of which file, of what size and time."""
AHEAD = 4
"""Items per thread that are worked on before their turn, so that no thread waits while rows are written."""
THREADS = 16
"""At most: what every image needs of Python itself keeps more from being of use."""
REPORT = 5.0
"""Seconds between lines of progress."""


def cached(
    kind: str, key: Mapping, build: Callable[[Path], None], progress: Progress = None, resumes: bool = False
) -> Path:
    """The folder that holds what `build(folder)` writes for `key`, built now if it is not there.

    `key` is any JSON mapping; equal keys share a folder. Of two processes that ask at once, one builds and the other
    says that it waits. A build that fails, or is killed, leaves nothing under the final name; with `resumes` the next
    one gets the folder that it left. Raises `InputError` when the disk is full or the cache folder cannot be written;
    any other error of `build` is passed on as it is.
    """
    text = json.dumps(key, sort_keys=True)
    folder = cache_root() / kind / hashlib.sha256(text.encode()).hexdigest()[:16]
    lock = FileLock(f"{folder}.lock")
    try:
        if folder.is_dir():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if progress:
                progress(f"another process is making {folder}: waiting for it")
            lock.acquire()
        if folder.is_dir():
            return folder
        scratch = folder.with_name(f"{folder.name}.partial")
        if not resumes:
            shutil.rmtree(scratch, ignore_errors=True)
        for partial in folder.parent.glob("*.partial"):  # what was cut off and never gone on with goes
            others = FileLock(partial.with_name(f"{partial.name.partition('.')[0]}.lock"))
            with suppress(OSError, Timeout):  # another process works on it, whatever its dates say
                age = time.time() - max(path.stat().st_mtime for path in (partial, *partial.iterdir()))
                if age > 7 * 24 * 3600 and partial != scratch:
                    with others.acquire(timeout=0):
                        shutil.rmtree(partial)
        scratch.mkdir(exist_ok=True)
        try:
            build(scratch)
            (scratch / "key.json").write_text(text, "utf-8")
            scratch.rename(folder)
        finally:
            if not resumes:
                shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        if not _from_writing(error):
            raise
        raise InputError(
            f"the cache folder {cache_root()} cannot be written ({error.strerror or error}): free some space there, or "
            "set DEPTHSEG_CACHE to a folder that you can write"
        ) from error
    finally:
        lock.release()
    return folder


def packed(
    kind: str,
    key: Mapping,
    files: Sequence[Path | str],
    arrays: Mapping[str, tuple[type, tuple[int, ...]]],
    items: Sequence,
    work: Callable[..., tuple[np.ndarray, ...]],
    progress: Progress = None,
    check: Callable | None = None,
    of_all: Mapping | None = None,
) -> list[np.ndarray]:
    """Memory maps with a row per item, which `work` makes from it; made now unless the cache has them.

    `arrays` names them, in the order of what `work` returns, with the dtype and shape of a row. `files` are all that
    is read: their names, sizes and times belong to the key, and are looked at again at the end. `check` of every item
    comes first. Raises `InputError` where a file changed meanwhile, or the disk has too little space, and, after all
    items were tried, one with all that `check` or `work` raised. Where `files` are one for each item, the rows that
    could be made are kept then: when the broken files are replaced or gone, the others are not read again. What belongs
    to the key only because of all items together, and would be another without one of them, is `of_all`.
    """
    source = _stats(files)
    whole = {name: (np.dtype(dtype), (len(items), *shape)) for name, (dtype, shape) in arrays.items()}
    about = [kind, key, {name: [dtype.str, shape[1:]] for name, (dtype, shape) in whole.items()}]
    about += [os.path.commonpath([os.path.abspath(file) for file in files])] if files else []
    left = f"{hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]}.left.partial"

    def build(folder: Path) -> None:
        stored, made, done = {name: folder / f"{name}.npy" for name in whole}, [], 0
        with suppress(OSError, ValueError):  # what an earlier process left, where it is whole
            for file in stored.values():
                np.load(file, mmap_mode="r")  # raises where it was cut off: "r+" would lengthen it by zeros
            made = [np.load(file, mmap_mode="r+") for file in stored.values()]
            done = int((folder / ROWS).read_text())
        missing = sum(dtype.itemsize * math.prod(shape[1:]) for dtype, shape in whole.values()) * (len(items) - done)
        beside, free, kept, place = folder.with_name(left), shutil.disk_usage(folder).free, [], np.full(len(items), -1)
        if len(files) == len(items) and beside.is_dir() and not done and free < missing:
            shutil.rmtree(beside)  # there is no room for both
        with suppress(OSError, ValueError):  # the rows that were made beside broken files
            if len(files) == len(items):
                kept = [np.load(beside / f"{name}.npy", mmap_mode="r") for name in whole]
                place = _places(_marks(files, source), np.load(beside / MARKS))
        if progress:  # before anything is decoded
            known = done + int((place[done:] >= 0).sum())
            before, free = f", {known} of them read before" if known else "", shutil.disk_usage(folder).free
            progress(
                f"{len(items)} files to read once{before}: {missing / 1e9:.3f} GB to write under {cache_root()}, whose "
                f"disk has {free / 1e9:.3f} GB free"
            )

        def row(number: int):
            if kept and place[number] >= 0:
                return [array[place[number]] for array in kept]
            return _attempt(work, items[number])

        try:
            failed = {}
            if check and (wrong := failures(check, items)):
                raise together(wrong, f"of {len(items)} cannot be used")
            if not done or not hasattr(os, "posix_fallocate"):  # what is begun has its room, but on macOS
                require_space(folder, missing)
            if not done:
                made = [reserved(stored[name], shape, dtype) for name, (dtype, shape) in whole.items()]
            for number, found in enumerate(mapped(row, range(len(items)), progress, done), done + 1):
                if isinstance(found, InputError):
                    failed[number - 1] = found
                    continue
                for array, part in zip(made, found, strict=True):
                    array[number - 1] = part
                if not failed and (number % BLOCK == 0 or number == len(items)):  # they count when they are on the disk
                    for array in made:
                        array.flush()
                    (folder / f"{ROWS}.new").write_text(str(number))
                    (folder / f"{ROWS}.new").replace(folder / ROWS)
            if failed and len(files) == len(items) > len(failed):
                marks = _marks(files, source)
                marks[list(failed)] = b""
                np.save(folder / MARKS, marks)
                for array in made:
                    array.flush()
                shutil.rmtree(beside, ignore_errors=True)
                folder.rename(beside)
            if failed:
                raise together([*failed.values()], f"of {len(items)} cannot be used")
            changed = np.flatnonzero((_stats(files) != source).any(axis=1))
            if len(changed):
                raise InputError(
                    f"{files[changed[0]]} changed while it was read ({len(changed)} of {len(files)} files did): "
                    "expected a source that nothing writes to; wait until it is complete, then run the command again"
                )
            shutil.rmtree(beside, ignore_errors=True)
        except InputError:  # the source is wrong: put right it has another key, and this is of no use to it
            shutil.rmtree(folder, ignore_errors=True)
            raise

    rows = {name: [dtype.str, shape] for name, (dtype, shape) in whole.items()}
    wanted = {**key, **(of_all or {}), "files": files_digest(files, source), "rows": rows}
    return load_arrays(cached(kind, wanted, build, progress, resumes=True), *arrays)


def load_arrays(folder: Path, *names: str) -> list[np.ndarray]:
    """Memory-map `<name>.npy` for each name in a cache folder, read-only; raises `InputError` where one is damaged."""
    try:
        return [np.load(folder / f"{name}.npy", mmap_mode="r") for name in names]
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} is damaged ({error}): delete that folder, and the next run that needs it makes it anew from the "
            "source"
        ) from error


def mapped(work: Callable, items: Sequence, progress: Progress, done: int = 0) -> Iterator:
    """`work` of every item from number `done` on, in order, on a thread per core.

    Threads, since decoding and resizing leave Python's lock: on two cores they read JPEG 1.4 times as fast as two
    processes, which have to send their images, and PNG nearly as fast.
    """
    started = reported = time.monotonic()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads, waiting = min(THREADS, cores), deque()
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


def failures(work: Callable, items: Sequence) -> list[InputError]:
    """What is wrong with those of `items` for which `work` raises an `InputError`; it tries all of them."""
    return [found for found in mapped(lambda item: _attempt(work, item), items, None) if isinstance(found, InputError)]


def _attempt(work: Callable, item):
    """What `work` makes of `item`, or the `InputError` that it raises."""
    try:
        return work(item)
    except InputError as error:
        return error


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


def files_digest(files: Sequence[Path | str], stats: np.ndarray | None = None) -> str:
    """A digest of names, sizes and times of `files`; raises `InputError` where some cannot be read."""
    digest = hashlib.sha256((_stats(files) if stats is None else stats).tobytes())
    for file in files:
        digest.update(f"{os.path.abspath(file)}\n".encode())
    return digest.hexdigest()


def _marks(files: Sequence[Path | str], stats: np.ndarray) -> np.ndarray:
    """A text (N,) of 32 characters for each of `files`, from its name, size and time."""
    lines = (f"{os.path.abspath(file)} {size} {time}" for file, (size, time) in zip(files, stats.tolist(), strict=True))
    return np.array([hashlib.blake2b(line.encode(), digest_size=16).hexdigest() for line in lines], "S32")


def _places(marks: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Where (N,) each of `marks` is `among` others, -1 where it is not there."""
    order = np.argsort(among)
    found = order[np.minimum(np.searchsorted(among, marks, sorter=order), len(among) - 1)]
    return np.where(among[found] == marks, found, -1)


def _stats(files: Sequence[Path | str]) -> np.ndarray:
    """Size and time in nanoseconds (N, 2) of `files`, of which there may be millions."""
    stats, missing = np.empty((len(files), 2), np.int64), []
    for number, file in enumerate(files):
        try:
            found = os.stat(file)
        except OSError as error:
            text = f"{file} cannot be read ({error.strerror}): expected a file of the data set; {remedy(Path(file))}"
            missing.append(InputError(text))
            continue
        stats[number] = found.st_size, found.st_mtime_ns
    if missing:
        raise together(missing, f"of {len(files)} are not there")
    return stats


def _from_writing(error: OSError) -> bool:
    """Whether `error` came from writing under the cache folder, not from a file that a build reads."""
    if error.filename is None:  # a write to an open file; numpy's short write carries no errno, only this text
        disk = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
        return error.errno in disk or str(error).endswith(" written")
    root, file = cache_root().absolute(), Path(os.fsdecode(error.filename)).absolute()
    return file.is_relative_to(root) or root.is_relative_to(file)
