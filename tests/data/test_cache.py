"""The cache on disk: built once, by rename; rows packed into it, resumed after a kill; one sentence when it fails."""

import errno
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.limited import child, files_of_at_most, folder_for_all, ordinary_user
from helpers.tiny import picture

from depthseg_lib.data import cache as caches
from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.cache import (
    ROWS,
    cached,
    files_digest,
    load_arrays,
    mapped,
    packed,
    require_space,
    reserved,
)
from depthseg_lib.errors import InputError
from depthseg_lib.files import cache_root


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_root_follows_the_environment(monkeypatch, tmp_path):
    assert cache_root() == tmp_path / "cache"
    monkeypatch.delenv("DEPTHSEG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "depthseg"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path.home() / ".cache" / "depthseg"


def test_equal_keys_share_a_folder_that_is_built_once():
    built = []

    def build(folder):
        built.append(folder)
        (folder / "value").write_text(str(len(built)))

    first = cached("kind", {"a": 1, "b": [2]}, build)
    again = cached("kind", {"b": [2], "a": 1}, build)
    other = cached("kind", {"a": 2, "b": [2]}, build)
    assert first == again != other
    assert [(first / "value").read_text(), (other / "value").read_text()] == ["1", "2"]


def test_a_build_that_fails_leaves_nothing_and_passes_its_error_on(root):
    def build(folder):
        (folder / "half").write_text("half")
        raise InputError("frame.png cannot be read")

    with pytest.raises(InputError, match="frame.png"):
        cached("kind", {}, build)
    assert [path.name for path in (root / "kind").iterdir() if not path.name.endswith(".lock")] == []


def test_an_error_of_reading_is_not_called_one_of_the_cache(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        cached("kind", {}, lambda folder: (tmp_path / "absent").read_text())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_an_error_of_writing_is_one_sentence(root, number):
    def build(folder):
        raise OSError(number, os.strerror(number))

    with pytest.raises(InputError, match=f"{root} cannot be written.*DEPTHSEG_CACHE"):
        cached("kind", {}, build)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, the device that is always full, here")
def test_a_full_disk_is_one_sentence(root):
    def build(folder):
        (folder / "array.npy").symlink_to("/dev/full")
        np.save(folder / "array.npy", np.zeros(100_000))

    with pytest.raises(InputError, match="No space left on device"):
        cached("kind", {}, build)
    assert not [path for path in (root / "kind").iterdir() if path.is_dir()]


def test_an_array_to_be_filled_has_its_room_on_the_disk(tmp_path):
    """Without that, a disk that fills up later ends the process by a signal."""
    array = reserved(tmp_path / "array.npy", (1000, 1000), np.uint8)
    assert (tmp_path / "array.npy").stat().st_blocks * 512 >= 1_000_000
    array[:] = 7
    array.flush()
    assert (np.load(tmp_path / "array.npy") == 7).all()
    with files_of_at_most(100_000), pytest.raises(OSError):
        reserved(tmp_path / "more.npy", (1000, 1000), np.uint8)


def test_a_short_write_of_numpy_is_one_sentence():
    def build(folder):
        with files_of_at_most(100_000):
            np.save(folder / "array.npy", np.zeros(100_000))

    with pytest.raises(InputError, match="cannot be written"):
        cached("kind", {}, build)


def test_a_file_in_place_of_the_cache_folder_is_one_sentence(root):
    root.write_text("not a folder")
    with pytest.raises(InputError, match=f"{root} cannot be written"):
        cached("kind", {}, lambda folder: None)
    assert root.read_text() == "not a folder"


def test_a_folder_without_permission_is_one_sentence(monkeypatch):
    with folder_for_all() as parent:
        root = parent / "cache"
        root.mkdir(mode=0o555)
        monkeypatch.setenv("DEPTHSEG_CACHE", str(root))
        with ordinary_user(), pytest.raises(InputError, match=f"{root} cannot be written .Permission denied"):
            cached("kind", {}, lambda folder: None)
        assert list(root.iterdir()) == []


def test_too_little_space_is_said_before_any_work(tmp_path, monkeypatch):
    require_space(tmp_path, 1)
    monkeypatch.setattr(caches.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1_000_000_000}))
    with pytest.raises(InputError, match=r"needs 15\.000 GB and its disk has 1\.000 GB free"):
        require_space(tmp_path, 15_000_000_000)


