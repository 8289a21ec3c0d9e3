"""Kernels that are forked from one process with everything imported."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers.tiny_project import write_notebook

from depthseg_lib.commands import kernels

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux alone")
SLOW = "import time, pathlib\ntime.sleep(1.0)\npathlib.Path(__file__).with_name('imported').open('a').write('x')"


@pytest.fixture
def project(tmp_path):
    """A folder with a notebook that imports a module which takes a second, and says what it sees of its caller."""
    (tmp_path / "slow_to_import.py").write_text(SLOW)
    cell = "import os, sys, slow_to_import\nprint(os.getcwd(), os.environ['MINE'], os.getppid(), os.getpid())"
    write_notebook(tmp_path / "book.ipynb", "wait = 0", cell, "from slow_to_import import time\ntime.sleep(wait)")
    return tmp_path


def environment_of(project, **others: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{project}:{os.environ.get('PYTHONPATH', '')}"} | others | {"MINE": "yes"}


def job(project, name: str, environment: dict[str, str], wait: int = 0) -> subprocess.Popen:
    (project / "run.json").write_text(json.dumps({"wait": wait}))
    call = [sys.executable, "-m", "depthseg_lib.commands.notebook", "book.ipynb", "--params", "run.json"]
    call += ["--out", f"runs/{name}/executed.ipynb"]
    return subprocess.Popen(call, cwd=project, env=environment, stdout=subprocess.PIPE, text=True)


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def gone(process: int) -> bool:
    end = time.monotonic() + 10
    while is_there(process) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_there(process)


def test_jobs_find_imported_what_their_notebooks_import(project):
    environment = environment_of(project, DEPTHSEG_CACHE=str(project / "cache"))
    with kernels.prepared([project / "book.ipynb"], environment) as prepared:
        jobs = [job(project, name, prepared) for name in ("one", "two")]
        said = [process.communicate(timeout=60)[0].split("  ")[1].split() for process in jobs]
    assert [process.returncode for process in jobs] == [0, 0]
    assert [words[:2] for words in said] == [[str(project), "yes"]] * 2
    assert said[0][2] == said[1][2] and said[0][3] != said[1][3]  # two children of one process
    assert (project / "imported").read_text() == "x"
    assert gone(int(said[0][2])) and not os.path.exists(prepared[kernels.SOCKET])


def test_a_kernel_ends_with_its_job_and_with_a_signal(project):
    environment = environment_of(project, DEPTHSEG_CACHE=str(project / "cache"))
    with kernels.prepared([project / "book.ipynb"], environment) as prepared:
        killed = job(project, "killed", prepared, wait=60)
        kernel = int(killed.stdout.readline().split()[-1])
        assert is_there(kernel)
        killed.kill()
        killed.communicate()
        assert gone(kernel)
        stopped = job(project, "stopped", prepared, wait=60)
        kernel = int(stopped.stdout.readline().split()[-1])
        stopped.send_signal(signal.SIGTERM)
        stopped.communicate(timeout=20)
        assert gone(kernel) and stopped.returncode != 0
        lost = job(project, "lost", prepared, wait=60)
        os.kill(int(lost.stdout.readline().split()[-1]), signal.SIGKILL)  # as the system does where memory ends
        lost.communicate(timeout=30)
        assert lost.returncode == 1
        assert "the kernel stopped" in (project / "runs/lost/progress.jsonl").read_text()


def test_without_that_process_a_job_starts_an_ordinary_kernel(project):
    environment = environment_of(project, DEPTHSEG_CACHE=str(project / "cache"))
    with kernels.prepared([project / "book.ipynb"], environment) as prepared:
        pass
    left = job(project, "alone", prepared)
    assert str(project) in left.communicate(timeout=60)[0] and left.returncode == 0
