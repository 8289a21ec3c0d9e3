import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.tiny_project import TinyProject, copy_project

from depthseg_lib.study.workflow import drawn

PRETRAININGS = [f"pretrain {name}/t0" for name in ("classification", "depth", "depth-classification")]
FINETUNINGS = [f"finetune {name}-full-n4/t0" for name in ("depth", "depth-classification", "none")]
DRAWN = "figures 03_results"
SHOWN = "depth depth; none; classification depth-classification depth-classification"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> TinyProject:
    """A tiny project whose study was run once, in a folder of any name; a test that changes it changes it back."""
    project = TinyProject(tmp_path_factory.mktemp("project") / "it's {1} #ü")
    project.first = project()
    assert project.first.returncode == 0, project.first.stdout + project.first.stderr
    return project


def picture(project) -> str:
    return (project.root / "figures/tiny/fig03_curves.png").read_text()


def test_the_whole_study_is_made_and_shown(project):
    shown = project.first.stdout
    counts = "3 of 3 pre-trainings, 3 of 3 trials of fine-tuning, 1 of 1 notebooks that draw"
    assert f"to do: {counts}; about" in shown
    assert "pretrain resnet18-slim-depth/t0  iteration 1/2" in shown
    assert "/10] finetune resnet18-slim-none-full-n4/t0  finished in" in shown and "diverged at iteration 7" in shown
    assert "left" in shown and "1 runs diverged, which is a result: resnet18-slim-none-full-n4/t0" in shown
    assert sorted(picture(project).split("; ")) == sorted(SHOWN.split("; "))


def test_the_executed_notebooks_are_the_logs_of_the_runs(project):
    folder = project.root / "runs/tiny/finetune/resnet18-slim-depth-full-n4/t0"
    left = {"executed.ipynb", "metrics.json", "params.json", "progress.jsonl", "weights.safetensors"}
    assert {path.name for path in folder.iterdir()} == left
    assert "iteration 1/2" in (folder / "executed.ipynb").read_text()


def test_nothing_is_done_again_when_nothing_changed(project):
    assert project().stdout == "everything is up to date: figures/tiny\n"


def test_dates_of_files_count_for_nothing(project):
    files = [file for ending in ("py", "ipynb", "json", "safetensors") for file in project.root.rglob(f"*.{ending}")]
    for number, file in enumerate(sorted(files, reverse=True)):
        os.utime(file, (1e9 + number, 1e9 + number))
    assert project.to_do() == []


def test_saving_a_notebook_in_jupyterlab_makes_nothing_anew(project):
    """What it writes when a notebook was run: outputs, counts, metadata of cells and widgets; here in all three."""
    for file in sorted(project.root.glob("notebooks/*.ipynb")):
        notebook = json.loads(file.read_text())
        for number, cell in enumerate(notebook["cells"]):
            cell |= {"execution_count": number + 1, "id": f"cell-{number}"}
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["iteration 1/2\n"]}]
            cell["metadata"] |= {"execution": {"iopub.execute_input": "2026-11-26"}, "collapsed": True}
            cell["source"] = cell["source"] if isinstance(cell["source"], list) else cell["source"].splitlines(True)
        notebook["metadata"] |= {"widgets": {"application/vnd.jupyter.widget-state+json": {}}, "toc": {}}
        file.write_text(json.dumps(notebook, indent=1))
    assert project.to_do() == []


def test_a_changed_code_cell_remakes_its_own_runs(project):
    with changed(project.root / "notebooks/02_finetune.ipynb", "iteration 1/2", "iteration 2/2"):
        assert project.to_do() == sorted([DRAWN, *FINETUNINGS])
    with changed(project.root / "notebooks/01_pretrain.ipynb", "iteration 1/2", "iteration 2/2"):
        assert project.to_do() == sorted([DRAWN, *FINETUNINGS[:2], *PRETRAININGS])
    with changed(project.root / "notebooks/03_results.ipynb", "folder.mkdir", "folder .mkdir"):
        assert project.to_do() == [DRAWN]
    assert project.to_do() == []


@pytest.mark.parametrize("file", ["plots/learning_curves.py", "panels/panel.py", "analysis/statistics.py"])
def test_a_changed_plot_retrains_nothing(project, file):
    with changed(project.root / "depthseg_lib" / file):
        assert project.to_do() == [DRAWN]


@pytest.mark.parametrize("file", ["commands/progress.py", "study/workflow.py"])
def test_a_changed_command_makes_nothing_anew(project, file):
    with changed(project.root / "depthseg_lib" / file):
        assert project.to_do() == []


@pytest.mark.parametrize(
    "file", ["losses/losses.py", "training/engine.py", "models/decoder.py", "plots/learning_curves.py"]
)
def test_a_changed_comment_or_docstring_makes_nothing_anew(project, file):
    with changed(project.root / "depthseg_lib" / file, "", "\n\n# why\n"):
        assert project.to_do() == []
    with changed(project.root / "depthseg_lib" / file, '"""', '"""Told otherwise: ', count=1):
        assert project.to_do() == []


