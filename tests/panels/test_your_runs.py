"""The reader's own runs: which are found, what differs from the study, and the command that makes one part of it."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from helpers import planted
from matplotlib.collections import PolyCollection

from depthseg_lib import fingerprint
from depthseg_lib.panels import your_runs
from depthseg_lib.study import plan

ROOT = Path(__file__).parents[2]
NAME = "resnet18-slim-depth-full-n16"


@pytest.fixture(scope="module")
def study():
    return {(run.kind, run.name): run.parameters | run.trials[0] for run in plan.plan("laptop").runs}


@pytest.fixture
def root(tmp_path):
    """A project with the notebooks, by which runs are told apart."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    return tmp_path


def by_hand(root, kind, name, parameters, trials=1, **changes):
    """Plant a finished run by hand; one with `changes` has another fingerprint."""
    settings = parameters | changes | ({"fingerprint": "of others"} if changes else {})
    folder, (images, truth) = root / "runs/by-hand" / kind / name, planted._scenes(2)
    folder.mkdir(parents=True)
    if kind == "pretrain":
        planted.plant_pretrain(folder, settings, images)
    for trial in range(trials if kind == "finetune" else 0):
        planted.plant_finetune(folder / f"t{trial}", settings | {"trial": trial}, images, truth, 4)
    return folder


def test_runs_stand_beside_the_planned_run_that_is_most_like_them(root, study):
    parameters = study["finetune", NAME]
    by_hand(root, "finetune", "a", parameters, trials=2)
    by_hand(root, "finetune", "b", parameters, iterations=40, batch=2)
    by_hand(root, "finetune", "c", parameters, images=20)
    (root / "runs/by-hand/finetune/unfinished/t0").mkdir(parents=True)
    found = your_runs.find("finetune", root)
    assert [run.folder.name for run in found] == ["a", "b", "c"]
    assert [run.peer and run.peer.name for run in found] == [NAME, NAME, None]
    assert found[0].peer.differs == {} and found[1].peer.differs == {"iterations": (40, 280), "batch": (2, 4)}
    table = your_runs.table("finetune", found)
    assert list(table["differs from the study"]) == ["nothing", "iterations 40 (280), batch 2 (4)", "all"]
    assert list(table["trials"]) == [2, 1, 1] and list(table.index) == [1, 2, 3]
    accuracy = pd.concat([history.tail(1) for history in found[0].histories])["accuracy"].mean()
    assert table["pixel accuracy (%)"][1] == pytest.approx(100 * accuracy, abs=1e-3)


@pytest.mark.parametrize(
    "kind, name, trials", [("pretrain", "resnet18-slim-flow", 1), ("finetune", "resnet18-slim-none-frozen-n16", 3)]
)
def test_the_command_makes_a_run_of_the_studys_settings_part_of_it(root, study, kind, name, trials):
    parameters = study[kind, name]
    by_hand(root, kind, "mine", parameters, trials)
    (run,) = your_runs.find(kind, root)
    said = your_runs.joining(kind, run, root)
    assert "the study laptop takes it from" in said
    subprocess.run(said.splitlines()[1], shell=True, cwd=root, check=True)
    to = root / "runs/laptop" / kind / name
    assert sorted(part.name for part in to.iterdir()) == [f"t{trial}" for trial in range(trials)]
    assert all(fingerprint.is_current(part, parameters["fingerprint"]) for part in to.iterdir())
    assert f"has it, in runs/laptop/{kind}/{name}" in your_runs.joining(kind, run, root)


def test_a_run_that_no_plan_has_says_what_differs(root, study):
    parameters = study["pretrain", "resnet18-slim-depth"]
    by_hand(root, "pretrain", "a", parameters, iterations=40)
    by_hand(root, "pretrain", "b", parameters | {"fingerprint": "of older code"})
    by_hand(root, "pretrain", "c", parameters, encoder="resnet50")
    said = [your_runs.joining("pretrain", run, root) for run in your_runs.find("pretrain", root)]
    assert said[0].endswith("no run with these settings; what differs: iterations.")
    assert "made by other code" in said[1] and "no study has a run of resnet50, depth" in said[2]
    assert not any("cp -r" in line for line in said)


def test_curves_lie_over_the_studys_mean_and_range(root, study):
    results = planted.everything()
    by_hand(root, "finetune", "a", study["finetune", NAME], trials=2)
    by_hand(root, "finetune", "b", study["finetune", NAME], images=20)
    figure = your_runs.curves("finetune", your_runs.find("finetune", root), {"laptop": results})
    first = figure.axes[1]  # pixel accuracy of the first group
    last = results.select(images=16, setting="full", initialisation="depth").metrics["accuracy"] * 100
    band = next(part for part in first.collections if isinstance(part, PolyCollection)).get_paths()[0].vertices
    assert band[:, 1].max() >= last.max() - 2 and len(first.lines) == 3
    study_line = next(line for line in first.lines if line.get_label() == "the study")
    history = results.history[results.history["name"].str.startswith(f"{NAME}-t")]
    assert study_line.get_ydata() == pytest.approx(100 * history.groupby("iteration")["accuracy"].mean())
    assert len(figure.axes) == 4 and not figure.axes[3].collections  # the study has none with 20 images


def test_a_pre_training_lies_over_the_studys_own(root, study):
    by_hand(root, "pretrain", "a", study["pretrain", "resnet18-slim-depth"], iterations=40)
    found = your_runs.find("pretrain", root)
    figure = your_runs.curves("pretrain", found, {"laptop": planted.everything()})
    assert [line.get_label() for line in figure.axes[1].lines] == ["the study", "run 1"]
    assert figure.axes[1].get_ylabel() == "abs-rel"
    assert list(your_runs.table("pretrain", found).columns) == [
        *("run", "differs from the study", "abs-rel", "RMSE (m)", "a1")
    ]


def test_headless_it_does_nothing_and_without_runs_it_says_so(root, monkeypatch, capsys):
    monkeypatch.setattr(your_runs, "project_path", lambda path: root / path)
    monkeypatch.setenv("DEPTHSEG_HEADLESS", "1")
    monkeypatch.setattr(your_runs, "find", lambda *_: pytest.fail("it looked"))
    assert your_runs.show("pretrain") is None and capsys.readouterr().out == ""
    monkeypatch.undo()
    monkeypatch.delenv("DEPTHSEG_HEADLESS", raising=False)
    monkeypatch.setattr(your_runs, "project_path", lambda path: root / path)
    your_runs.show("pretrain")
    assert "No finished run yet under runs/by-hand/pretrain" in capsys.readouterr().out
