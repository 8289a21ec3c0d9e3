"""The runner of one notebook: what it is given, what it shows, and what it leaves."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from helpers.tiny_project import write_notebook

from depthseg_lib.commands import journal, notebook
from depthseg_lib.errors import InputError

PARAMETERS = 'rate = 1.0  # a step size\ncount = 3\nflip = False\nname = "depth"\nfolder = "."'


def run(tmp_path: Path, *cells: str, values: dict | None = None, options=(), **variables: str):
    """The runner's command line on a notebook of `cells`, in `tmp_path`."""
    write_notebook(tmp_path / "book.ipynb", PARAMETERS, *cells)
    (tmp_path / "run.json").write_text(json.dumps(values or {}))
    call = [sys.executable, "-m", "depthseg_lib.commands.notebook", "book.ipynb", "--params", "run.json", *options]
    environment = os.environ | {"DEPTHSEG_CACHE": str(tmp_path / "cache")} | variables
    call += ["--out", "runs/finetune/one/executed.ipynb"]
    return subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True)


def log_of(tmp_path: Path, name: str = "executed") -> nbformat.NotebookNode:
    return nbformat.read(tmp_path / f"runs/finetune/one/{name}.ipynb", as_version=4)


def test_values_arrive_with_their_types_and_lines_are_relayed(tmp_path):
    cell = "import os; print((rate, count, flip, name, folder))\nprint(os.getcwd(), os.environ['DEPTHSEG_HEADLESS'])\nprint('50 %\\r100 %\\n', end='')"
    values = {"rate": 1e-4, "flip": True}
    done = run(tmp_path, cell, values=values, options=("--set", "name=none", "--path", "folder=runs"))
    assert done.returncode == 0, done.stderr
    said = [f"(0.0001, 3, True, 'none', '{tmp_path / 'runs'}')", f"{tmp_path} 1", "100 %"]
    assert done.stdout.splitlines() == [f"finetune one  {line}" for line in said]
    folder = tmp_path / "runs/finetune/one"
    assert [e.text for e in journal.read(folder)[0] if e.what == journal.SAID] == said
    assert [e.what for e in journal.read(folder)[0]][::4] == [journal.STARTED, journal.FINISHED]
    assert sorted(p.name for p in folder.iterdir()) == ["executed.ipynb", "progress.jsonl"]