def test_a_changed_loss_retrains_what_used_it(project):
    with changed(project.root / "depthseg_lib/losses/losses.py"):
        used = [name for name in PRETRAININGS if name != "pretrain classification/t0"]
        assert project.to_do() == sorted([DRAWN, *FINETUNINGS, *used])
    with changed(project.root / "depthseg_lib/training/classification.py"):
        both = ["pretrain classification/t0", "pretrain depth-classification/t0"]
        assert project.to_do() == [DRAWN, "finetune depth-classification-full-n4/t0", *both]


def test_a_changed_reader_retrains_no_other_set(project):
    with changed(project.root / "depthseg_lib/data/sets/kitti.py"):
        assert [name for name in project.to_do() if name != DRAWN] == []


def test_a_changed_setting_reruns_that_run_and_what_depends_on_it(project):
    project.change(classification={"iterations": 7})
    both = ["pretrain classification/t0", "pretrain depth-classification/t0"]
    assert project.to_do() == [DRAWN, "finetune depth-classification-full-n4/t0", *both]
    project.change()
    assert project.to_do() == []


def test_more_trials_are_added_to_what_is_there(project):
    project.change(trials=2)
    assert project.to_do() == sorted([DRAWN, *(of.replace("t0", "t1") for of in (*PRETRAININGS, *FINETUNINGS))])
    project.change()
    assert project.to_do() == []


def test_a_result_that_was_copied_in_part_is_made_anew(project):
    """A trial without its metrics."""
    folder = project.root / "runs/tiny/finetune/resnet18-slim-depth-full-n4/t0"
    (folder / "metrics.json").rename(folder / "elsewhere")
    assert project.to_do() == [DRAWN, "finetune depth-full-n4/t0"]
    (folder / "elsewhere").rename(folder / "metrics.json")
    assert project.to_do() == []


def test_only_one_study_works_in_a_folder(project):
    with FileLock(project.root / "runs/tiny/.lock"):
        refused = project("--dry")
    assert refused.returncode == 1 and "another `make figures` is at work in runs/tiny" in refused.stderr


def test_an_unknown_profile_stops_before_anything_is_written(project):
    refused = project("--profile", "lapdog")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: unknown profile 'lapdog': expected one of smoke, laptop")
    assert not (project.root / "runs/lapdog").exists()


def test_figures_are_drawn_again_without_training(project):
    before = picture(project)
    (project.root / "figures/tiny/fig03_curves.png").unlink()
    project.change(classification={"iterations": 8})
    done = project("--redraw")
    project.change()
    assert done.returncode == 0 and picture(project) == before and "pretrain" not in done.stdout
    nothing = project("--redraw", "--profile", "gpu")
    assert nothing.returncode == 1 and "there is nothing to draw of profile 'gpu'" in nothing.stderr


def test_a_notebook_that_leaves_no_figure_has_failed(project):
    lost = project.root / "figures/tiny/fig03_curves.svg"
    kept = lost.read_bytes()
    lost.unlink()
    with changed(project.root / "notebooks/03_results.ipynb", '\\"svg\\", ', ""):
        failed = project()
    assert failed.returncode == 1 and "03_results has ended, but has not left" in failed.stderr
    assert "fig03_curves.svg" in failed.stderr and "fig03_curves.png" not in failed.stderr
    lost.write_bytes(kept)
    assert project.to_do() == [DRAWN]
    assert project().returncode == 0 and project.to_do() == []


