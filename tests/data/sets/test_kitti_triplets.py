"""Video of a split: only what is in a triplet, with depth of what is evaluated."""

import numpy as np
import pytest
from helpers import tiny_kitti
from helpers.real_data import real_set
from helpers.tiny_kitti import FIRST, LAST, TESTED

from depthseg_lib.data.arrays import split_triplets, with_truth
from depthseg_lib.data.sets import kitti, kitti_raw
from depthseg_lib.data.sets.kitti_split import Frame, Split
from depthseg_lib.errors import InputError


@pytest.fixture
def raw(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return tiny_kitti.write(tmp_path / "kitti", pairs=0) / "raw"


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
    whole = kitti_raw.video(raw, 64, 96, drives=[FIRST.split("/")[1]])
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
    whole = kitti_raw.video(raw, 64, 96, drives=[TESTED.split("/")[1]], depth=True).depth[2]
    assert (depth[inside] == whole[inside]).all() and depth[inside].any()
    assert not depth[~inside].any() and whole[~inside].any()
    assert set(np.unique(depth)) == {0, 8, 12}  # two walls, ahead of the car
    assert with_truth(video, split_triplets(video, 1)[0])[:, 1].tolist() == [1, 10]


def test_the_crop_is_eigens():
    inside = np.argwhere(kitti_raw.crop(375, 1242))
    assert inside.min(0).tolist() == [153, 44] and inside.max(0).tolist() == [370, 1196]


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
