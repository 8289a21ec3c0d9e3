"""A user's own data: images of several sizes, pairs by globs, video with intrinsics of every kind, and bad input."""

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from helpers import own_data, tiny_kitti
from helpers.real_data import real_set
from helpers.tiny import label, picture, snapshot
from helpers.tiny_kitti import FIRST

from depthseg_lib.data import image_files
from depthseg_lib.data.arrays import split_triplets, with_truth
from depthseg_lib.data.labels import CAMVID, VOID
from depthseg_lib.data.sets.own import Own, beside, read_camera, sequences
from depthseg_lib.errors import InputError

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return own_data.write(tmp_path / "data")


def test_a_single_drive_is_cut_so_that_its_end_is_held_out(root):
    video = Own(root).video(64, 96)
    assert video.sequence.tolist() == [0] * 9 + [1] * 3
    training, held_out = split_triplets(video, 1)
    assert len(training) == 7 and held_out.tolist() == [[9, 10, 11]]
    assert np.allclose(video.intrinsics[0], [[70, 0, 47.5], [0, 70, 31.5], [0, 0, 1]])


def test_images_of_several_sizes_keep_their_shapes(root):
    picture(root / "images" / "wide.jpg", 64, 192)
    ids = np.full((64, 192), 2, np.uint8)
    ids[:, 48:144] = 1
    label(root / "labels" / "wide.png", ids)
    found = Own(root).annotated(64, 96)[0]
    assert found.names[-1] == "wide" and (found.labels[-1] == 1).all()  # the middle, not squeezed


def test_pairs_are_found_by_what_the_stars_stand_for(root):
    for town in ("east", "west"):
        picture(root / "img" / town / "frame_1.jpg", 64, 96)
        label(root / "gt" / f"{town}-1_ids.png", np.zeros((64, 96), np.uint8))
    own_data.describe(root, images=["images/*.jpg", "img/*/frame_*.jpg"], labels=["labels/*.png", "gt/*-*_ids.png"])
    found = Own(root).annotated(64, 96)[0]
    assert len(found.images) == 10 and found.names[-2:] == ("img/east/frame_1.jpg", "img/west/frame_1.jpg")


def test_a_glob_may_go_through_folders_and_name_characters(root):
    own_data.describe(root, images="images/**/[0-4].jpg", labels="labels/**/[0-4].png")
    assert Own(root).count == 5


def test_a_test_split_is_all_that_is_validated_on(root):
    test = {"images": "images/[67].jpg", "labels": "labels/[67].png"}
    own_data.describe(root, images="images/[!67].jpg", labels="labels/[!67].png", test=test)
    training, held_out = Own(root).annotated(64, 96)
    assert training.names == tuple("012345") and held_out.names == ("6", "7")
    assert Own(root).usable == 6


CAMERA = own_data.CAMERA


@pytest.mark.parametrize("asked", [{"intrinsics": "camera.json"}, {}], ids=["named", "beside"])
def test_intrinsics_may_be_a_file(root, asked):
    file = root / asked.get("intrinsics", "drive/intrinsics.json")
    file.write_text(json.dumps(CAMERA | {"fx": 80, "fps": 25}))
    own_data.describe(root, video=[{"folder": "drive"} | asked])
    found = Own(root)
    assert found.video(64, 96).intrinsics[0, 0, 0] == 80 and file in found.parts
    before = found.digest
    file.write_text(file.read_text().replace("80", "81"))
    assert Own(root).digest != before


def test_what_lies_beside_the_frames_comes_before_what_lies_above(root):
    assert beside(root / "drive") == root / "drive" / "intrinsics.json"  # what is expected where there is none
    (root / "intrinsics.json").touch()
    assert beside(root / "drive") == root / "intrinsics.json"
    (root / "drive" / "intrinsics.json").touch()
    assert beside(root / "drive") == root / "drive" / "intrinsics.json"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "is not json"),
        ("[1, 2]", "has no positive number for width, height, fx"),
        (json.dumps({**CAMERA, "fx": "20"}), "has no positive number for fx"),
        (json.dumps({**CAMERA, "cy": float("nan")}), "has no positive number for cy"),
        (json.dumps({k: v for k, v in CAMERA.items() if k != "fy"}), "has no positive number for fy"),
    ],
)
def test_wrong_files_of_intrinsics_are_named(root, text, found):
    (root / "intrinsics.json").write_text(text)
    with pytest.raises(InputError, match=f"intrinsics.json {found}"):
        read_camera(root / "intrinsics.json", [root / "drive" / "000.jpg"])


def odometry(root, lines):
    """The drive as KITTI odometry has it, and a second camera."""
    place = root / "sequences" / "06"
    place.mkdir(parents=True)
    (root / "drive").rename(place / "image_0")
    own_data.drive(place / "image_1")
    (place / "calib.txt").write_text(lines)
    own_data.describe(root, video=[{"folder": "sequences/06"}])