@pytest.mark.timeout(400)
def test_runs_from_elsewhere_are_taken_over_without_a_command(project, tmp_path):
    """Copied to another folder, without Snakemake's records, with and without weights."""
    (project.root / "runs/tiny/.snakemake").rename(tmp_path / "records")
    shutil.copytree(project.root / "runs", tmp_path / "runs", copy_function=shutil.copyfile)
    assert project.to_do(tmp_path / "runs") == []
    for file in tmp_path.rglob("weights.safetensors"):
        file.unlink()
    assert project.to_do(tmp_path / "runs") == []
    (tmp_path / "runs/tiny/finetune/resnet18-slim-depth-classification-full-n4/t0/metrics.json").unlink()
    both = ["pretrain classification/t0", "pretrain depth-classification/t0"]
    assert project.to_do(tmp_path / "runs") == [DRAWN, "finetune depth-classification-full-n4/t0", *both]
    before = files_of(project.root)
    again = project("--runs", str(tmp_path / "runs"), "--figures", str(tmp_path / "2026_11_26"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert (tmp_path / "2026_11_26/tiny/fig03_curves.png").exists()
    assert files_of(project.root) == before  # so that the clone may be read-only
    assert "finetune resnet18-slim-none-full-n4" not in again.stdout and project.to_do() == []


@pytest.mark.timeout(400)
def test_a_study_goes_on_after_a_failed_run_and_after_being_stopped(project):
    names = {name: f"resnet18-slim-{name}-full-n4" for name in ("depth", "none")}
    folders = {name: project.root / "runs/tiny/finetune" / of / "t0" for name, of in names.items()}
    asked = project.root / "asked.json"
    project.change(finetune={"iterations": 9}, depth={"iterations": 9})
    asked.write_text(json.dumps({"broken": [names["depth"]]}))
    failed = project()
    assert failed.returncode == 1
    assert "ValueError: the lens is dirty" in failed.stdout and "\x1b" not in failed.stdout
    assert f"log: {folders['depth']}/failed.ipynb" in failed.stdout
    assert f"finetune {names['none']}/t0  finished" in failed.stdout
    of_both = ("pretrain resnet18-slim-depth/t0 ", f"finetune {names['depth']}/t0 ")
    waited = [failed.stdout.index(f"{of} started") for of in of_both]
    assert waited[0] < failed.stdout.index("pretrain resnet18-slim-depth/t0  finished") < waited[1]
    assert "03_results" not in failed.stdout and "the figures wait" in failed.stderr
    assert not (folders["depth"] / "metrics.json").exists()

    asked.write_text(json.dumps({"slow": [names["depth"]]}))
    (folders["depth"] / "checkpoint.pt").unlink()
    process = subprocess.Popen(project.command(), cwd=project.root, env=project.environment)
    wait_for((folders["depth"] / "checkpoint.pt").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    wait_for(lambda: not working_in(project.root))

    asked.unlink()
    last = project()
    assert last.returncode == 0, last.stdout + last.stderr
    assert f"finetune {names['none']}" not in last.stdout
    assert json.loads((folders["depth"] / "metrics.json").read_text())["resumed"]
    assert not (folders["depth"] / "failed.ipynb").exists()


@pytest.mark.timeout(600)
def test_trials_are_shared_out_over_the_gpus_that_are_named(project):
    """Devices that are not there: the tiny notebooks only say which one they were given. The second trial begins when
    nothing of the first is left."""
    project.change(finetune={"iterations": 11})
    done = project("--gpus", "3,5", "--jobs-per-gpu", "1", "--cores", "4", "--trials", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    left = [json.loads(file.read_text()) for file in project.root.glob("runs/tiny/finetune/*/t0/metrics.json")]
    assert len(left) == 3 and {run["gpu"] for run in left} == {"3", "5"}
    events = [line.split()[1:3] for line in done.stdout.splitlines() if line.endswith("  started")]
    started = [f"{kind[:4]} {name[-2:]}" for kind, name in events if kind in ("pretrain", "finetune")]
    assert [name for name in started if name.startswith("fine")] == ["fine t0"] * 3 + ["fine t1"] * 3
    assert started.count("pret t1") == 3
    refused = project("--trials", "1")
    assert refused.returncode == 1 and "TRIALS=1, but 2 trials are planned in runs/tiny" in refused.stderr
    assert project().stdout.startswith("everything is up to date")  # as many as were planned


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
        assert (tmp_path / "runs/smoke" / run["kind"] / run["name"] / "t0/metrics.json").exists()
    for notebook, names in plan["figures"].items():
        executed = (tmp_path / f"runs/smoke/figures/{notebook}/executed.ipynb").read_text()
        panel = notebook[:2] in ("04", "05", "06", "07")
        assert executed.count('"image/png"') >= len(names) + panel and "committed results" not in executed
        for name in names:
            assert (tmp_path / f"figures/smoke/{name}.png").read_bytes().startswith(b"\x89PNG")
            assert json.loads((tmp_path / f"figures/smoke/{name}.json").read_text())["profile"] == "smoke"
    names = [name for names in plan["figures"].values() for name in names]
    left = {str(file) for file in (tmp_path / "figures/smoke").glob("*.*") if file.stem in names}
    assert left == set(drawn(tmp_path / "figures/smoke", names))
    assert "everything is up to date" in figures().stdout
    for log in (tmp_path / "runs/smoke").rglob("executed.ipynb"):  # with outputs, counts, injected parameters
        kind = log.relative_to(tmp_path / "runs/smoke").parts[0]
        stem = {"pretrain": "01_pretrain", "finetune": "02_finetune"}.get(kind, log.parent.name)
        shutil.copy(log, tmp_path / f"notebooks/{stem}.ipynb")
    assert "everything is up to date" in figures().stdout


class changed:
    """A file with a statement more, or with other text, for as long as the block lasts."""

    def __init__(self, file: Path, old: str = "", new: str = "\nCHANGED_HERE = 1\n", count: int = -1):
        self.file, self.before = file, file.read_text()
        self.after = self.before.replace(old, new, count) if old else self.before + new
        assert self.after != self.before

    def __enter__(self):
        self.file.write_text(self.after)

    def __exit__(self, *_):
        self.file.write_text(self.before)


def files_of(root: Path) -> dict[Path, int]:
    """The files of a clone and when they were written, without what Python and the cache keep there."""
    files = (path for path in root.rglob("*") if path.is_file() and not {"__pycache__", "cache"} & set(path.parts))
    return {path: path.stat().st_mtime_ns for path in files}


def working_in(folder: Path) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line or "--profile tiny" in line]


def wait_for(condition, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