def test_figures_are_kept_and_the_kernel_is_this_python_whatever_the_home_holds(tmp_path):
    home = tmp_path / "home"
    for kernels in (home / ".local/share/jupyter/kernels/python3", home / "Library/Jupyter/kernels/python3"):
        kernels.mkdir(parents=True)
        kernels.joinpath("kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "odd"}))
    startup = home / ".ipython/profile_default/startup"
    startup.mkdir(parents=True)
    startup.joinpath("odd.py").write_text("raise SystemExit('the user has other plans')")
    before = sorted(home.rglob("*"))
    cells = "import sys; print(sys.executable)", "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()"
    done = run(tmp_path, *cells, HOME=str(home), MPLBACKEND="Agg")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"finetune one  {sys.executable}\n"
    assert "image/png" in log_of(tmp_path).cells[-1].outputs[-1].data
    assert sorted(home.rglob("*")) == before


def test_a_failing_cell_shows_its_traceback_and_the_log(tmp_path):
    folder = tmp_path / "runs/finetune/one"
    folder.mkdir(parents=True)
    (folder / "executed.ipynb").write_text("of an earlier try")
    failed = run(tmp_path, "def learn():\n    return 1 / 0", "learn()")
    assert failed.returncode == 1
    assert "ZeroDivisionError: division by zero" in failed.stderr and "return 1 / 0" in failed.stderr
    assert "\x1b" not in failed.stderr and f"log: {tmp_path}/runs/finetune/one/failed.ipynb" in failed.stderr
    assert log_of(tmp_path, "failed").cells[-1].outputs[-1].output_type == "error"
    assert not (folder / "executed.ipynb").exists()


def test_bad_input_in_a_notebook_is_one_sentence(tmp_path):
    cell = "from depthseg_lib.errors import InputError\nraise InputError('/data is empty: expected CamVid')"
    failed = run(tmp_path, cell)
    assert failed.returncode == 1
    shown = [line for line in failed.stderr.splitlines() if "IPKernelApp" not in line]
    assert shown == [
        "finetune one  failed: /data is empty: expected CamVid",
        f"log: {tmp_path}/runs/finetune/one/failed.ipynb",
    ]


def test_a_kernel_that_is_killed_is_said_so(tmp_path):
    failed = run(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert failed.returncode == 1 and "the kernel stopped" in failed.stderr
    assert (tmp_path / "runs/finetune/one/failed.ipynb").exists()


def test_bad_parameters_stop_before_a_kernel_starts(tmp_path):
    failed = run(tmp_path, "print('not reached')", values={"rates": 1.0})
    assert failed.returncode == 1
    assert failed.stderr == "finetune one  failed: book.ipynb has no parameter 'rates'; did you mean 'rate'?\n"
    assert failed.stdout == ""
    assert [e.what for e in journal.read(tmp_path / "runs/finetune/one")[0]] == [journal.STARTED, journal.FAILED]


def test_a_missing_or_broken_notebook_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        notebook.execute(tmp_path / "none.ipynb", {}, tmp_path / "out.ipynb", print)
    (tmp_path / "text.ipynb").write_text("# not json")
    with pytest.raises(InputError, match="is not a notebook"):
        notebook.execute(tmp_path / "text.ipynb", {}, tmp_path / "out.ipynb", print)


def test_a_log_that_cannot_be_written_is_bad_input(tmp_path):
    book = write_notebook(tmp_path / "book.ipynb", PARAMETERS)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        notebook.execute(book, {}, tmp_path / "file/executed.ipynb", print)


def test_a_disk_that_is_full_while_a_notebook_runs_is_one_sentence(tmp_path, monkeypatch, capsys):
    book = write_notebook(tmp_path / "book.ipynb", PARAMETERS)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("papermill.execute_notebook", full)
    monkeypatch.setattr(notebook, "enter_headless_environment", lambda: None)
    log = tmp_path / "finetune/one/executed.ipynb"
    assert notebook.main([str(book), "--out", str(log)]) == 1
    assert f"{log} cannot be written (No space left on device)" in capsys.readouterr().err
    assert [event.what for event in journal.read(log.parent)[0]] == [journal.STARTED, journal.FAILED]


def test_a_checkpoint_is_there_until_nothing_can_fail_any_more(tmp_path, monkeypatch):
    book, log = write_notebook(tmp_path / "book.ipynb", PARAMETERS), tmp_path / "finetune/one/executed.ipynb"
    monkeypatch.setattr(notebook, "enter_headless_environment", lambda: None)
    (checkpoint := log.with_name("checkpoint.pt")).parent.mkdir(parents=True)
    checkpoint.touch()
    for failure, there in ((notebook.NotebookFailed("1 / 0"), True), (None, False)):

        def executed(*_, failure=failure):
            if failure:
                raise failure

        monkeypatch.setattr(notebook, "execute", executed)
        assert notebook.main([str(book), "--out", str(log)]) == int(there)
        assert checkpoint.exists() == there


def test_parameters_of_the_command_line_have_a_form(tmp_path, monkeypatch, capsys):
    book = write_notebook(tmp_path / "book.ipynb", PARAMETERS)
    monkeypatch.setattr(notebook, "enter_headless_environment", lambda: None)
    (tmp_path / "run.json").write_text("[1]")
    for option, message in (
        ("--set=rate", "--set rate: expected name=value"),
        ("--params=run.json", "run.json holds list"),
    ):
        monkeypatch.chdir(tmp_path)
        assert notebook.main([str(book), "--out", "executed.ipynb", option]) == 1
        assert message in capsys.readouterr().err


def test_a_line_is_handed_on_when_it_is_whole():
    lines = []
    relay = notebook.Relay(lines.append)
    for text in ("iteration ", "1/2\nitera", "tion 2/2", "\n\n", "10 %\r20 %\n", "rest"):
        relay.write(text)
    assert lines == ["iteration 1/2", "iteration 2/2", "20 %"]


def test_nothing_that_makes_a_job_start_late_is_imported_before_it_is_kept_away():
    """jsonschema's grammar of international addresses takes longer to import than everything else of a job's start."""
    late = {"nbformat", "jsonschema", "papermill", "torch"}
    code = f"import depthseg_lib.commands.notebook, sys; print({late} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.fixture
def book(tmp_path):
    return write_notebook(tmp_path / "book.ipynb", 'rate = 1e-4  # step size\nname = "a"\nother = {}', "print(rate)")


def test_what_the_parameters_cell_does_not_name_is_a_further_setting(book):
    assert notebook.fitted(book, {"rate": 2e-4, "height": 96}) == {"rate": 2e-4, "other": {"height": 96}}
    assert notebook.fitted(book, {"other": {"width": 32}, "height": 96})["other"] == {"width": 32, "height": 96}


def test_without_further_settings_an_unknown_name_is_refused(tmp_path):
    plain = write_notebook(tmp_path / "plain.ipynb", 'rate = 1e-4\nname = "a"', "print(rate)")
    assert notebook.fitted(plain, {"name": "b"}) == {"name": "b"}
    with pytest.raises(InputError, match="plain.ipynb has no parameter 'naem'; did you mean 'name'"):
        notebook.fitted(plain, {"naem": "b"})
    with pytest.raises(InputError, match="no parameter 'zzz'; it has: rate, name"):
        notebook.fitted(plain, {"zzz": 1})
