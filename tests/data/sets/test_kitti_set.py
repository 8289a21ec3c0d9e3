"""The kitti profile's data: where it is looked for, what is said of what is not there, and the whole study on it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers import tiny_kitti
from helpers.real_data import real_set
from helpers.shrunk_study import ShrunkStudy
from helpers.tiny import label, snapshot, truncate

from depthseg_lib.commands import check_data
from depthseg_lib.data import sources
from depthseg_lib.data.labels import KITTI, VOID
from depthseg_lib.data.sets import kitti as kitti_set
from depthseg_lib.errors import InputError
from depthseg_lib.models.published import Published
from depthseg_lib.settings import DataSettings
from depthseg_lib.study import plan
from depthseg_lib.study.profiles import PROFILES, Part, get_profile

IMAGENET = Published({"imagenet": "weights"})


@pytest.fixture
def kitti(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return tiny_kitti.write(tmp_path / "kitti", pairs=6)


def settings(folder) -> DataSettings:
    return DataSettings(data_set="kitti", data_folder=str(folder), height=64, width=96)


def test_it_is_one_more_real_set(kitti):
    before = snapshot(kitti)
    sources.check(settings(kitti), 4)
    video = sources.load_video(settings(kitti))
    assert video.held_out.sum() == 3 and (video.targets & ~video.held_out).sum() == 16
    training, validation = sources.load_annotated(settings(kitti), 4)
    assert len(training.images) == 4 and len(validation.images) == 2 and training.label_set is KITTI
    assert not set(training.names) & set(validation.names)
    assert set(np.unique(validation.labels)) == {KITTI.classes.index(n) for n in
        ("road", "building", "vegetation", "sky", "car")} | {VOID}  # fmt: skip
    assert sources.load_annotated(settings(kitti), 6)[1].images.shape == (6, 3, 64, 96)  # then on all of them
    assert snapshot(kitti) == before


@pytest.mark.parametrize(("raw", "semantics"), [("kitti_raw", "data_semantics"), (".", "."), (".", "kitti_semantics")])
def test_obvious_layouts_are_found(kitti, raw, semantics):
    for part, name in (("raw", raw), ("semantics", semantics)):
        for entry in (kitti / part).iterdir():
            (kitti / name).mkdir(exist_ok=True)
            entry.rename(kitti / name / entry.name)
        if name != part:
            (kitti / part).rmdir()
    kitti_set.check(kitti)
    assert kitti_set.annotated_count(kitti) == 6 and len(kitti_set.video(kitti, 64, 96).images)


def test_other_data_is_another_digest(kitti):
    first = sources.digest(settings(kitti))
    (kitti / "notes.txt").write_text("not a part of the set")
    assert sources.digest(settings(kitti)) == first
    (kitti / "splits").mkdir()
    (kitti / "splits" / "train_files.txt").write_text("2011_09_26/2011_09_26_drive_0001_sync 2 l\n")
    assert sources.digest(settings(kitti)) != first


def lose(*parts):
    return lambda root: [shutil.rmtree(root / part) for part in parts]


def unlink(part):
    return lambda root: (root / part).unlink()


def wrong_list(root):
    (root / "splits").mkdir()
    for name in ("train", "test"):
        (root / "splits" / f"{name}_files.txt").write_text("2011_09_26/2011_09_26_drive_0001_sync 40 l\n")


def list_of_ends(root):
    (root / "splits").mkdir()
    for name, frames in (("train", (2,)), ("test", (0, 4))):
        drive = "2011_09_26/2011_09_26_drive_000{}_sync".format(1 if name == "train" else 2)
        lines = "".join(f"{drive} {frame} l\n" for frame in frames)
        (root / "splits" / f"{name}_files.txt").write_text(lines)


def resize_label(root):
    label(root / "semantics" / "training" / "semantic" / "000002_10.png", np.zeros((64, 99), np.uint8))


def deep_label(root):
    label(root / "semantics" / "training" / "semantic" / "000002_10.png", np.zeros((61, 93), np.uint16))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose("raw"), r"lacks KITTI raw: expected one that holds raw/.*found semantics"),
        (lose("semantics"), r"lacks KITTI semantics: .*eval_semseg.*found raw"),
        (unlink("raw/2011_09_28/calib_cam_to_cam.txt"), r"2011_09_28/calib_cam_to_cam\.txt cannot be read"),
        (unlink("raw/2011_09_28/calib_velo_to_cam.txt"), r"2011_09_28/calib_velo_to_cam\.txt cannot be read"),
        (
            lose("raw/2011_09_26/2011_09_26_drive_0002_sync/velodyne_points"),
            r"none of the 1 drives .* has velodyne scans: expected files such as .*drive_0002_sync/velodyne_points",
        ),
        (list_of_ends, "splits names no frame to evaluate depth on that has both neighbours"),
        (wrong_list, r"train_files\.txt, line 1: .*frame 39"),
        (resize_label, r"000002_10\.png is 93x61, but its label image .* is 99x64"),
        (deep_label, r"000002_10\.png is no label image: .*more than 8 bits"),
        (lambda root: truncate(root / "semantics/training/image_2/000001_10.png"), r"000001_10\.png cannot be read"),
        (unlink("semantics/training/semantic/000003_10.png"), "do not match: .*000003_10"),
    ],
)  # fmt: skip
def test_what_is_broken_is_said_before_anything_runs(kitti, damage, message):
    damage(kitti)
    with pytest.raises(InputError, match=message):
        sources.check(settings(kitti), 4)


def test_too_few_pairs_and_a_folder_that_is_not_there(kitti):
    with pytest.raises(InputError, match="has 6 annotated training images, but the run asks for 16"):
        sources.check(settings(kitti), 16)
    with pytest.raises(InputError, match="there is no such folder; expected one that holds raw/"):
        plan.check("kitti", str(kitti / "nowhere"))
    with pytest.raises(InputError, match="'kitti' needs DATA=folder, one that holds raw/"):
        plan.check("kitti")


def test_a_scan_of_odd_length_is_named(kitti):
    scan = next(kitti.rglob("*0002_sync/velodyne_points/data/0000000002.bin"))
    scan.write_bytes(scan.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"0000000002\.bin has \d+ bytes: expected a velodyne scan"):
        kitti_set.video(kitti, 64, 96)


def test_real_pairs_of_different_sizes_are_refused():
    with pytest.raises(InputError, match=r"image_2/000000_10\.png is 1224x370, but its label image .*1242x375"):
        kitti_set.annotated(real_set("kitti_semantics"), 96, 320)


def test_the_profile_has_the_papers_settings():
    runs = {run.name: run.parameters for run in plan.plan("kitti", published=IMAGENET).runs}
    assert {run["encoder"] for run in runs.values()} == {"resnet18", "resnet50"}
    tuned = runs["resnet50-depth-imagenet-full-n16"]
    expected = dict(iterations=20000, batch=16, learning_rate=1e-5, evaluate_every=1000, trials=4)
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


def test_without_weights_no_profile_has_imagenet_and_with_them_all_parts_have():
    for name in ("kitti", "cityscapes", "gpu"):
        without, given = ([run.name for run in plan.plan(name, published=p).runs] for p in (Published(), IMAGENET))
        assert not [run for run in without if "imagenet" in run]
        assert [run for run in given if "imagenet" not in run] == without
        parts = get_profile(name, published=IMAGENET).parts
        assert all("imagenet" in part.initialisations for part in parts if "none" in part.initialisations)
    at_large = {(part.experiment, part.settings) for part in parts if "depth-imagenet" in part.initialisations}
    assert {("high", ("full",)), ("high", ("deeplab",)), ("whole", ("full",)), ("main", ("deeplab",))} <= at_large
    assert get_profile("laptop", published=IMAGENET).parts == get_profile("laptop").parts  # no such slim encoder


def test_monodepth2s_own_weights_join_where_depth_from_imagenet_is_compared():
    given = Published({"depth": "models", "depth-imagenet": "models"})
    names = {run.name for run in plan.plan("kitti", published=given).runs}
    assert {"resnet18-depth-imagenet-encoder-only-n16", "resnet50-depth-imagenet-deeplab-n16"} <= names
    assert not {"resnet18-depth", "resnet18-depth-imagenet", "resnet18-imagenet-full-n16"} & names
    assert "resnet18-depth-large" in names  # theirs are of 192x640
    assert not {name for name in names if "depth-imagenet" in name and ("large" in name or "high" in name)}


def test_depth_from_imagenet_is_learned_at_the_large_size_too():
    runs = {(run.kind, run.name): run for run in plan.plan("kitti", published=IMAGENET).runs}
    learned = runs["pretrain", "resnet50-depth-imagenet-large"].parameters
    assert (learned["height"], learned["width"], learned["start_weights"]) == (320, 1024, "weights")
    assert learned["iterations"] == runs["pretrain", "resnet50-depth-imagenet"].parameters["iterations"]
    for name in ("full-n16-high", "deeplab-n16-high", "full-n200-whole"):
        assert runs["finetune", f"resnet50-depth-imagenet-{name}"].needs == ("resnet50-depth-imagenet-large",)
    given = Published({"imagenet": "weights", "depth": "models", "depth-imagenet": "models"})
    runs = {run.name: run for run in plan.plan("kitti", published=given).runs}
    assert runs["resnet18-depth-imagenet-full-n16-high"].needs == ("resnet18-depth-imagenet-large",)
    assert "resnet18-depth-imagenet" not in runs


def test_check_data_looks_into_it(kitti, tmp_path, monkeypatch):
    monkeypatch.setitem(PROFILES, "kitti", replace(PROFILES["kitti"], sizes=(4,), images=4))
    lines = []
    assert check_data.check("kitti", str(kitti), runs=str(tmp_path / "runs"), say=lines.append) == 0, lines
    said = "\n".join(lines)
    assert "training: 6 labelled images" in said and "video: 34 frames in 6 sequences" in said
    assert (tmp_path / "runs/kitti/contact_sheet.png").is_file()


@pytest.mark.timeout(1800)  # a minute of work for one core, which may be busy with much else
def test_the_whole_study_on_a_tiny_kitti(tmp_path, monkeypatch):
    parts = tuple(Part((setting,), (start,), 4) for setting, start in (("frozen", "depth"), ("full", "flow")))
    made = ShrunkStudy(tmp_path / "project", monkeypatch, "kitti", tiny_kitti.write(tmp_path / "kitti"), parts=parts)
    said = "\n".join(made.make())
    assert "abs_rel" in said
    metrics = json.loads((made.runs / "pretrain/resnet18-slim-depth/metrics.json").read_text())
    assert metrics["evaluated"] == 3 and 0 < metrics["abs_rel"] and 0 < metrics["abs_rel_mean_map"]
    assert json.loads((made.figures / "census.json").read_text())["data"] == "KITTI"
    assert "The exact flow of this set is not known" in (made.figures / "flow.json").read_text()
    assert "| road | 8 |" in (made.figures / "census.md").read_text()
