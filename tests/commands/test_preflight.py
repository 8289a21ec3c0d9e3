import subprocess
import sys

import pytest

from depthseg_lib.commands import machine
from depthseg_lib.errors import InputError


def test_a_good_folder_is_made_and_left_empty(tmp_path):
    machine.writable(tmp_path / "new/runs", "runs", space=1)
    assert list((tmp_path / "new/runs").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="runs, the folder for runs, cannot be written .Not a directory.*make help"):
        machine.writable(tmp_path / "file/runs", "runs")


def test_a_full_disk_is_found_before_it_matters(tmp_path):
    with pytest.raises(InputError, match=r"the folder for runs, is on a disk with \d+ MiB free: expected"):
        machine.writable(tmp_path, "runs", space=2**60)


def test_a_folder_is_locked_by_one_and_says_by_whom(tmp_path):
    with machine.alone(tmp_path) as lock:
        machine.say_holder(lock, 4321)
        with pytest.raises(InputError, match=r"another `make figures` is at work.*\(process 4321\)"):
            with machine.alone(tmp_path):
                pass
    with machine.alone(tmp_path):
        pass


def test_the_lock_is_held_by_a_child_that_inherits_it(tmp_path):
    with machine.alone(tmp_path) as lock:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,))
    with pytest.raises(InputError):
        with machine.alone(tmp_path):
            pass
    child.communicate(b"\n")
    with machine.alone(tmp_path):
        pass