def test_kittis_calib_txt_is_read_as_intrinsics_of_its_cameras(root):
    matrices = [f"{fx} 0 47 {shift} 0 71 31 0 0 0 1 0" for fx, shift in ((70, 0), (72, -38))]
    odometry(root, f"P0: {matrices[0]}\nP1: {matrices[1]}\n")
    video = Own(root).video(64, 96)
    assert video.intrinsics[[0, -1], 0, 0].tolist() == [70, 72] and video.intrinsics[0, 1].tolist() == [0, 71, 31]
    assert root / "sequences/06/calib.txt" in Own(root).parts
    (root / "sequences/06/calib.txt").write_text(f"{matrices[1]}\n{matrices[0]}\n")  # older files have no names
    assert Own(root).video(64, 96).intrinsics[[0, -1], 0, 0].tolist() == [72, 70]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("P0: 1 2 3", "no line 'P0' of 12 numbers"),
        ("date: today", "holds no calibration"),
        ("P2: " + "1 " * 12, "'P0'"),
    ],
)
def test_a_broken_calib_txt_is_named(root, lines, message):
    odometry(root, lines)
    with pytest.raises(InputError, match=f"calib.txt .*{message}"):
        Own(root).check()


def test_frames_of_kitti_raw_have_its_calibration_and_its_scans_as_depth(root):
    tiny_kitti.write(root / "kitti", pairs=0)
    own_data.describe(
        root, video=[{"folder": "drive", "intrinsics": CAMERA}, {"folder": f"kitti/raw/{FIRST}/image_02"}]
    )
    found = Own(root)
    video = found.video(64, 96)
    assert video.sequence.tolist() == [0] * 12 + [1] * 6 and video.held_out.tolist() == [False] * 12 + [True] * 6
    assert video.intrinsics[12, 0].tolist() == pytest.approx([0.6 * 96, 0, 48]) and video.depth.frames.tolist() == [
        *range(12, 18)
    ]
    assert set(np.unique(video.depth[14])) == {0, 8, 12} and len(found.depth) == 4
    scans = root / "kitti/raw" / FIRST / "velodyne_points/data"
    assert {scans, root / "kitti/raw/2011_09_26/calib_cam_to_cam.txt"} <= set(found.parts)
    before = found.digest
    shutil.rmtree(scans)
    assert Own(root).video(64, 96).depth is None and Own(root).digest != before


def test_frames_that_lie_a_step_apart_are_neighbours_and_none_is_lost(root):
    own_data.drive(root / "other")
    video = [{"folder": "drive", "intrinsics": CAMERA, "step": 3}, {"folder": "other", "intrinsics": CAMERA, "step": 2}]
    own_data.describe(root, video=video)
    found = Own(root).video(64, 96)
    assert np.bincount(found.sequence).tolist() == [4, 4, 4, 6, 6]
    assert found.held_out.tolist() == [False] * 12 + [True] * 12  # all phases of the last folder
    plain = Own(own_data.write(root.parent / "plain")).video(64, 96)
    assert (found.images[:4] == plain.images[::3]).all()
    own_data.drive(root / "other", 24)
    own_data.describe(root, video=video[1:])
    found = Own(root).video(64, 96)  # a single one is cut before it is shared out
    assert np.bincount(found.sequence).tolist() == [9, 9, 3, 3] and found.held_out.tolist() == [False] * 18 + [True] * 6
    own_data.describe(root, video=[video[1] | {"step": 5}])
    with pytest.raises(InputError, match=r"json: video\.0: expected 30 frames .* step 5, found 24 in .*other"):
        Own(root).check()


def test_the_data_may_lie_elsewhere_and_where_does_not_matter(root, tmp_path):
    home = tmp_path / "description"
    home.mkdir()
    shutil.copy(root / "dataset.json", home)
    with pytest.raises(InputError, match=r"json: images: expected the glob"):
        Own(home).check()
    own_data.describe(home, root=str(root))
    before = Own(root).digest
    assert Own(home).digest == before and (Own(home).video(64, 96).images == Own(root).video(64, 96).images).all()
    (home / "data").symlink_to(root)
    own_data.describe(home, root="data", note="linked")
    Own(home).check()
    assert Own(home).digest == before
    own_data.describe(home, root="absent")
    with pytest.raises(InputError, match=r"json: root: expected the folder .*found no folder .*absent; .*link"):
        Own(home).check()


