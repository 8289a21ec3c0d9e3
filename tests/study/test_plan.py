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
from depthseg_lib.models.published import Published
from depthseg_lib.settings import PROTOCOLS, FinetuneConfig, PretrainConfig
from depthseg_lib.study import plan as study_plan
from depthseg_lib.study.profile import Part
from depthseg_lib.study.profiles import PROFILES, get_profile

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CONFIGS = {"pretrain": PretrainConfig, "finetune": FinetuneConfig}
SIZE = dict(encoder="resnet18", height=192, width=640, iterations=20_000, batch=16)
LEARNED, FINETUNED = PretrainConfig(initialisation="depth", **SIZE), FinetuneConfig(**SIZE)
IMAGENET = Published({"imagenet": "weights"})


@pytest.fixture
def published(monkeypatch):
    """Published weights are not on this machine; their fingerprint is asked for all the same."""
    monkeypatch.setattr(study_plan, "_published", lambda encoder, initialisation, place: f"{encoder} {initialisation}")


@pytest.mark.parametrize("name", [name for name in PROFILES if name != "folder"])
def test_every_run_is_valid_and_comes_after_what_it_needs(name):
    seen, fingerprints = set(), set()
    real = PROFILES[name].data.data_set != "streets"
    for run in study_plan.plan(name, data="somewhere" if real else "").runs:
        for settings in run.settings().values():
            assert CONFIGS[run.kind](**settings).to_mapping() == settings and len(settings["fingerprint"]) == 16
        assert all(("pretrain", need) in seen for need in run.needs) and run.cost > 0
        assert (run.kind, run.name) not in seen
        seen.add((run.kind, run.name))
        fingerprints.add(run.trials[0]["fingerprint"])
    assert len(fingerprints) == len(seen)
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
    assert len(main) == len(cells) and {len(r.trials) for r in runs} == {4}


def test_runs_start_from_the_weights_that_they_need():
    runs = {(r.kind, r.name): r for r in study_plan.plan("laptop", runs="elsewhere").runs}
    depth = runs["finetune", "resnet18-slim-depth-full-n16"]
    own = depth.trials[2]["start_weights"]
    assert own == "elsewhere/laptop/pretrain/resnet18-slim-depth/t2/weights.safetensors"
    assert runs["pretrain", "resnet18-slim-depth-classification"].needs == ("resnet18-slim-classification",)
    assert {own["start_weights"] for own in runs["finetune", "resnet18-slim-none-full-n16"].trials} == {""}


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
    first = planned.parameters | planned.trials[0]
    assert by_hand.to_mapping() == first | {"fingerprint": ""}
    assert fingerprint.of(kind, by_hand) == first["fingerprint"]


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
    assert len(files) == sum(len(run.trials) for run in plan.runs) + 1
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
        assert run["parameters"] == of.parameters and tuple(run["trials"]) == of.trials
        for name, settings in of.settings().items():
            assert json.loads((tmp_path / "smoke" / of.kind / name / "params.json").read_text()) == settings


def test_unknown_profiles_and_data_for_a_profile_that_reads_none_are_refused():
    with pytest.raises(InputError, match="unknown profile 'laptob': expected one of smoke, .*did you mean 'laptop'"):
        study_plan.plan("laptob")
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
        assert f"/resnet18-slim-{pretrained}/t1/weights" in run.trials[1]["start_weights"]
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


def test_the_measured_runs_come_out_as_they_were_measured():
    assert study_plan.gpu_seconds(FINETUNED) == pytest.approx(2.5 * 3600)
    assert study_plan.gpu_seconds(LEARNED) == pytest.approx(20_000 * 16 / 18.4)
    (four,) = [run for run in study_plan.plan("kitti", "somewhere").runs if run.name == "resnet18-none-full-n16"]
    assert four.cost == pytest.approx(2.5 * 3600, rel=1e-3) and len(four.trials) == 4


