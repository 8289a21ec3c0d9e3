"""The cache on disk: built once, by rename, with one clear sentence when it cannot be written."""

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.limited import child, files_of_at_most, folder_for_all, ordinary_user

from depthseg_lib.data import cache
from depthseg_lib.data.cache import cached, load_arrays, require_space, reserved
from depthseg_lib.errors import InputError
from depthseg_lib.files import cache_root
from depthseg_lib.fingerprint import source_hash


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
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1_000_000_000}))
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


def test_a_killed_build_leaves_nothing_under_the_final_name(root):
    process = child("""
import os, signal
from depthseg_lib.data.cache import cached
def build(folder):
    (folder / "value").write_text("ha")
    os.kill(os.getpid(), signal.SIGKILL)
cached("kind", {}, build)
""")
    process.communicate()
    assert process.returncode == -9
    assert [path.suffix for path in (root / "kind").iterdir() if path.is_dir()] == [".partial"]
    folder = cached("kind", {}, lambda folder: (folder / "value").write_text("whole") and None)
    assert (folder / "value").read_text() == "whole"
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


def test_source_hash_follows_the_text(tmp_path):
    file = tmp_path / "generator.py"
    file.write_text("a = 1")
    first = source_hash(file)
    file.write_text("a = 2")
    assert source_hash(file) != first and len(first) == 16
