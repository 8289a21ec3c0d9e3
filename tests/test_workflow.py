import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.tiny_project import TinyProject, copy_project

EVERYTHING = ["figures 03_results", "finetune from-first", "finetune from-none", "finetune from-second"]
EVERYTHING += ["pretrain first", "pretrain second"]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> TinyProject:
    """A tiny project whose study was run once; a test that changes it changes it back."""
    project = TinyProject(tmp_path_factory.mktemp("project"))
    project.first = project()
    assert project.first.returncode == 0, project.first.stdout + project.first.stderr
    return project


def test_the_whole_study_is_made_and_shown(project):
    shown = project.first.stdout
    assert "5 runs and 1 notebooks that draw; to do: 5 and 1" in shown
    assert "pretrain first  iteration 1/2" in shown
    assert "/6] finetune from-none  finished in" in shown and "diverged at iteration 7" in shown
    assert "left" in shown and "1 runs diverged, which is a result: from-none" in shown
    assert (project.root / "figures/tiny/fig03_curves.png").read_text() == "c; depth a; depth more b"


def test_the_executed_notebooks_are_the_logs_of_the_runs(project):
    folder = project.root / "runs/tiny/finetune/from-first"
    left = {"executed.ipynb", "history.parquet", "inputs.json", "metrics.json", "params.json", "progress.jsonl"}
    assert {path.name for path in folder.iterdir()} == left | {"weights.safetensors"}
    assert "iteration 1/2" in (folder / "executed.ipynb").read_text()


def test_nothing_is_done_again_when_nothing_changed(project):
    again = project()
    assert again.stdout == "everything is up to date: figures/tiny\n"


def test_files_that_were_only_touched_change_nothing(project):
    for file in [*project.root.rglob("*.py"), *project.root.rglob("*.ipynb"), *project.root.rglob("params.json")]:
        file.touch()
    assert project.to_do() == []


def test_a_changed_plot_retrains_nothing(project):
    plots = project.root / "depthseg_lib/plots/curves.py"
    with changed(plots):
        assert project.to_do() == ["figures 03_results"]


def test_a_changed_loss_retrains_everything(project):
    with changed(project.root / "depthseg_lib/training/engine.py"):
        assert project.to_do() == EVERYTHING


def test_a_changed_parameter_reruns_that_run_and_what_depends_on_it(project):
    project.change({"second": {"word": "other"}})
    assert project.to_do() == ["figures 03_results", "finetune from-second", "pretrain second"]
    project.change()
    assert project.to_do() == []


def test_a_study_goes_on_after_a_failed_run_and_after_being_stopped(project):
    folders = {name: project.root / "runs/tiny/finetune" / name for name in ("from-first", "from-none")}
    project.change({"from-first": {"fail": "the lens is dirty"}, "from-none": {"word": "d"}})
    failed = project()
    assert failed.returncode == 1
    assert "ValueError: the lens is dirty" in failed.stdout and "\x1b" not in failed.stdout
    assert "log: runs/tiny/finetune/from-first/failed.ipynb" in failed.stdout
    assert "finetune from-none  finished" in failed.stdout
    assert "03_results" not in failed.stdout and "the figures wait" in failed.stderr
    assert not (folders["from-first"] / "metrics.json").exists()

    project.change({"from-first": {"seconds": 60.0}, "from-none": {"word": "d"}})
    (folders["from-first"] / "checkpoint.pt").unlink()
    process = subprocess.Popen(project.command(), cwd=project.root, env=project.environment)
    wait_for((folders["from-first"] / "checkpoint.pt").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    wait_for(lambda: not working_in(project.root))

    project.change()
    last = project()
    assert last.returncode == 0, last.stdout + last.stderr
    assert json.loads((folders["from-first"] / "metrics.json").read_text())["resumed"]
    assert not (folders["from-first"] / "failed.ipynb").exists()


def test_only_one_study_works_in_a_folder(project):
    with (project.root / "runs/tiny/.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused = project("--dry")
    assert refused.returncode == 1 and "another `make figures` is at work in runs/tiny" in refused.stderr


def test_an_unknown_profile_stops_before_anything_is_written(project):
    refused = project("--profile", "lapdog")
    assert refused.returncode == 1
    assert refused.stderr == "error: unknown profile 'lapdog': expected tiny\n"
    assert not (project.root / "runs/lapdog").exists()


def test_figures_are_drawn_again_without_training(project):
    picture = project.root / "figures/tiny/fig03_curves.png"
    picture.unlink()
    project.change({"first": {"word": "not trained"}})
    done = project("--redraw")
    project.change()
    assert done.returncode == 0 and picture.read_text() == "c; depth a; depth more b"
    assert "pretrain" not in done.stdout


def test_runs_from_elsewhere_are_adopted_when_their_inputs_are_the_same(project):
    records = project.root / ".snakemake"
    records.rename(project.root / "records")
    project.root.joinpath("depthseg_lib/training/engine.py").touch()
    assert project.to_do() == EVERYTHING
    with changed(project.root / "notebooks/02_finetune.ipynb"):
        partly = project(module="depthseg_lib.commands.adopt")
    assert "finetune from-none  not adopted: changed: notebooks/02_finetune.ipynb" in partly.stdout
    assert "2 of 5 runs adopted" in partly.stdout
    assert "5 of 5 runs adopted" in project(module="depthseg_lib.commands.adopt").stdout
    assert project.to_do() == ["figures 03_results"]


@pytest.mark.timeout(900)
def test_the_smoke_profile_of_the_real_study(tmp_path):
    copy_project(tmp_path, "depthseg_lib", "notebooks", "workflow")

    def figures():
        call = [
            sys.executable,
            "-m",
            "depthseg_lib.commands.figures",
            "--profile",
            "smoke",
            "--cores",
            str(os.cpu_count()),
        ]
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        return subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True)

    done = figures()
    assert done.returncode == 0, done.stdout + done.stderr
    plan = json.loads((tmp_path / "runs/smoke/plan.json").read_text())
    for run in plan["runs"]:
        assert (tmp_path / "runs/smoke" / run["kind"] / run["name"] / "metrics.json").exists()
    for notebook, names in plan["figures"].items():
        assert '"image/png"' in (tmp_path / f"runs/smoke/figures/{notebook}/executed.ipynb").read_text()
        for name in names:
            assert (tmp_path / f"figures/smoke/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "everything is up to date" in figures().stdout


class changed:
    """A file with a line more, for as long as the block lasts."""

    def __init__(self, file: Path):
        self.file, self.before = file, file.read_text() if file.exists() else None

    def __enter__(self):
        text = self.before or ""
        more = f"{text}\n# changed" if self.file.suffix == ".py" else text.replace("iteration 1/2", "1/2")
        self.file.write_text(more)

    def __exit__(self, *_):
        self.file.write_text(self.before) if self.before is not None else self.file.unlink()


def working_in(folder: Path) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line or "tiny_study" in line]


def wait_for(condition, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
