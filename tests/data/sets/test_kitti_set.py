"""KITTI: where it is looked for, video of a split, which is only what is in a triplet, and the whole study on it."""

import json

import numpy as np
import pytest
from helpers import tiny_kitti
from helpers.real_data import real_set
from helpers.shrunk_study import ShrunkStudy
from helpers.tiny_kitti import FIRST, LAST, TESTED

from depthseg_lib.data import ingest
from depthseg_lib.data.arrays import split_triplets, with_truth
from depthseg_lib.data.sets import kitti, kitti_raw
from depthseg_lib.data.sets.kitti import Kitti
from depthseg_lib.data.sets.kitti_split import Frame, Split
from depthseg_lib.errors import InputError
from depthseg_lib.study.profiles import Part


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return tiny_kitti.write(tmp_path / "kitti", pairs=6)


@pytest.fixture
def raw(root):
    return root / "raw"


@pytest.mark.parametrize(("raw", "semantics"), [("kitti_raw", "data_semantics"), (".", "."), (".", "kitti_semantics")])
def test_obvious_layouts_are_found(root, raw, semantics):
    for part, name in (("raw", raw), ("semantics", semantics)):
        for entry in (root / part).iterdir():
            (root / name).mkdir(exist_ok=True)
            entry.rename(root / name / entry.name)
        if name != part:
            (root / part).rmdir()
    Kitti(root).check()
    assert Kitti(root).count == 6 and len(Kitti(root).video(64, 96).images)


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


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        (wrong_list, r"train_files\.txt, line 1: .*frame 39"),
        (list_of_ends, "splits names no frame to evaluate depth on that has both neighbours"),
    ],
)
def test_lists_are_looked_at_before_anything_runs(root, listing, message):
    listing(root)
    with pytest.raises(InputError, match=message):
        Kitti(root).check()


def test_a_folder_of_no_drives_is_named(tmp_path):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(InputError, match=r"is not KITTI raw, it has no drives: .*www\.cvlibs\.net.*found holiday"):
        kitti_raw.drives(tmp_path)


def test_real_pairs_of_different_sizes_are_refused():
    with pytest.raises(InputError, match=r"image_2/000000_10\.png is 1224x370, but its label image .*1242x375"):
        Kitti(real_set("kitti_semantics")).annotated(96, 320)


def split(training, held_out) -> Split:
    return Split(frozenset(Frame(*f) for f in training), frozenset(Frame(*f) for f in held_out))


CHOSEN = split([(FIRST, "02", 1), (FIRST, "02", 4), (LAST, "03", 2)], [(TESTED, "02", 2), (FIRST, "02", 3)])


def test_frames_outside_of_triplets_are_not_read_and_targets_are_those_of_the_split(raw):
    (raw / LAST / "image_03" / "data" / "0000000005.png").write_bytes(b"broken, and in no triplet")
    video = kitti.video_of(raw, CHOSEN, 64, 96)
    assert video.sequence.tolist() == [0] * 6 + [1] * 3 + [2] * 3  # of the first drive 0, 1, 2 and 2 to 5 are wanted
    training, held_out = split_triplets(video, 1)
    assert training.tolist() == [[0, 1, 2], [3, 4, 5], [9, 10, 11]]
    assert held_out.tolist() == [[2, 3, 4], [6, 7, 8]]
    (drive, frames) = raw / FIRST, kitti_raw.frames(raw / FIRST, "02")
    whole = ingest.video([ingest.Clip(tuple(frames.values()), *kitti_raw.calibration(drive, "02"))], 64, 96)
    assert (video.images[:6] == whole.images).all() and (video.intrinsics[:6] == whole.intrinsics).all()


def test_each_date_has_its_own_size_and_intrinsics(raw):
    intrinsics = kitti.video_of(raw, CHOSEN, 64, 96).intrinsics
    assert intrinsics[0, 0] == pytest.approx([0.6 * 96, 0, 48])
    assert intrinsics[-1, 0] == pytest.approx([0.6 * 96, 0, 47.5 * 96 / 94 - 0.5])


def test_depth_is_cropped_and_of_held_out_and_some_training_frames(raw, monkeypatch):
    monkeypatch.setattr(kitti, "TRAINED", 2)
    video = kitti.video_of(raw, CHOSEN, 64, 96)
    assert video.depth.frames.tolist() == [1, 3, 7, 10]
    assert video.measured(np.arange(12)).nonzero()[0].tolist() == [1, 3, 7, 10]
    depth = video.depth[7]
    inside = kitti_raw.crop(64, 96)
    frame, matrix = kitti_raw.frames(raw / TESTED, "02")[2], video.intrinsics[7:8]
    whole = kitti_raw.scanned_depth([frame], matrix, 64, 96, None)[0]
    assert (depth[inside] == whole[inside]).all() and depth[inside].any()
    assert not depth[~inside].any() and whole[~inside].any()
    assert set(np.unique(depth)) == {0, 8, 12}  # two walls, ahead of the car
    assert with_truth(video, split_triplets(video, 1)[0])[:, 1].tolist() == [1, 10]


def test_an_empty_side_of_a_split_is_refused(raw):
    for empty in (split([], [(FIRST, "02", 3)]), split([(FIRST, "02", 3)], [])):
        with pytest.raises(InputError, match="frames to train depth on and . to evaluate it on, expected some of both"):
            kitti.video_of(raw, empty, 64, 96)


def test_no_scan_of_what_is_evaluated_is_refused(raw):
    for scan in raw.rglob("*0002_sync/velodyne_points/data/*.bin"):
        scan.unlink()
    missing = r"none of the 1 frames .* files such as .*drive_0002_sync/velodyne_points/data/0000000002\.bin"
    with pytest.raises(InputError, match=missing):
        kitti.video_of(raw, split([(FIRST, "02", 3)], [(TESTED, "02", 2)]), 64, 96)


def test_the_real_drive_with_frames_held_out(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    drive = "2011_09_26/2011_09_26_drive_0000_sync"
    chosen = split([(drive, "02", n) for n in range(1, 10)], [(drive, "02", 25), (drive, "02", 50)])
    video = kitti.video_of(real_set("kitti_raw"), chosen, 96, 320)
    assert len(video.images) == 11 + 3 + 3 and video.depth.frames.tolist() == [12, 15]
    assert 500 < (video.depth[12] > 0).sum() and video.depth[12][: int(0.4 * 96)].max() == 0


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
