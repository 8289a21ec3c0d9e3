"""The cityscapes profile: its data, its plan, and the whole study on a tiny set of the true format."""

from dataclasses import replace

import pytest
from helpers import tiny_cityscapes
from helpers.shrunk_study import ShrunkStudy

from depthseg_lib.commands import check_data
from depthseg_lib.data import sources
from depthseg_lib.data.labels import CITYSCAPES
from depthseg_lib.errors import InputError
from depthseg_lib.models.published import Published
from depthseg_lib.settings import PretrainConfig
from depthseg_lib.study import plan
from depthseg_lib.study.profiles import PROFILES


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tiny_cityscapes.whole(tmp_path_factory.mktemp("cityscapes"))


def settings(root):
    return PretrainConfig(data_set="cityscapes", data_folder=str(root), height=64, width=96)


def test_training_is_on_train_and_the_test_on_val(root, tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    training, test = sources.load_annotated(settings(root), 5)
    assert len(training.names) == 5 and all(name.startswith("aachen") for name in training.names)
    assert len(test.names) == 4 and all(name.startswith("lindau") for name in test.names)
    assert test.label_set is CITYSCAPES and len(sources.load_video(settings(root)).images) == 20


def test_what_is_missing_is_said_before_anything_is_read(root, tmp_path):
    with pytest.raises(InputError, match="needs DATA=folder, one that holds leftImg8bit, gtFine, leftImg8bit_sequence"):
        plan.check("cityscapes")
    with pytest.raises(InputError, match="lacks leftImg8bit, leftImg8bit_sequence, camera: .*found gtFine"):
        (tmp_path / "gtFine").mkdir()
        plan.check("cityscapes", str(tmp_path))
    with pytest.raises(InputError, match="has 6 annotated training images, but the run asks for 2975"):
        plan.check("cityscapes", str(root))


def test_changed_files_change_the_digest(tmp_path):
    tiny_cityscapes.whole(tmp_path, train=1, val=1)
    before = sources.digest(settings(tmp_path))
    camera = next(tmp_path.rglob("*_camera.json"))
    camera.write_text(camera.read_text().replace("1", "2", 1))
    calibrated = sources.digest(settings(tmp_path))
    next(tmp_path.rglob("*_polygons.json")).unlink()
    after = sources.digest(settings(tmp_path))
    (tmp_path / "README").write_text("not part of the set")
    assert len({before, calibrated, after}) == 3 and after == sources.digest(settings(tmp_path))


def test_the_plan_is_kittis_protocol_with_all_training_images_besides():
    planned = plan.plan("cityscapes", published=Published({"imagenet": "weights"}))
    runs = {run.name: run.parameters for run in planned.runs}
    for name in ("none", "depth", "imagenet", "depth-imagenet"):
        assert {f"resnet50-{name}-full-n{n}" for n in (8, 16, 32, 64, 128, 2975)} <= set(runs)
        run = runs[f"resnet18-{name}-frozen-n16"]
        assert (run["height"], run["width"], run["batch"], run["learning_rate"]) == (512, 512, 16, 1e-5)
    assert runs["resnet18-depth"]["batch"] == 12 and "resnet50-none-deeplab-n16" in runs
    assert {f"resnet50-{name}-deeplab-n16" for name in ("depth", "imagenet", "depth-imagenet")} <= set(runs)
    assert {f"resnet18-{name}-encoder-only-n16" for name in ("depth", "depth-imagenet")} <= set(runs)
    drawn = {name for names in plan.plan("cityscapes").figures.values() for name in names}
    assert {"fig04_training_size", "fig05_frozen", "fig10_scale_mismatch", "table1", "table2", "claims"} <= drawn


def test_check_data_looks_into_it(root, tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(PROFILES, "cityscapes", replace(PROFILES["cityscapes"], sizes=(4,), images=4))
    lines = []
    assert check_data.check("cityscapes", str(root), runs=str(tmp_path / "runs"), say=lines.append) == 0, lines
    said = "\n".join(lines)
    assert "val: 4 labelled images" in said and "video: 20 frames in 4 sequences, from 5 (aachen_000000_000000)" in said


@pytest.mark.timeout(1200)
def test_the_whole_study_on_a_tiny_set(root, tmp_path, monkeypatch):
    tiny = ShrunkStudy(tmp_path, monkeypatch, "cityscapes", root, finetune_of={})
    assert "4 training and 4 validation images" in "\n".join(tiny.make())
    assert "Cityscapes" in (tiny.figures / "table1.md").read_text()
    assert (tiny.runs / "finetune" / "resnet18-slim-depth-full-n4" / "t0" / "confusion.npz").is_file()