def test_two_processes_at_once_build_once(tmp_path):
    script = f"""
import time
from pathlib import Path
from depthseg_lib.data.cache import cached
def build(folder):
    with open({str(tmp_path / "log")!r}, "a") as log:
        log.write("built\\n")
    time.sleep(0.3)
    (folder / "value").write_text("whole")
print((cached("kind", {{}}, build) / "value").read_text())
"""
    children = [child(script) for _ in range(2)]
    assert [process.communicate()[0] for process in children] == ["whole\n", "whole\n"]
    assert (tmp_path / "log").read_text() == "built\n"


def test_what_a_killed_build_left_is_not_gone_on_with(root):
    folder = cached("kind", {}, lambda folder: (folder / "half").write_text("ha") and None)
    folder.rename(folder.with_name(f"{folder.name}.partial"))  # as a process leaves it that is killed before the end
    assert cached("kind", {}, lambda folder: (folder / "value").write_text("whole") and None) == folder
    assert not (folder / "half").exists() and (folder / "value").read_text() == "whole"
    assert [path for path in (root / "kind").iterdir() if path.is_dir()] == [folder]


def test_a_build_that_resumes_gets_the_folder_that_the_last_one_left(root):
    def killed(folder):
        (folder / "half").write_text("1")
        raise KeyboardInterrupt

    def whole(folder):
        (folder / "value").write_text((folder / "half").read_text() + "2")

    with pytest.raises(KeyboardInterrupt):
        cached("kind", {}, killed, resumes=True)
    folder = cached("kind", {}, whole, resumes=True)
    assert (folder / "value").read_text() == "12"
    assert [path for path in (root / "kind").iterdir() if path.is_dir()] == [folder]


def test_what_was_left_long_ago_goes_and_what_was_written_lately_stays(root):
    for name, age in {"old.partial": 8 * 24 * 3600, "new.partial": 3600}.items():
        (root / "kind" / name).mkdir(parents=True)
        for path in (root / "kind" / name / "rows", root / "kind" / name):
            path.exists() or path.write_text("rows")
            os.utime(path, (time.time() - age,) * 2)
    folder = cached("kind", {}, lambda folder: None)
    assert {path for path in (root / "kind").iterdir() if path.is_dir()} == {folder, root / "kind" / "new.partial"}


def test_arrays_are_mapped_read_only(tmp_path):
    np.save(tmp_path / "images.npy", np.arange(6))
    (images,) = load_arrays(tmp_path, "images")
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 1


