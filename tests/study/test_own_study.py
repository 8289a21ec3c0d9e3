"""The study on a user's own data: what their description decides, and that results are read without the data."""

import json
import shutil

import pytest
from helpers import own_data
from helpers.shrunk_study import ShrunkStudy
from helpers.tiny import snapshot

from depthseg_lib.analysis import results
from depthseg_lib.commands import describe
from depthseg_lib.data.sets import description
from depthseg_lib.errors import InputError
from depthseg_lib.study import plan as study_plan
from depthseg_lib.study.profiles import PROFILES, Fit, fitted


def fit(**changes):
    return Fit(**(dict(height=96, width=160, encoder="resnet18-slim", frame_step=1, usable=200) | changes))


@pytest.mark.parametrize(
    ("usable", "sizes", "images"), [(200, (8, 16, 32, 64, 128), 16), (20, (8, 16), 16), (12, (8,), 8), (3, (3,), 3)]
)
def test_no_training_set_is_larger_than_the_data_allow(usable, sizes, images):
    profile = fitted(PROFILES["folder"], fit(usable=usable, height=64, frame_step=2))
    assert (profile.sizes, profile.images) == (sizes, images)
    assert (profile.data.height, profile.data.width, profile.depth["frame_step"]) == (64, 160, 2)
    assert profile.finetune == PROFILES["folder"].finetune and profile.encoders == ("resnet18-slim",)


def test_a_larger_encoder_takes_the_settings_of_the_gpu_profile():
    profile = fitted(PROFILES["folder"], fit(encoder="resnet18"))
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


def test_runs_are_found_where_the_data_are_not(root, tmp_path):
    plan = study_plan.plan("folder", str(root), str(tmp_path / "runs"))
    study_plan.write_requests(plan, tmp_path / "runs")
    kept = tmp_path / "runs/folder" / study_plan.KEPT
    before = kept.stat().st_mtime_ns
    study_plan.write_requests(plan, tmp_path / "runs")
    assert kept.stat().st_mtime_ns == before
    shutil.rmtree(root)
    again = study_plan.plan("folder", runs=str(tmp_path / "runs"))
    assert [run.name for run in again.runs] == [run.name for run in plan.runs] and again.figures == plan.figures
    assert study_plan.label_set(tmp_path / "runs/folder").classes == ("road", "house", "car")


def test_without_data_or_runs_the_folder_is_asked_for(tmp_path):
    assert study_plan.plan("folder", runs=str(tmp_path)).profile.sizes == PROFILES["folder"].sizes
    with pytest.raises(InputError, match=r"'folder' needs DATA=folder, one with a dataset\.json in it"):
        study_plan.check("folder")


def test_the_quick_check_decodes_nothing(root, monkeypatch):
    monkeypatch.setattr("depthseg_lib.data.image_files.photograph", lambda file: pytest.fail(f"{file} was decoded"))
    study_plan.check("folder", str(root), decode=False)
    with pytest.raises(pytest.fail.Exception, match="was decoded"):
        study_plan.check("folder", str(root))


@pytest.mark.timeout(600)
def test_a_described_folder_is_studied_whole_and_drawn_again_without_the_data(tmp_path, monkeypatch):
    root = own_data.write(tmp_path / "town")
    (root / "dataset.json").unlink()
    describe.describe(root, say=lambda line: None)
    values = json.loads((root / "dataset.json").read_text())
    values["classes"] = {name: values["classes"][f"class {i}"] for i, name in enumerate(("road", "house", "car"))}
    (root / "dataset.json").write_text(json.dumps(values | {"name": "my town", "image_size": [64, 96]}))
    before = snapshot(root)
    work = ShrunkStudy(tmp_path / "work", monkeypatch, "folder", root)
    work.make()
    assert snapshot(root) == before
    about = json.loads((work.figures / "fig03_curves.json").read_text())
    assert about["data"] == "my town (own data)" and "representative: road, house, car" in about["note"]
    root.rename(tmp_path / "gone")
    for runs in (work.root / "runs", tmp_path / "nowhere"):
        found = results.load("folder", runs, work.figures)
        assert found.label_set == description.read(tmp_path / "gone").label_set and found.data == "my town (own data)"
        assert set(found.confusion["truth"].unique()) == {"road", "house", "car"}