def test_time_grows_with_pixels_and_encoder_and_a_frozen_encoder_is_cheaper():
    one = study_plan.gpu_seconds(FINETUNED)
    assert study_plan.gpu_seconds(FINETUNED.changed(height=384)) == pytest.approx(2 * one)
    assert study_plan.gpu_seconds(FINETUNED.changed(encoder="resnet50")) == pytest.approx(30 / 19 * one)
    assert study_plan.gpu_seconds(FINETUNED.changed(setting="frozen")) < one
    wide, narrow = (LEARNED.changed(initialisation="classification", width=width) for width in (640, 64))
    assert study_plan.gpu_seconds(wide) == study_plan.gpu_seconds(narrow)


def test_kitti_has_the_papers_settings(published):
    runs = {run.name: run.parameters for run in study_plan.plan("kitti", published=IMAGENET).runs}
    assert {run["encoder"] for run in runs.values()} == {"resnet18", "resnet50"}
    tuned = runs["resnet50-depth-imagenet-full-n16"]
    expected = dict(iterations=20000, batch=16, learning_rate=1e-5, evaluate_every=1000)
    assert (expected | dict(height=192, width=640)).items() <= tuned.items()
    depth, started = runs["resnet18-depth"], runs["resnet18-depth-imagenet"]
    assert (depth["batch"], depth["learning_rate"], depth["evaluated"]) == (12, 1e-4, 697)
    assert 12 * depth["iterations"] == pytest.approx(30 * 39810, rel=1e-3)
    assert 12 * started["iterations"] == pytest.approx(20 * 39810, rel=1e-3)
    assert 8 * runs["resnet18-flow"]["iterations"] == pytest.approx(50 * 39810, rel=1e-3)
    whole = runs["resnet18-imagenet-full-n200-whole"]
    assert (whole["iterations"], whole["height"], whole["width"]) == (50000, 320, 1024)
    assert {f"resnet18-{n}-deeplab-n16" for n in ("none", "imagenet", "depth", "depth-imagenet")} <= set(runs)
    assert not [name for name in runs if "classification" in name or "supervised" in name]


def test_without_weights_no_profile_has_imagenet_and_with_them_all_parts_have(published):
    for name in ("kitti", "cityscapes", "gpu"):
        without, given = (
            [run.name for run in study_plan.plan(name, published=p).runs] for p in (Published(), IMAGENET)
        )
        assert not [run for run in without if "imagenet" in run]
        assert [run for run in given if "imagenet" not in run] == without
        parts = get_profile(name, published=IMAGENET).parts
        assert all("imagenet" in part.initialisations for part in parts if "none" in part.initialisations)
    at_large = {(part.experiment, part.settings) for part in parts if "depth-imagenet" in part.initialisations}
    assert {("high", ("full",)), ("high", ("deeplab",)), ("whole", ("full",)), ("main", ("deeplab",))} <= at_large
    assert get_profile("laptop", published=IMAGENET).parts == get_profile("laptop").parts  # no such slim encoder


def test_monodepth2s_own_weights_join_where_depth_from_imagenet_is_compared(published):
    given = Published({"depth": "models", "depth-imagenet": "models"})
    names = {run.name for run in study_plan.plan("kitti", published=given).runs}
    assert {"resnet18-depth-imagenet-encoder-only-n16", "resnet50-depth-imagenet-deeplab-n16"} <= names
    assert not {"resnet18-depth", "resnet18-depth-imagenet", "resnet18-imagenet-full-n16"} & names
    assert "resnet18-depth-large" in names  # theirs are of 192x640
    assert not {name for name in names if "depth-imagenet" in name and ("large" in name or "high" in name)}


def test_depth_from_imagenet_is_learned_at_the_large_size_too(published):
    runs = {(run.kind, run.name): run for run in study_plan.plan("kitti", published=IMAGENET).runs}
    learned = runs["pretrain", "resnet50-depth-imagenet-large"].parameters
    assert (learned["height"], learned["width"]) == (320, 1024)
    assert learned["iterations"] == runs["pretrain", "resnet50-depth-imagenet"].parameters["iterations"]
    for name in ("full-n16-high", "deeplab-n16-high", "full-n200-whole"):
        assert runs["finetune", f"resnet50-depth-imagenet-{name}"].needs == ("resnet50-depth-imagenet-large",)
    given = Published({"imagenet": "weights", "depth": "models", "depth-imagenet": "models"})
    runs = {run.name: run for run in study_plan.plan("kitti", published=given).runs}
    assert runs["resnet18-depth-imagenet-full-n16-high"].needs == ("resnet18-depth-imagenet-large",)
    assert "resnet18-depth-imagenet" not in runs


