"""The grid of runs: complete, in order, stable on disk, and checked before it starts."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import papermill
import pytest
from helpers import tiny, tiny_camvid

from depthseg_lib.errors import InputError
from depthseg_lib.settings import FinetuneConfig, PretrainConfig
from depthseg_lib.study import plan as study_plan
from depthseg_lib.study.profiles import PROFILES, Part

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CONFIGS = {"pretrain": PretrainConfig, "finetune": FinetuneConfig}


@pytest.mark.parametrize("name", PROFILES)
def test_every_run_is_valid_and_comes_after_what_it_needs(name):
    seen = set()
    real = PROFILES[name].data.data_set not in ("streets", "folder")  # a folder's plan needs its description
    for run in study_plan.plan(name, data="somewhere" if real else "").runs:
        settings = {name: value for name, value in run.parameters.items() if name != "trials"}
        assert CONFIGS[run.kind].from_mapping(settings).to_mapping() == settings
        assert all(("pretrain", need) in seen for need in run.needs) and run.cost > 0
        assert (run.kind, run.name) not in seen
        seen.add((run.kind, run.name))
    depth = "depth" if "depth" in PROFILES[name].initialisations else "depth-supervised"
    assert ("pretrain", f"{PROFILES[name].encoders[0]}-{depth}") in seen


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


@pytest.mark.parametrize("kind", ["pretrain", "finetune"])
def test_the_notebooks_parameters_are_those_of_the_runs(kind):
    known = papermill.inspect_notebook(str(NOTEBOOKS / f"0{1 + (kind == 'finetune')}_{kind}.ipynb"))
    run = next(r for r in study_plan.plan("laptop").runs if r.kind == kind)
    assert set(known) == {*run.parameters, "folder"}
    assert all(parameter["help"] for parameter in known.values())
    by_hand = {name: ast.literal_eval(known[name]["default"]) for name in known.keys() - {"folder", "trials"}}
    CONFIGS[kind].from_mapping(by_hand)  # of this version, and consistent


def test_every_pretraining_task_has_its_own_settings_and_is_planned():
    runs = {run.name: run for run in study_plan.plan("gpu").runs}
    supervised, flow = (PretrainConfig(**runs[f"resnet18-{name}"].parameters) for name in ("depth-supervised", "flow"))
    assert (supervised.task, supervised.batch, supervised.learning_rate) == ("supervised", 8, 1e-4)  # section 4.3
    assert (flow.task, flow.batch, flow.learning_rate) == ("flow", 8, 5e-4)  # Appendix B
    assert supervised.starts_from == flow.starts_from == "none"
    assert runs["resnet18-flow-full-n16"].needs == ("resnet18-flow",)


def test_requests_are_left_alone_when_nothing_changed(tmp_path):
    plan = study_plan.plan("smoke", runs=str(tmp_path))
    study_plan.write_requests(plan, tmp_path)
    files = sorted(tmp_path.rglob("params.json"))
    before = {file: file.stat().st_mtime_ns for file in files}
    assert len(files) == len(plan.runs)
    study_plan.write_requests(plan, tmp_path)
    assert {file: file.stat().st_mtime_ns for file in files} == before
    changed = files[0].read_text().replace('"batch": ', '"batch": 1')
    files[0].write_text(changed)
    study_plan.write_requests(plan, tmp_path)
    assert json.loads(files[0].read_text())["batch"] < 10


def test_unknown_profiles_are_named_with_a_hint():
    with pytest.raises(InputError, match="unknown profile 'laptob'.*did you mean 'laptop'"):
        study_plan.plan("laptob")


def test_data_for_a_profile_that_reads_none_is_refused():
    with pytest.raises(InputError, match="'laptop' runs on the embedded world and reads no DATA"):
        study_plan.plan("laptop", data="somewhere")


def test_missing_data_is_said_before_anything_runs(tmp_path):
    with pytest.raises(InputError, match="needs DATA=folder"):
        study_plan.check("camvid")
    with pytest.raises(InputError, match="no such folder"):
        study_plan.check("camvid", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="lacks highway.*found nothing"):
        study_plan.check("camvid", str(tmp_path))
    study_plan.check("laptop")


def test_too_few_annotated_images_are_said_before_anything_runs(tmp_path):
    for part in ("highway", "kitti_odometry", "kitti_raw", "camvid/train"):
        (tmp_path / part).mkdir(parents=True)
    for i in range(3):
        tiny.picture(tmp_path / "camvid" / "train" / f"{i}.png", 8, 8)
    with pytest.raises(InputError, match="has 3 annotated training images, but the run asks for 16"):
        study_plan.check("camvid", str(tmp_path))


@pytest.fixture
def real_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return tiny_camvid.write(tmp_path / "data")


def break_image(root):
    tiny.truncate(root / "highway" / "clip" / "3.jpg")


def break_size(root):
    tiny.label(root / "camvid" / "testannot" / "1.png", np.zeros((60, 90), np.uint8))


def break_label(root):
    tiny.label(root / "camvid" / "trainannot" / "7.png", np.full((60, 80), 77, np.uint8))


def break_intrinsics(root):
    (root / "highway" / "intrinsics.json").unlink()


def break_length(root):
    for folder in ("highway/clip", "kitti_odometry/sequences/00/image_0", "camvid/val", "camvid/valannot"):
        for file in sorted((root / folder).iterdir())[2:]:
            file.unlink()
    for file in sorted((root / "kitti_raw").rglob("*.png"))[:4]:
        file.unlink()


def cut_drive(root):
    """Nothing is left of KITTI raw, on which depth is evaluated, but two halves without a triplet."""
    for file in sorted((root / "kitti_raw").rglob("*.png"))[:2]:
        file.unlink()


def test_whole_sets_are_accepted(real_sets):
    study_plan.check("camvid", str(real_sets))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_image, "3.jpg"),
        (break_size, "1.png.*60.*90|1.png.*90.*60"),
        (break_label, "7.png.*77"),
        (break_intrinsics, "intrinsics.json"),
        (break_length, "a triplet needs 3 consecutive frames"),
        (cut_drive, "0 of them held out for evaluation: pre-training needs some of both"),
    ],
)
def test_broken_sets_are_found_before_anything_runs(real_sets, damage, message):
    damage(real_sets)
    with pytest.raises(InputError, match=message):
        study_plan.check("camvid", str(real_sets))


def test_other_data_is_another_run(tmp_path):
    for part in ("camvid/train", "highway"):
        (tmp_path / part).mkdir(parents=True)
    file = tmp_path / "camvid/train/a.png"
    digests = []
    camera = tmp_path / "highway/intrinsics.json"
    for content, focal in ((b"1", "500"), (b"2", "500"), (b"three", "500"), (b"three", "600")):
        file.write_bytes(content)
        camera.write_text(f'{{"fx": {focal}}}')
        plan = study_plan.plan("camvid", data=str(tmp_path))
        (digest,) = {run.parameters["data_digest"] for run in plan.runs}
        digests.append(digest)
    assert digests[0] == digests[1]  # names and sizes count,
    assert len(set(digests)) == 3  # and what calibrations say
    (tmp_path / "elsewhere.txt").write_text("not a part of the set")
    assert study_plan.plan("camvid", data=str(tmp_path)).runs[0].parameters["data_digest"] == digests[3]
    assert study_plan.plan("laptop").runs[0].parameters["data_digest"] == ""


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


def test_a_figure_without_runs_is_not_asked_for():
    camvid = study_plan.plan("camvid").figures
    assert "04_training_size" not in camvid and "table1" in camvid["03_results"]
    assert not {"table2", "fig07_high_resolution", "fig11_flow"} & set(camvid["03_results"])
