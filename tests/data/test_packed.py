"""Rows packed into the cache: resumed after a kill, said before it starts, refused when the source changes, one process at a time."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.limited import child, files_of_at_most
from helpers.tiny import picture

from depthseg_lib.data import cache as caches
from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.cache import BLOCK, ROWS, files_digest, mapped, packed
from depthseg_lib.errors import InputError

COUNT = 3 * BLOCK + 10
INGEST = """
import time
from pathlib import Path
import numpy as np
from depthseg_lib.data import image_files, ingest
decode = image_files.photograph
def slowly(file):
    time.sleep(0.004)
    return decode(file)
image_files.photograph = slowly
folder = Path({folder!r})
print("ready", flush=True)
while not folder.with_name("go").exists():
    time.sleep(0.001)
clip = ingest.Clip(tuple(sorted(folder.iterdir())), (8, 12), np.diag([8.0, 8, 1]))
ingest.video([clip], 4, 6, progress=lambda line: print(line, flush=True))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path):
    for number in range(COUNT):
        picture(tmp_path / "clip" / f"{number:04d}.png", 8, 12, seed=number)
    return tmp_path / "clip"


def read(source, progress=None):
    clip = ingest.Clip(tuple(sorted(source.iterdir())), (8, 12), np.diag([8.0, 8, 1]))
    return ingest.video([clip], 4, 6, progress=progress).images


@pytest.fixture
def decoded(monkeypatch):
    """The files that this process decodes."""
    files, decode = [], image_files.photograph
    monkeypatch.setattr(image_files, "photograph", lambda file: files.append(file) or decode(file))
    return files


def rows_written(cache) -> int:
    """Finished rows of the one partial folder, 0 before there is one."""
    found = list(cache.glob(f"ingest/*.partial/{ROWS}"))
    return int(found[0].read_text()) if found else 0


def wait_for(condition) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "nothing happened for a minute"
        time.sleep(0.002)


def reading(source, count):
    """Processes that all begin to read `source` at this moment."""
    processes = [child(INGEST.format(folder=str(source))) for _ in range(count)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * count
    source.with_name("go").touch()
    return processes


def unbroken(source, tmp_path, monkeypatch) -> bytes:
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "another"))
    return Path(read(source).filename).read_bytes()


def test_a_killed_ingest_goes_on_where_it_was_with_the_same_result(source, cache, decoded, tmp_path, monkeypatch):
    (process,) = reading(source, 1)
    wait_for(lambda: rows_written(cache) >= 2 * BLOCK)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    rows, lines = rows_written(cache), []
    assert process.returncode == -signal.SIGKILL and rows in (2 * BLOCK, 3 * BLOCK)
    found = read(source, lines.append)
    assert len(decoded) == COUNT - rows
    assert f"{COUNT} files to read once, {rows} of them read before: 0.000 GB" in lines[0]
    assert Path(found.filename).read_bytes() == unbroken(source, tmp_path, monkeypatch)
    assert not list(cache.glob("ingest/*.partial"))


def lose(content):
    """Takes or changes the count of rows that are finished."""
    return lambda folder: (folder / ROWS).unlink() if content is None else (folder / ROWS).write_text(content)


@pytest.mark.parametrize(
    "damage",
    [lose(""), lose("x"), lose(None), lambda folder: os.truncate(folder / "images.npy", 500)],
    ids=["empty", "no number", "missing", "rows cut off"],
)
def test_what_a_killed_reading_left_and_then_was_damaged_is_read_anew(
    source, cache, decoded, damage, tmp_path, monkeypatch
):
    decode = image_files.photograph
    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(image_files, "photograph", lambda f: interrupt() if len(decoded) > 150 else decode(f))
        read(source)
    (left,) = cache.glob("ingest/*.partial")
    damage(left)
    decoded.clear()
    found = read(source)
    assert len(decoded) == COUNT and Path(found.filename).read_bytes() == unbroken(source, tmp_path, monkeypatch)


def interrupt():
    raise KeyboardInterrupt


