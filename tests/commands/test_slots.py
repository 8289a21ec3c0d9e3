import os
import subprocess
import sys
import threading

import pytest

from depthseg_lib.commands.machine import GPUS, JOBS_PER_GPU, slot


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
