"""A user's own data: images of several sizes, pairs by globs, video with intrinsics, and bad input."""

import json

import numpy as np
import pytest
from helpers import own_data
from helpers.tiny import label, picture, snapshot, truncate

from depthseg_lib.data import image_files
from depthseg_lib.data.arrays import split_triplets
from depthseg_lib.data.labels import VOID
from depthseg_lib.data.sets import description, own
from depthseg_lib.errors import InputError


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return own_data.write(tmp_path / "data")


def test_images_and_labels_are_read_and_the_source_is_left_alone(root):
    before = snapshot(root)
    training, test = own.annotated(root, 64, 96)
    assert test is None and training.names == tuple(str(i) for i in range(8))
    assert training.images.shape == (8, 3, 64, 96) and training.label_set.name == "my town"
    assert training.labels[0, 0, ::24].tolist() == [0, 1, 2, VOID] and training.labels[1, 0, 1] == 0
    assert own.annotated_count(root) == 8 and own.usable(description.read(root)) == 6
    own.check(root)
    assert snapshot(root) == before


def test_a_single_drive_is_cut_so_that_its_end_is_held_out(root):
    video = own.video(root, 64, 96)
    assert video.sequence.tolist() == [0] * 9 + [1] * 3
    training, held_out = split_triplets(video, 1)
    assert len(training) == 7 and held_out.tolist() == [[9, 10, 11]]
    assert np.allclose(video.intrinsics[0], [[70, 0, 47.5], [0, 70, 31.5], [0, 0, 1]])


def test_images_of_several_sizes_keep_their_shapes(root):
    picture(root / "images" / "wide.jpg", 64, 192)
    ids = np.full((64, 192), 2, np.uint8)
    ids[:, 48:144] = 1
    label(root / "labels" / "wide.png", ids)
    found = own.annotated(root, 64, 96)[0]
    assert found.names[-1] == "wide" and (found.labels[-1] == 1).all()  # the middle, not squeezed


def test_pairs_are_found_by_what_the_stars_stand_for(root):
    for town in ("east", "west"):
        picture(root / "img" / town / "frame_1.jpg", 64, 96)
        label(root / "gt" / f"{town}-1_ids.png", np.zeros((64, 96), np.uint8))
    own_data.describe(root, images=["images/*.jpg", "img/*/frame_*.jpg"], labels=["labels/*.png", "gt/*-*_ids.png"])
    found = own.annotated(root, 64, 96)[0]
    assert len(found.images) == 10 and found.names[-2:] == ("img/east/frame_1.jpg", "img/west/frame_1.jpg")


def test_a_glob_may_go_through_folders_and_name_characters(root):
    own_data.describe(root, images="images/**/[0-4].jpg", labels="labels/**/[0-4].png")
    assert own.annotated_count(root) == 5


def test_a_test_split_is_all_that_is_validated_on(root):
    test = {"images": "images/[67].jpg", "labels": "labels/[67].png"}
    own_data.describe(root, images="images/[!67].jpg", labels="labels/[!67].png", test=test)
    training, held_out = own.annotated(root, 64, 96)
    assert training.names == tuple("012345") and held_out.names == ("6", "7")
    assert own.usable(description.read(root)) == 6


def test_intrinsics_may_be_a_file_or_lie_beside_the_frames(root):
    camera = own_data.CAMERA | {"fx": 80}
    for asked, file in (({"intrinsics": "camera.json"}, "camera.json"), ({}, "drive/intrinsics.json")):
        (root / file).write_text(json.dumps(camera))
        own_data.describe(root, video=[{"folder": "drive"} | asked])
        assert own.video(root, 64, 96).intrinsics[0, 0, 0] == 80
        assert root / file in own.parts(root)


def test_what_results_depend_on_changes_their_digest(root):
    digests = {image_files.digest(own.parts(root))}
    own_data.describe(root, video=[{"folder": "drive", "intrinsics": own_data.CAMERA | {"fx": 71}}])
    digests.add(image_files.digest(own.parts(root)))  # as many bytes as before
    picture(root / "drive" / "012.jpg", 64, 96)
    digests.add(image_files.digest(own.parts(root)))
    label(root / "labels" / "0.png", np.ones((64, 96), np.uint8))
    digests.add(image_files.digest(own.parts(root)))
    assert len(digests) == 4
    (root / "elsewhere.txt").write_text("no part of the set")
    assert image_files.digest(own.parts(root)) in digests


BAD = {
    "images that nothing matches": (dict(images="image/*.jpg"), r"json:\d+:2: expected the glob 'image/\*\.jpg' "),
    "labels that nothing matches": (dict(labels="labels/*.tif"), r"json:\d+:2: expected the glob 'labels/\*\.tif'"),
    "images without labels": (dict(labels="labels/[0-5].png"), r"expected a label image for every image"),
    "no such video": (dict(video=[{"folder": "drives"}]), r"json:\d+:3: the folder .*drives cannot be read"),
    "video without frames": (dict(video=[{"folder": "."}]), r"no intrinsics, there is no file .*intrinsics\.json"),
    "no intrinsics": (dict(video=[{"folder": "drive"}]), r"json:\d+:3: the frames in .*drive have no intrinsics"),
    "absent intrinsics": (dict(video=[{"folder": "drive", "intrinsics": "k.json"}]), r"there is no file .*k\.json"),
    "short video": (dict(frame_step=3), r"expected 14 frames at least in each of 1 sequences, .*found 12 in .*drive"),
    "images in both splits": (
        dict(test={"images": "images/[0].jpg", "labels": "labels/[0].png"}),
        r"expected images of the test split alone, found 1 that are trained on too",
    ),
    "too few": (dict(images="images/[0].jpg", labels="labels/[0].png"), "expected two labelled images at least"),
    "other intrinsics": (
        dict(video=[{"folder": "drive", "intrinsics": own_data.CAMERA | {"width": 98}}]),
        r"json:\d+:3: the intrinsics are for frames of 98x64, but .*000\.jpg is 96x64",
    ),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_bad_descriptions_are_found_without_decoding(root, monkeypatch, changes, message):
    own_data.describe(root, **changes)
    if changes.get("video") == [{"folder": "."}]:
        picture(root / "0.jpg", 64, 96)
    monkeypatch.setattr("depthseg_lib.data.image_files.photograph", lambda file: pytest.fail(f"{file} was decoded"))
    with pytest.raises(InputError, match=message):
        own.check(root)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: there is no such folder; expected one with a dataset\.json"):
        own.check(tmp_path / "nowhere")


def test_frames_of_another_size_in_one_drive_are_named(root):
    picture(root / "drive" / "005.jpg", 32, 48)
    with pytest.raises(InputError, match=r"005\.jpg is 48x32, but 96x64 was expected"):
        own.video(root, 64, 96)


def test_an_id_of_no_class_is_named_with_its_file(root):
    label(root / "labels" / "3.png", np.full((64, 96), 9, np.uint8))
    with pytest.raises(InputError, match=r"labels/3\.png: label ids \[9\] are not in the label set 'my town'"):
        own.annotated(root, 64, 96)


def test_a_truncated_frame_is_named(root):
    truncate(root / "drive" / "004.jpg")
    with pytest.raises(InputError, match=r"004\.jpg"):
        own.video(root, 64, 96)
