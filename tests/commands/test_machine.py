"""What the machine offers: its GPUs, folders that can be written, the lock on a folder of runs, places on a GPU."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from depthseg_lib.commands import machine
from depthseg_lib.commands.machine import GPUS, JOBS_PER_GPU, Device, slot
from depthseg_lib.errors import InputError


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """A folder of devices of the test's own, and no memory of an earlier answer."""
    monkeypatch.setattr(machine, "NODES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    machine.device.cache_clear()
    yield tmp_path
    machine.device.cache_clear()


def gpus(monkeypatch, *names):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: names[index])


def test_the_profile_follows_the_device(monkeypatch, devices):
    (devices / "nvidia0").touch()
    gpus(monkeypatch, "H200", "H200")
    found = machine.device()
    assert (found.profile, found.ids, str(found)) == ("gpu", "0,1", "2 x H200")
    assert str(Device(("H100",))) == "H100" and Device(("H200",), visible="3").ids == "3"


def test_torch_is_not_asked_without_a_driver(monkeypatch, devices):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: pytest.fail("asked"))
    found = machine.device()
    assert (found.profile, found.ids, str(found)) == ("laptop", "", "the CPU")


def test_gpus_are_called_what_is_visible_and_a_driver_without_one_is_a_cpu(monkeypatch, devices):
    (devices / "nvidiactl").touch()
    gpus(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.device() == Device()
    machine.device.cache_clear()
    gpus(monkeypatch, "H200")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert machine.device().ids == "3"


CORES = Path(__file__).parents[2] / "workflow/cores"


def cores(*before, group="/nowhere"):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    found = subprocess.run([*before, CORES, group], capture_output=True, text=True, check=True, env=environment)
    return int(found.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system's number of processors is taken")
def test_cores_are_what_the_process_may_use(tmp_path):
    one = min(os.sched_getaffinity(0))
    assert cores() == len(os.sched_getaffinity(0))  # whatever OMP_NUM_THREADS says
    assert cores("taskset", "-c", str(one)) == 1
    for quota, expected in (("max 100000", cores()), ("50000 100000", 1), (f"{100000 * cores() - 1} 100000", cores())):
        (tmp_path / "cpu.max").write_text(quota + "\n")
        assert cores(group=tmp_path) == expected
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    for name, value in (("quota", 100000), ("period", 100000)):
        (tmp_path / f"cpu/cpu.cfs_{name}_us").write_text(f"{value}\n")
    assert cores(group=tmp_path) == 1


def test_a_good_folder_is_made_and_left_empty(tmp_path):
    machine.writable(tmp_path / "new/runs", "runs", space=1)
    assert list((tmp_path / "new/runs").iterdir()) == []


def test_a_folder_that_cannot_be_written_and_a_full_disk_are_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="runs, the folder for runs, cannot be written .Not a directory.*make help"):
        machine.writable(tmp_path / "file/runs", "runs")
    with pytest.raises(InputError, match=r"the folder for runs, is on a disk with \d+ MiB free: expected"):
        machine.writable(tmp_path, "runs", space=2**60)


def test_a_folder_is_locked_by_one_and_says_by_whom(tmp_path):
    for _ in range(2):
        with machine.alone(tmp_path) as lock:
            machine.say_holder(lock, 4321)
            with pytest.raises(InputError, match=r"another `make figures` is at work.*\(process 4321\)"):
                with machine.alone(tmp_path):
                    pass


HOLDS = """
import pathlib, subprocess, sys
from depthseg_lib.commands import machine
with machine.alone(pathlib.Path(sys.argv[1])) as lock:
    if sys.argv[2:]:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=0, pass_fds=(lock,))
        machine.say_holder(lock, child.pid)
    print("locked", flush=True)
    input() if not sys.argv[2:] else child.wait()
"""


@pytest.mark.parametrize("child", [(), ("with a child",)])
def test_a_killed_study_holds_its_lock_only_as_long_as_a_child_that_inherited_it(tmp_path, child):
    holder = [sys.executable, "-c", HOLDS, str(tmp_path), *child]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(InputError, match="at work") as refused, machine.alone(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        if child:  # goes on by itself
            with pytest.raises(InputError, match="at work"), machine.alone(tmp_path):
                pass
            os.kill(int(str(refused.value).partition("(process ")[2].rstrip(")")), signal.SIGKILL)
            time.sleep(0.2)
        with machine.alone(tmp_path):
            pass


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setenv(GPUS, "3,5")
    monkeypatch.setenv(JOBS_PER_GPU, "2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_nothing_happens_without_gpus(tmp_path):
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    with slot(tmp_path) as gpu:
        assert gpu is None and os.environ.get("CUDA_VISIBLE_DEVICES") == before
    assert list(tmp_path.iterdir()) == []


def test_jobs_spread_over_the_gpus_first_and_share_them_then(tmp_path, two_gpus):
    with slot(tmp_path) as first, slot(tmp_path) as second, slot(tmp_path) as third, slot(tmp_path) as fourth:
        assert [first, second, third, fourth] == ["3", "5", "3", "5"]
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_job_waits_until_a_place_is_free(tmp_path, two_gpus, monkeypatch):
    monkeypatch.setenv(GPUS, "3")
    monkeypatch.setenv(JOBS_PER_GPU, "1")
    holding, release, order = threading.Event(), threading.Event(), []

    def hold():
        with slot(tmp_path):
            holding.set()
            release.wait(10)
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(10)
    threading.Timer(0.2, release.set).start()
    with slot(tmp_path, poll=0.02):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_a_killed_job_frees_its_place(tmp_path, two_gpus):
    code = (
        "import os, sys, pathlib, depthseg_lib.commands.machine as s\n"
        "with s.slot(pathlib.Path(sys.argv[1])) as gpu: print(gpu, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout == "3\n"
    with slot(tmp_path) as gpu:
        assert gpu == "3"