def test_cityscapes_follows_the_released_code(published):
    planned = study_plan.plan("cityscapes", published=IMAGENET)
    tuned = [run.parameters for run in planned.runs if run.kind == "finetune"]
    wanted = dict(setting="deeplab", protocol="cityscapes", images=2975, height=1024, width=2048, batch=32)
    wanted |= dict(iterations=50000, learning_rate=0.01)
    assert len(tuned) == 8 and all(run[name] == value for run in tuned for name, value in wanted.items())
    protocol = PROTOCOLS["cityscapes"]
    assert (protocol.optimiser, protocol.schedule, protocol.crop, protocol.output_stride) == ("sgd", "poly", 512, 16)
    depth = [run.parameters for run in planned.runs if run.kind == "pretrain"]
    assert {(run["height"], run["width"]) for run in depth} == {(512, 512)}


def test_crops_larger_than_the_images_are_refused():
    with pytest.raises(InputError, match="images of 256x1024 are smaller than the crops of 512x512 of the protocol"):
        FinetuneConfig(protocol="cityscapes", height=256, width=1024)


def test_cityscapes_has_kittis_protocol_too_with_all_training_images_besides(published):
    planned = study_plan.plan("cityscapes-as-kitti", published=IMAGENET)
    runs = {run.name: run.parameters for run in planned.runs}
    for name in ("none", "depth", "imagenet", "depth-imagenet"):
        assert {f"resnet50-{name}-full-n{n}" for n in (8, 16, 32, 64, 128, 2975)} <= set(runs)
        run = runs[f"resnet18-{name}-frozen-n16"]
        assert (run["height"], run["width"], run["batch"], run["learning_rate"]) == (512, 512, 16, 1e-5)
    assert runs["resnet18-depth"]["batch"] == 12 and "resnet50-none-deeplab-n16" in runs
    assert {f"resnet50-{name}-deeplab-n16" for name in ("depth", "imagenet", "depth-imagenet")} <= set(runs)
    assert {f"resnet18-{name}-encoder-only-n16" for name in ("depth", "depth-imagenet")} <= set(runs)
    drawn = {name for names in study_plan.plan("cityscapes-as-kitti").figures.values() for name in names}
    assert {"fig04_training_size", "fig05_frozen", "fig10_scale_mismatch", "table1", "table2", "claims"} <= drawn


def test_nyu_is_that_of_section_4_3(published):
    runs = {run.name: run.parameters for run in study_plan.plan("nyu", published=IMAGENET).runs}
    starts = ("none", "imagenet", "depth-supervised")
    tuned = {f"{encoder}-{start}-full-n795" for encoder in ("resnet18", "resnet50") for start in starts}
    assert set(runs) == tuned | {"resnet18-depth-supervised", "resnet50-depth-supervised"}
    for name in tuned:
        run = runs[name]
        assert (run["height"], run["width"], run["iterations"]) == (384, 448, 20000)
        assert (run["learning_rate"], run["batch"]) == (1e-5, 32 if "resnet18" in name else 16)
    camera = runs["resnet18-depth-supervised"]
    assert (camera["iterations"], camera["batch"], camera["learning_rate"]) == (10 * 407024 // 8, 8, 1e-4)
    assert {r.name for r in study_plan.plan("nyu").runs} == {name for name in runs if "imagenet" not in name}


def test_nyus_figures_are_those_that_it_has_runs_for():
    drawn = {name for names in study_plan.plan("nyu").figures.values() for name in names}
    assert {"fig12_supervised_depth", "fig03_curves", "table1", "claims", "depth", "resize_factor"} <= drawn
    assert not drawn & {"fig05_frozen", "table2", "fig04_training_size", "fig10_scale_mismatch", "cross_resolution"}