def test_of_two_processes_one_reads_and_the_other_waits_and_says_so(source, cache):
    processes = reading(source, 2)
    reads, waits = sorted((process.communicate()[0] for process in processes), key=len, reverse=True)
    assert [process.returncode for process in processes] == [0, 0]
    assert f"read {COUNT} of {COUNT} files" in reads and "waiting" not in reads
    assert waits.startswith("another process is making") and waits.endswith(": waiting for it\n")


def test_a_process_that_waits_goes_on_when_the_other_is_killed(source, cache):
    lines = {process: process.stdout.readline() for process in reading(source, 2)}
    wait_for(lambda: rows_written(cache) >= BLOCK)
    (waits,) = (process for process in lines if "waiting" in lines[process])
    (reads,) = (process for process in lines if process is not waits)
    reads.kill()
    reads.communicate()
    said = waits.communicate()[0]
    assert waits.returncode == 0 and "of them read before" in said and f"read {COUNT} of {COUNT} files" in said


@pytest.mark.parametrize("change", [lambda file: os.utime(file, ns=(1, 1)), os.unlink], ids=["changed", "removed"])
def test_a_source_that_changes_meanwhile_is_refused(source, cache, monkeypatch, change):
    first, decode = source / "0000.png", image_files.photograph

    def changing(file):
        found = decode(file)
        if file.name == f"{COUNT - 1:04d}.png":
            change(first)
        return found

    monkeypatch.setattr(image_files, "photograph", changing)
    with pytest.raises(InputError, match=r"0000\.png (changed while it was read|cannot be read)"):
        read(source)
    assert not [path for path in (cache / "ingest").iterdir() if path.is_dir()]


def test_disk_use_is_said_first_and_files_as_they_are_read(source, cache, monkeypatch):
    monkeypatch.setattr(caches, "REPORT", 0.0)
    lines = []
    read(source, lines.append)
    assert f"{COUNT} files to read once: 0.000 GB to write under {cache}, whose disk has" in lines[0]
    assert [line.split(" files")[0] for line in lines[1:]] == [f"read {i + 1} of {COUNT}" for i in range(COUNT)]


def test_a_pack_that_was_cut_short_is_named(source):
    file = Path(read(source).filename)
    os.truncate(file, 500)
    with pytest.raises(InputError, match=rf"{file.parent} is damaged .*delete that folder"):
        read(source)


def test_a_disk_that_takes_no_file_of_that_size_is_one_sentence(source):
    with files_of_at_most(10_000), pytest.raises(InputError, match="cannot be written .File too large"):
        read(source)


def test_results_are_in_order_and_few_are_ahead(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(3), raising=False)
    started = []

    def work(item):
        started.append(item)
        time.sleep(0.002 * (item % 3))
        return item

    for number, found in enumerate(mapped(work, range(40), None)):
        assert found == number and len(started) <= number + 3 * caches.AHEAD
    assert sorted(started) == list(range(40))
    assert list(mapped(work, range(40), None, done=37)) == [37, 38, 39]


def test_the_first_error_ends_the_work(monkeypatch):
    started = []

    def work(item):
        started.append(item)
        if item == 5:
            raise InputError("item 5 is broken")

    with pytest.raises(InputError, match="item 5"):
        list(mapped(work, range(1000), None))
    assert len(started) < 100


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text(path.name)
    return paths


def test_equal_keys_of_other_files_are_other_packs(files):
    a, b = (
        packed("kind", {}, [f], {"row": (np.uint8, (1,))}, [f.name], lambda n: (np.array([ord(n)]),))[0]
        for f in files[:2]
    )
    assert (a[0, 0], b[0, 0]) == (ord("a"), ord("b"))


def test_the_digest_follows_names_sizes_and_times(files):
    digests = {files_digest(files), files_digest(files[:2]), files_digest(files[::-1])}
    os.utime(files[0], ns=(1, 1))
    digests.add(files_digest(files))
    files[0].write_text("longer")
    os.utime(files[0], ns=(1, 1))
    digests.add(files_digest(files))
    assert len(digests) == 5 and files_digest([str(file) for file in files]) in digests
    files[2].unlink()
    with pytest.raises(InputError, match=r"c cannot be read \(No such file"):
        files_digest(files)
