"""The grid of runs: complete, in order, stable on disk, and checked before it starts."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import papermill
import pytest

from depthseg_lib import fingerprint
from depthseg_lib.data.labels import KITTI, from_mapping
from depthseg_lib.errors import InputError
from depthseg_lib.settings import FinetuneConfig, PretrainConfig
from depthseg_lib.study import plan as study_plan
from depthseg_lib.study.profiles import PROFILES, Part

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CONFIGS = {"pretrain": PretrainConfig, "finetune": FinetuneConfig}


@pytest.mark.parametrize("name", [name for name in PROFILES if name != "folder"])
def test_every_run_is_valid_and_comes_after_what_it_needs(name):
    seen = set()
    real = PROFILES[name].data.data_set != "streets"
    for run in study_plan.plan(name, data="somewhere" if real else "").runs:
        settings = {name: value for name, value in run.parameters.items() if name != "trials"}
        assert CONFIGS[run.kind](**settings).to_mapping() == settings and len(settings["fingerprint"]) == 16
        assert all(("pretrain", need) in seen for need in run.needs) and run.cost > 0
        assert (run.kind, run.name) not in seen
        seen.add((run.kind, run.name))
    depth = "depth" if "depth" in PROFILES[name].initialisations else "depth-supervised"
    assert ("pretrain", f"{PROFILES[name].encoders[0]}-{depth}") in seen


def test_no_two_runs_have_one_fingerprint():
    runs = study_plan.plan("laptop").runs
    assert len({run.parameters["fingerprint"] for run in runs}) == len(runs)


def test_the_laptop_grid_has_table_1_and_figure_4():
    runs = [r for r in study_plan.plan("laptop").runs if r.kind == "finetune"]
    shared = [r.parameters for r in runs if r.parameters["experiment"] == "main"]
    cells = {(p["initialisation"], p["setting"], p["images"]) for p in shared}
    for initialisation in PROFILES["laptop"].initialisations:
        assert (initialisation, "frozen", 16) in cells
        assert {(initialisation, "full", n) for n in (8, 16, 32, 64, 128)} <= cells
    main = [r for r in runs if r.parameters["experiment"] == "main"]
    assert len(main) == len(cells) and {r.parameters["trials"] for r in runs} == {3}


def test_runs_start_from_the_weights_that_they_need():
    runs = {(r.kind, r.name): r for r in study_plan.plan("laptop", runs="elsewhere").runs}
    depth = runs["finetune", "resnet18-slim-depth-full-n16"]
    assert depth.parameters["start_weights"] == "elsewhere/laptop/pretrain/resnet18-slim-depth/weights.safetensors"
    assert runs["pretrain", "resnet18-slim-depth-classification"].needs == ("resnet18-slim-classification",)
    assert runs["finetune", "resnet18-slim-none-full-n16"].parameters["start_weights"] == ""


def test_figures_that_a_profile_has_no_runs_for_are_not_asked_of_it(monkeypatch):
    single = replace(PROFILES["smoke"], sizes=(4,), parts=())
    crossed = Part(("full",), ("depth",), 4, "large-to-small", pretrained_large=True)
    for parts, expected in (((), False), ((crossed,), True)):
        monkeypatch.setitem(PROFILES, "smoke", replace(single, parts=parts))
        drawn = study_plan.plan("smoke").figures
        assert "04_training_size" not in drawn and drawn["06_scale_mismatch"][:1] == ("fig10_scale_mismatch",)
        assert ("cross_resolution" in drawn["06_scale_mismatch"]) == expected


@pytest.mark.parametrize(("kind", "name"), [("pretrain", "depth"), ("finetune", "none-full-n16")])
def test_a_run_by_hand_with_the_defaults_is_the_laptop_studys(kind, name):
    """Notebooks 01 and 02 show what a reader would change, and what they don't show has the study's values."""
    known = papermill.inspect_notebook(str(NOTEBOOKS / f"{fingerprint.NOTEBOOKS[kind]}.ipynb"))
    assert len(known) <= 12 and all(parameter["help"] for parameter in known.values())
    by_hand = CONFIGS[kind].of_notebook({of: ast.literal_eval(it["default"]) for of, it in known.items()})
    (planned,) = [run for run in study_plan.plan("laptop").runs if run.name == f"resnet18-slim-{name}"]
    assert by_hand.to_mapping() | {"fingerprint": "", "trials": 3} == planned.parameters | {
        "fingerprint": "",
        "trials": 3,
    }
    assert fingerprint.of(kind, by_hand) == planned.parameters["fingerprint"]


def test_every_pretraining_task_has_its_own_settings_and_is_planned():
    runs = {run.name: run for run in study_plan.plan("gpu").runs}
    supervised, flow = (PretrainConfig(**runs[f"resnet18-{name}"].parameters) for name in ("depth-supervised", "flow"))
    assert (supervised.task, supervised.batch, supervised.learning_rate) == ("supervised", 8, 1e-4)  # section 4.3
    assert (flow.task, flow.batch, flow.learning_rate) == ("flow", 8, 5e-4)  # Appendix B
    assert supervised.starts_from == flow.starts_from == "none"
    assert runs["resnet18-flow-full-n16"].needs == ("resnet18-flow",)


def test_what_is_written_is_left_alone_when_nothing_changed(tmp_path):
    plan = study_plan.plan("smoke", runs=str(tmp_path))
    study_plan.write(plan, tmp_path)
    files = sorted(tmp_path.rglob("*.json"))
    before = {file: file.stat().st_mtime_ns for file in files}
    assert len(files) == len(plan.runs) + 1
    study_plan.write(plan, tmp_path)
    assert {file: file.stat().st_mtime_ns for file in files} == before
    changed = files[0].read_text().replace('"batch": ', '"batch": 1')
    files[0].write_text(changed)
    study_plan.write(plan, tmp_path)
    assert json.loads(files[0].read_text())["batch"] < 10


def test_the_plan_is_written_whole(tmp_path):
    plan = study_plan.plan("smoke", runs=str(tmp_path))
    study_plan.write(plan, tmp_path)
    written = json.loads((tmp_path / "smoke/plan.json").read_text())
    assert written["profile"] == "smoke" and written["data_set"] == "streets"
    assert from_mapping(written["label_set"]) == KITTI
    assert written["figures"] == {notebook: list(names) for notebook, names in plan.figures.items()}
    for run, of in zip(written["runs"], plan.runs, strict=True):
        assert (run["kind"], run["name"], tuple(run["needs"])) == (of.kind, of.name, of.needs)
        assert run["parameters"] == of.parameters
        assert json.loads((tmp_path / "smoke" / of.kind / of.name / "params.json").read_text()) == of.parameters


def test_unknown_profiles_are_named_with_a_hint():
    with pytest.raises(InputError, match="unknown profile 'laptob'.*did you mean 'laptop'"):
        study_plan.plan("laptob")


def test_data_for_a_profile_that_reads_none_is_refused():
    with pytest.raises(InputError, match="'laptop' runs on the embedded world and reads no DATA"):
        study_plan.plan("laptop", data="somewhere")


def test_the_laptop_has_a_run_for_every_figure_of_the_paper():
    runs = [r.parameters for r in study_plan.plan("laptop").runs if r.kind == "finetune"]
    found = {(r["experiment"], r["setting"], r["initialisation"]) for r in runs}
    assert {("main", "encoder-only", "depth"), ("main", "deeplab", "none"), ("main", "full", "flow")} <= found
    assert {("high", "full", "depth"), ("high", "deeplab", "classification"), ("whole", "full", "none")} <= found
    (whole, *_) = [r for r in runs if r["experiment"] == "whole"]
    assert whole["images"] == whole["annotated"] and (whole["height"], whole["width"]) == (96, 288)
    assert set(study_plan.plan("laptop").figures["03_results"]) == set(study_plan.FIGURES["03_results"])


def test_runs_at_another_resolution_start_from_the_pretraining_at_theirs():
    runs = {r.name: r for r in study_plan.plan("laptop").runs}
    needs = {"high": "depth-large", "large-to-small": "depth-large", "small-to-large": "depth"}
    for experiment, pretrained in needs.items():
        run = runs[f"resnet18-slim-depth-full-n16-{experiment}"]
        assert run.needs == (f"resnet18-slim-{pretrained}",)
        assert f"/resnet18-slim-{pretrained}/weights" in run.parameters["start_weights"]
    size = {name: (run.parameters["height"], run.parameters["width"]) for name, run in runs.items()}
    assert size["resnet18-slim-depth-large"] == size["resnet18-slim-depth-full-n16-small-to-large"] == (96, 288)
    assert size["resnet18-slim-depth"] == size["resnet18-slim-depth-full-n16-large-to-small"] == (64, 192)
    assert "resnet18-slim-classification-large" not in runs  # photographs have one size
    assert "resnet18-slim-depth-classification-large" not in runs  # the laptop's hour is full


def test_the_gpu_learns_depth_as_long_at_the_large_size_and_on_classification_too():
    runs = {run.name: run for run in study_plan.plan("gpu").runs}
    for name in ("depth", "depth-classification"):
        large, usual = (runs[f"resnet18-{name}{size}"].parameters for size in ("-large", ""))
        assert (large["height"], large["width"]) == (320, 1024)
        assert all(large[of] == usual[of] for of in ("iterations", "batch", "streets", "frames", "learning_rate"))
    assert runs["resnet50-depth-classification-large"].needs == ("resnet50-classification",)
    for name in ("full-n16-high", "deeplab-n16-high", "full-n200-whole"):
        assert runs[f"resnet50-depth-classification-{name}"].needs == ("resnet50-depth-classification-large",)
