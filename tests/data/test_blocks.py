"""Arrays in blocks: what a killed process wrote is taken over, and what is damaged is noticed."""

import os
import shutil

import numpy as np
import pytest

from depthseg_lib.data import blocks
from depthseg_lib.data.blocks import BLOCK, CHECKSUMS, SEEN, Blocks, intact, verify
from depthseg_lib.errors import InputError

COUNT = 2 * BLOCK + 22
ARRAYS = {"images": (np.dtype(np.uint8), (COUNT, 3, 2, 4)), "depth": (np.dtype(np.float16), (COUNT, 2, 4))}


@pytest.fixture
def rows():
    draw = np.random.default_rng(0)
    return [(draw.integers(0, 256, (3, 2, 4), dtype=np.uint8), draw.random((2, 4))) for _ in range(COUNT)]


def write(folder, rows, stop=3):
    """Write blocks up to number `stop`; the last one finishes the folder. Returns the row that it began at."""
    folder.mkdir(exist_ok=True)
    arrays = Blocks(folder, ARRAYS)
    begun = arrays.rows
    for number in range(arrays.done, stop):
        arrays.append(rows[number * BLOCK : (number + 1) * BLOCK])
    if stop == 3:
        arrays.finish()
    return begun


@pytest.fixture
def whole(tmp_path, rows):
    write(tmp_path / "whole", rows)
    return tmp_path / "whole"


def damage(file, place=-1):
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def contents(folder):
    return {name: (folder / f"{name}.npy").read_bytes() for name in ARRAYS}


def test_what_is_written_is_what_numpy_reads(whole, rows):
    for number, (name, (dtype, shape)) in enumerate(ARRAYS.items()):
        array = np.load(whole / f"{name}.npy", mmap_mode="r")
        assert array.dtype == dtype and array.shape == shape
        assert (array == np.stack([row[number] for row in rows]).astype(dtype)).all()
    verify(whole)
    assert intact(whole)


@pytest.mark.parametrize("stop", [1, 2])
def test_finished_blocks_are_taken_over(tmp_path, whole, rows, stop):
    write(tmp_path / "killed", rows, stop)
    assert write(tmp_path / "killed", rows) == stop * BLOCK
    assert contents(tmp_path / "killed") == contents(whole)


def test_a_killed_end_is_taken_over_whole(whole, rows):
    before = (whole / "images.npy").stat().st_mtime_ns
    assert write(whole, rows) == COUNT and (whole / "images.npy").stat().st_mtime_ns == before


def test_a_block_that_did_not_reach_the_disk_is_written_again(tmp_path, whole, rows):
    write(tmp_path / "torn", rows, 2)
    damage(tmp_path / "torn" / "depth.npy", blocks._position(ARRAYS["depth"], 1) + 5)
    assert write(tmp_path / "torn", rows) == BLOCK
    assert contents(tmp_path / "torn") == contents(whole)


def test_a_line_that_was_cut_off_is_as_good_as_none(tmp_path, whole, rows):
    write(tmp_path / "torn", rows, 2)
    lines = (tmp_path / "torn" / CHECKSUMS).read_text()
    (tmp_path / "torn" / CHECKSUMS).write_text(lines[:-8])
    assert write(tmp_path / "torn", rows) == BLOCK
    assert contents(tmp_path / "torn") == contents(whole) and intact(tmp_path / "torn")


def test_blocks_of_other_arrays_are_not_taken_over(tmp_path, rows):
    write(tmp_path / "other", rows, 2)
    found = Blocks(tmp_path / "other", {"images": (np.dtype(np.uint8), (COUNT, 3, 4, 4))})
    assert found.rows == 0 and found.missing == COUNT * 3 * 4 * 4


def test_what_is_missing_is_counted_in_bytes(tmp_path, rows):
    write(tmp_path / "half", rows, 2)
    assert Blocks(tmp_path / "half", ARRAYS).missing == 22 * (3 * 2 * 4 + 2 * 2 * 4)


def test_a_folder_without_a_changed_file_is_not_read(whole, monkeypatch):
    monkeypatch.setattr(blocks, "verify", lambda folder: pytest.fail("all blocks were read"))
    assert intact(whole)


@pytest.mark.parametrize("place", [0, 200, -1])
def test_a_changed_byte_is_noticed(whole, place):
    damage(whole / "images.npy", place)
    assert not intact(whole)
    row = rf"rows {2 * BLOCK} to {COUNT - 1}" if place == -1 else rf"rows 0 to {BLOCK - 1}"
    with pytest.raises(InputError, match=rf"{whole} is damaged: {row} of images\.npy .*delete that folder"):
        verify(whole)


def test_a_changed_byte_under_the_old_time_is_found_by_verify_alone(whole):
    stat = (whole / "images.npy").stat()
    with (whole / "images.npy").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    os.utime(whole / "images.npy", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert intact(whole)  # what looking at every opening costs nothing for
    with pytest.raises(InputError, match="is damaged"):
        verify(whole)


@pytest.mark.parametrize("change", [lambda f: os.truncate(f, 300), os.unlink], ids=["cut short", "gone"])
def test_an_array_that_is_cut_short_or_gone_is_noticed(whole, change):
    change(whole / "depth.npy")
    assert not intact(whole)
    with pytest.raises(InputError, match=r"of depth\.npy are not what was written"):
        verify(whole)


def test_a_copy_is_compared_once(whole, tmp_path, monkeypatch):
    shutil.copytree(whole, tmp_path / "copy")
    said = []
    assert intact(tmp_path / "copy", said.append) and "comparing their checksums" in said[0]
    monkeypatch.setattr(blocks, "verify", lambda folder: pytest.fail("all blocks were read again"))
    assert intact(tmp_path / "copy", said.append) and len(said) == 1


HALF = '{"images": ["|u1", [150, 3, 2, 4]]}\n[1]\n'


@pytest.mark.parametrize("content", [None, "", "[1]\n", '{"images": 3}\n', HALF])
def test_checksums_that_are_gone_or_broken_are_noticed(whole, content):
    (whole / SEEN).unlink()
    (whole / CHECKSUMS).unlink() if content is None else (whole / CHECKSUMS).write_text(content)
    assert not intact(whole)
    with pytest.raises(InputError, match=f"{CHECKSUMS} is not whole"):
        verify(whole)


def test_a_folder_that_is_not_there_is_not_intact(tmp_path):
    assert not intact(tmp_path / "absent")