BLOCK = 8
COUNT = 3 * BLOCK + 5
INGEST = """
import time
from pathlib import Path
import numpy as np
from depthseg_lib.data import cache, image_files, ingest
cache.BLOCK = 8
decode = image_files.photograph
def slowly(file):
    time.sleep(0.03)
    return decode(file)
image_files.photograph = slowly
folder = Path({folder!r})
print("ready", flush=True)
while not folder.with_name("go").exists():
    time.sleep(0.001)
clip = ingest.Clip(tuple(sorted(folder.iterdir())), (8, 12), np.diag([8.0, 8, 1]))
ingest.video([clip], 4, 6, progress=lambda line: print(line, flush=True))
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(caches, "BLOCK", BLOCK)
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


def rows_written(root) -> int:
    """Finished rows of the one partial folder, 0 before there is one."""
    found = list(root.glob(f"ingest/*.partial/{ROWS}"))
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


def test_a_killed_ingest_goes_on_where_it_was_with_the_same_result(source, root, decoded, tmp_path, monkeypatch):
    (process,) = reading(source, 1)
    wait_for(lambda: rows_written(root) >= 2 * BLOCK)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    rows, lines = rows_written(root), []
    assert process.returncode == -signal.SIGKILL and rows in (2 * BLOCK, 3 * BLOCK)
    found = read(source, lines.append)
    assert len(decoded) == COUNT - rows
    assert f"{COUNT} files to read once, {rows} of them read before: 0.000 GB" in lines[0]
    assert Path(found.filename).read_bytes() == unbroken(source, tmp_path, monkeypatch)
    assert not list(root.glob("ingest/*.partial"))


def lose(content):
    """Takes or changes the count of rows that are finished."""
    return lambda folder: (folder / ROWS).unlink() if content is None else (folder / ROWS).write_text(content)


@pytest.mark.parametrize(
    "damage",
    [lose(""), lose("x"), lose(None), lambda folder: os.truncate(folder / "images.npy", 500)],
    ids=["empty", "no number", "missing", "rows cut off"],
)
def test_what_a_killed_reading_left_and_then_was_damaged_is_read_anew(
    source, root, decoded, damage, tmp_path, monkeypatch
):
    decode = image_files.photograph
    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(image_files, "photograph", lambda f: interrupt() if len(decoded) > 20 else decode(f))
        read(source)
    (left,) = root.glob("ingest/*.partial")
    damage(left)
    decoded.clear()
    found = read(source)
    assert len(decoded) == COUNT and Path(found.filename).read_bytes() == unbroken(source, tmp_path, monkeypatch)


def interrupt():
    raise KeyboardInterrupt


def test_a_process_that_waits_goes_on_when_the_other_is_killed(source, root):
    lines = {process: process.stdout.readline() for process in reading(source, 2)}
    wait_for(lambda: rows_written(root) >= BLOCK)
    (waits,) = (process for process in lines if "waiting" in lines[process])
    (reads,) = (process for process in lines if process is not waits)
    reads.kill()
    reads.communicate()
    said = waits.communicate()[0]
    assert waits.returncode == 0 and "of them read before" in said and f"read {COUNT} of {COUNT} files" in said


@pytest.mark.parametrize("change", [lambda file: os.utime(file, ns=(1, 1)), os.unlink], ids=["changed", "removed"])
def test_a_source_that_changes_meanwhile_is_refused(source, root, monkeypatch, change):
    first, decode = source / "0000.png", image_files.photograph

    def changing(file):
        found = decode(file)
        if file.name == f"{COUNT - 1:04d}.png":
            change(first)
        return found

    monkeypatch.setattr(image_files, "photograph", changing)
    with pytest.raises(InputError, match=r"0000\.png (changed while it was read|cannot be read)"):
        read(source)
    assert not [path for path in (root / "ingest").iterdir() if path.is_dir()]


def test_disk_use_is_said_first_and_files_as_they_are_read(source, root, monkeypatch):
    monkeypatch.setattr(caches, "REPORT", 0.0)
    lines = []
    read(source, lines.append)
    assert f"{COUNT} files to read once: 0.000 GB to write under {root}, whose disk has" in lines[0]
    assert [line.split(" files")[0] for line in lines[1:]] == [f"read {i + 1} of {COUNT}" for i in range(COUNT)]


def test_a_pack_that_was_cut_short_is_named(source):
    file = Path(read(source).filename)
    os.truncate(file, 500)
    with pytest.raises(InputError, match=rf"{file.parent} is damaged .*delete that folder"):
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


def test_a_frame_that_is_broken_and_then_gone_has_the_others_read_once(source, root, decoded):
    whole, broken = np.array(read(source)), source / "0003.png"
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"0003\.png cannot be read"):
        read(source)
    decoded.clear()
    broken.unlink()
    lines = []
    assert (read(source, lines.append) == np.delete(whole, 3, axis=0)).all() and not decoded
    assert f"{COUNT - 1} files to read once, {COUNT - 1} of them read before" in lines[0]
    assert not list(root.glob("ingest/*.partial"))


def test_a_file_system_that_takes_no_file_of_that_size_is_one_sentence(source):
    with files_of_at_most(1_000), pytest.raises(InputError, match="cannot be written .File too large"):
        read(source)