def test_every_subfolder_is_a_sequence_in_name_order_and_frames_beside_them_too(root):
    for number in (9, 10, 11):
        picture(root / "clips" / "b" / f"frame{number}.jpg", 64, 96)
    picture(root / "clips" / "a" / "1.png", 64, 96)
    assert [place.name for place in sequences(root / "clips")] == ["a", "b"]
    picture(root / "clips" / "0.png", 64, 96)
    assert [place.name for place in sequences(root / "clips")] == ["clips", "a", "b"]
    own_data.describe(root, video=[{"folder": "clips/b", "intrinsics": CAMERA}])
    assert [file.name for file in Own(root).sequences["clips/b"]] == ["frame9.jpg", "frame10.jpg", "frame11.jpg"]
    picture(root / "clips" / "b" / "frame9.png", 64, 96)
    with pytest.raises(InputError, match=r"holds both frame9\.jpg and frame9\.png"):
        Own(root).check()
    (root / "notes").mkdir()
    (root / "notes" / "readme.txt").touch()
    with pytest.raises(InputError, match=r"notes holds no frames: expected frames .*found readme\.txt"):
        sequences(root / "notes")


BAD = {
    "images that nothing matches": (dict(images="image/*.jpg"), r"json: images: expected the glob 'image/\*\.jpg' "),
    "labels that nothing matches": (dict(labels="labels/*.tif"), r"json: labels: expected the glob 'labels/\*\.tif'"),
    "no such video": (
        dict(video=[{"folder": "drives"}]),
        r"json: video\.0\.folder: the folder .*drives cannot be read",
    ),
    "video without frames": (dict(video=[{"folder": "."}]), r"no intrinsics, there is no file .*intrinsics\.json"),
    "no intrinsics": (dict(video=[{"folder": "drive"}]), r"json: video\.0: the frames in .*drive have no intrinsics"),
    "absent intrinsics": (dict(video=[{"folder": "drive", "intrinsics": "k.json"}]), r"there is no file .*k\.json"),
    "short video": (dict(frame_step=3), r"expected 14 frames at least in each of 1 sequences, .*found 12 in .*drive"),
    "images in both splits": (
        dict(test={"images": "images/[0].jpg", "labels": "labels/[0].png"}),
        r"expected images of the test split alone, found 1 that are trained on too",
    ),
    "too few": (dict(images="images/[0].jpg", labels="labels/[0].png"), "expected two labelled images at least"),
    "other intrinsics": (
        dict(video=[{"folder": "drive", "intrinsics": own_data.CAMERA | {"width": 98}}]),
        r"json: video\.0: the intrinsics are for frames of 98x64, but .*000\.jpg is 96x64",
    ),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_bad_descriptions_are_found_without_decoding(root, monkeypatch, changes, message):
    own_data.describe(root, **changes)
    if changes.get("video") == [{"folder": "."}]:
        picture(root / "0.jpg", 64, 96)
    monkeypatch.setattr("depthseg_lib.data.image_files.photograph", lambda file: pytest.fail(f"{file} was decoded"))
    with pytest.raises(InputError, match=message):
        Own(root).check()


def test_the_example_reads_camvid_and_all_real_clips(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    data = real_set("camvid").parent
    for name in ("highway", "kitti_odometry", "kitti_raw"):
        real_set(name)
    shutil.copytree(PROJECT / "examples" / "camvid", tmp_path / "example", ignore=lambda *_: ["data"])
    (tmp_path / "example" / "data").symlink_to(data)
    before, found = snapshot(data / "camvid"), Own(tmp_path / "example")
    found.check()
    assert (found.description.keys.image_size, found.usable, len(found.labelled["test"])) == ([96, 128], 367, 233)
    assert replace(found.label_set, name="") == replace(CAMVID, name="") and found.label_set.name == "CamVid"
    (remark,) = found.remarks
    assert "video.3.intrinsics: these intrinsics are guessed: correct" in remark and "0.8 of the width" in remark
    monkeypatch.setitem(found.__dict__, "labelled", {k: of[:20] for k, of in found.labelled.items()})
    training, test = found.annotated(96, 128)
    assert set(np.unique(training.labels)) <= {*range(11), VOID} and len(test.names) == 20
    road, sky = (np.argwhere(training.labels == CAMVID.classes.index(name))[:, 1] for name in ("road", "sky"))
    assert road.mean() > 60 and sky.mean() < 30
    decode = cache(lambda folder, decode=image_files.photograph: decode(image_files.image_files(folder)[0]))
    monkeypatch.setattr(image_files, "photograph", lambda file: decode(file.parent))  # a frame of each sequence
    video = found.video(64, 96)
    assert video.images.shape == (545, 3, 64, 96) and len(np.unique(video.sequence)) == 10
    assert video.intrinsics[:, 0, 2] == pytest.approx(47.5, abs=6)
    training, held_out = split_triplets(video, 1)
    assert len(training) == 467 - 2 * 9 and len(held_out) == 76  # the last is the drive of KITTI raw
    assert with_truth(video, held_out)[:, 1].tolist() == [467 + 25, 467 + 50, 467 + 75] and len(found.depth) == 4
    assert snapshot(data / "camvid") == before
