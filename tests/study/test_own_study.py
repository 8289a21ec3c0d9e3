"""The study on a user's own data: what their description decides, and that results are read without the data."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import own_data, tiny
from helpers.tiny import snapshot

from depthseg_lib.analysis import results
from depthseg_lib.commands import describe
from depthseg_lib.data.sets import description
from depthseg_lib.errors import InputError
from depthseg_lib.settings import FinetuneConfig, PretrainConfig
from depthseg_lib.study import plan as study_plan
from depthseg_lib.study.profiles import PROFILES, fitted
from depthseg_lib.training import finetune, pretrain


@pytest.mark.parametrize(
    ("usable", "sizes", "images"), [(200, (8, 16, 32, 64, 128), 16), (20, (8, 16), 16), (12, (8,), 8), (3, (3,), 3)]
)
def test_no_training_set_is_larger_than_the_data_allow(usable, sizes, images):
    profile = fitted(PROFILES["folder"], (64, 160), "resnet18-slim", frame_step=2, usable=usable)
    assert (profile.sizes, profile.images) == (sizes, images)
    assert (profile.data.height, profile.data.width, profile.depth["frame_step"]) == (64, 160, 2)
    assert profile.finetune == PROFILES["folder"].finetune and profile.encoders == ("resnet18-slim",)


def test_a_larger_encoder_takes_the_settings_of_the_gpu_profile():
    profile = fitted(PROFILES["folder"], (96, 160), "resnet18", frame_step=1, usable=200)
    assert profile.encoders == ("resnet18",) and profile.finetune == PROFILES["gpu"].finetune
    assert profile.depth["iterations"] == PROFILES["gpu"].depth["iterations"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return own_data.write(tmp_path / "data")


def test_the_plan_follows_the_description(root):
    own_data.describe(root, image_size=[64, 128], frame_step=2)
    runs = study_plan.plan("folder", str(root)).runs
    assert {(r.parameters["height"], r.parameters["width"]) for r in runs} == {(64, 128)}
    assert {r.parameters["images"] for r in runs if r.kind == "finetune"} == {6}  # two are left to validate on
    (depth,) = [r for r in runs if r.name.endswith("-depth")]
    assert depth.parameters["frame_step"] == 2


def test_sizes_are_compared_only_where_photographs_show_a_class(root):
    assert "fig10_scale_mismatch" in study_plan.plan("folder", str(root)).figures["06_scale_mismatch"]
    own_data.describe(root, classes={"road": [1, 1, 1], "house": [2, 2, 2], "lawn": [3, 3, 3]})
    assert "fig10_scale_mismatch" not in study_plan.plan("folder", str(root)).figures["06_scale_mismatch"]


def test_a_corrected_description_makes_the_runs_anew(root):
    first = study_plan.plan("folder", str(root)).runs[0].parameters["data_digest"]
    video = [{"folder": "drive", "intrinsics": own_data.CAMERA | {"fx": 71}}]
    own_data.describe(root, video=video)
    assert study_plan.plan("folder", str(root)).runs[0].parameters["data_digest"] != first


def test_two_sets_of_ones_own_have_folders_of_their_own(root):
    assert study_plan.plan("folder", str(root)).profile.name == "my-town"
    own_data.describe(root, name="laptop")
    with pytest.raises(InputError, match="the name 'laptop' is that of a profile: give the data another"):
        study_plan.plan("folder", str(root))


def test_missing_data_is_said_before_anything_runs(tmp_path):
    for ask in (study_plan.plan, study_plan.check):
        with pytest.raises(InputError, match=r"'folder' needs DATA=folder, one with a dataset\.json in it"):
            ask("folder")
        with pytest.raises(InputError, match="no such folder"):
            ask("folder", str(tmp_path / "nowhere"))
    study_plan.check("laptop")


def break_image(root):
    tiny.truncate(root / "drive" / "003.jpg")


def break_size(root):
    tiny.label(root / "labels" / "1.png", np.zeros((60, 90), np.uint8))


def break_label(root):
    tiny.label(root / "labels" / "7.png", np.full((64, 96), 77, np.uint8))


def break_intrinsics(root):
    own_data.describe(root, video=[{"folder": "drive", "intrinsics": "intrinsics.json"}])


def break_length(root):
    for file in sorted((root / "drive").iterdir())[2:]:
        file.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_image, "003.jpg"),
        (break_size, "1.png.*(60.*90|90.*60)"),
        (break_label, "7.png.*77"),
        (break_intrinsics, "intrinsics.json"),
        (break_length, "expected 6 frames"),
    ],
)
def test_broken_data_are_found_before_anything_runs(root, damage, message):
    study_plan.check("folder", str(root))
    damage(root)
    with pytest.raises(InputError, match=message):
        study_plan.check("folder", str(root))


def test_system_files_are_no_other_data(root):
    def digest():
        return study_plan.plan("folder", str(root)).runs[0].trials[0]["fingerprint"]

    before = digest()
    for name in (".DS_Store", "Thumbs.db", "images/.DS_Store", "drive/Thumbs.db", "labels/.#0.png.lock"):
        (root / name).write_bytes(b"x")
    (root / "drive/.ipynb_checkpoints").mkdir()
    (root / "drive/.ipynb_checkpoints/000.jpg").write_bytes(b"x")
    assert digest() == before
    (root / "labels/0.png").write_bytes((root / "labels/1.png").read_bytes() + b"more")
    assert digest() != before


def test_the_quick_check_decodes_nothing(root, monkeypatch):
    monkeypatch.setattr("depthseg_lib.data.image_files.photograph", lambda file: pytest.fail(f"{file} was decoded"))
    study_plan.check("folder", str(root), decode=False)
    with pytest.raises(pytest.fail.Exception, match="was decoded"):
        study_plan.check("folder", str(root))


def test_a_described_folder_is_planned_trained_and_left_as_it_was(tmp_path, monkeypatch):
    """What `make describe` proposes, then `make figures DRY=1`, one run of each kind, and their results."""
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    root = own_data.write(tmp_path / "town")
    (root / "dataset.json").unlink()
    describe.describe(root, say=lambda line: None)
    values = json.loads((root / "dataset.json").read_text())
    values["classes"] = {name: values["classes"][f"class {i}"] for i, name in enumerate(("road", "house", "car"))}
    (root / "dataset.json").write_text(json.dumps(values | {"name": "my town", "image_size": [64, 96]}))
    before = snapshot(root)
    few = dict(iterations=2, batch=2, evaluate_every=1)
    changed = replace(PROFILES["folder"], initialisations=("none", "depth"), settings=("full",), trials=1)
    changed = replace(changed, depth=changed.depth | few | {"evaluated": 2}, finetune=changed.finetune | few)
    monkeypatch.setitem(PROFILES, "folder", changed)
    plan = study_plan.plan("folder", str(root), tmp_path / "runs")
    study_plan.write(plan, tmp_path / "runs")
    for run in plan.runs:
        for name, settings in run.settings().items():
            folder = tmp_path / "runs/my-town" / run.kind / name
            if run.kind == "pretrain":
                pretrain.run(PretrainConfig(**settings), folder, print)
            else:
                finetune.run(FinetuneConfig(**settings), folder, print)
    assert snapshot(root) == before
    (root).rename(tmp_path / "gone")
    found = results.load("my-town", tmp_path / "runs", tmp_path / "figures")
    assert found.label_set == description.read(tmp_path / "gone").label_set and found.data == "my town (own data)"
    assert found.complete and set(found.metrics["initialisation"]) == {"none", "depth"}
    results.save(found, tmp_path / "figures/data")
    again = results.load("my-town", tmp_path / "nowhere", tmp_path / "figures")
    assert again.plan == found.plan and again.label_set == found.label_set
