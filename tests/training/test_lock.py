"""The lock on a run's folder: who has it is said, who was killed has it no longer, who was taken for dead notices."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from depthseg_lib.errors import InputError
from depthseg_lib.training import lock
from depthseg_lib.training.lock import held

HOLDS = """
import pathlib, socket, sys, time
from depthseg_lib.training import lock
lock.LEASE = float(sys.argv[2])
if sys.argv[3]:
    socket.gethostname = lambda: sys.argv[3]
with lock.held(pathlib.Path(sys.argv[1]), print):
    print("locked", flush=True)
    input()
"""


class Trainer:
    """Another process that holds a folder, of this machine or of one of another name."""

    def __init__(self, folder, host="", lease=lock.LEASE):
        call = [sys.executable, "-c", HOLDS, str(folder), str(lease), host]
        environment = os.environ | {"SLURM_JOB_ID": "71"}
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process = subprocess.Popen(call, **pipes, text=True, env=environment)
        assert self.process.stdout.readline() == "locked\n"

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def said_by(host, process):
    return f"process {process} on {host}, job 71 (since "


def test_a_second_trainer_says_who_has_the_folder_and_waits(tmp_path):
    said = []

    def ends_the_other(line):
        said.append(line)
        other.process.communicate("\n")

    with Trainer(tmp_path / "run") as other:
        with held(tmp_path / "run", ends_the_other, poll=0.05) as got:
            assert got.waited
            got.check()
        assert len(said) == 1 and said[0].startswith(said_by(socket.gethostname(), other.process.pid))
        assert said[0].endswith(f"trains in {tmp_path}/run: waiting for it")
    assert list((tmp_path / "run").iterdir()) == []
    with held(tmp_path / "run", said.append) as got:
        assert not got.waited and len(said) == 1


def test_a_killed_trainers_lock_is_taken_over_at_once_and_named(tmp_path):
    said = []
    with Trainer(tmp_path) as other:
        other.kill()
        with held(tmp_path, said.append) as got:
            assert not got.waited
    assert len(said) == 1 and said[0].startswith(said_by(socket.gethostname(), other.process.pid))
    assert said[0].endswith("has ended without a word: going on in its place")


def test_a_trainer_of_another_machine_has_ended_when_it_gives_no_sign_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "LEASE", 3.0)
    said = []
    with Trainer(tmp_path, "node7", lease=3.0) as other:
        monkeypatch.setattr(time, "time", lambda: 4e9)  # no clock that jumps can make it look old
        began = time.monotonic()
        other.kill()
        with held(tmp_path, said.append, poll=0.1):
            assert time.monotonic() - began > 2.5
    assert said[0].startswith(said_by("node7", other.process.pid)) and said[0].endswith("waiting for it")
    assert said[1].endswith("going on in its place")


def test_a_trainer_that_was_taken_for_dead_notices_before_it_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "LEASE", 0.9)
    with held(tmp_path, print) as ours:
        ours.check()
        (tmp_path / ".trainer.lock").unlink()  # as another does that saw no sign of life
        with Trainer(tmp_path, "node7", lease=0.9):
            time.sleep(0.8)
            with pytest.raises(InputError, match=r"was taken over by process \d+ on node7, job 71 .*this run ends"):
                ours.check()
    assert not (tmp_path / ".trainer.lock").exists() or "node7" in (tmp_path / ".trainer.lock").read_text()


def test_a_folder_that_cannot_be_written_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"), held(tmp_path / "file", print):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": "a"}'])
def test_a_holders_file_that_was_cut_off_names_nobody(tmp_path, text):
    said = []
    with Trainer(tmp_path) as other:
        (tmp_path / lock.HOLDER).write_text(text)
        other.kill()
        with held(tmp_path, said.append):
            pass
    assert said == ["another process has ended without a word: going on in its place"]
