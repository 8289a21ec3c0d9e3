"""Cityscapes: images paired with label ids, snippets with the intrinsics of their camera."""

import json

import numpy as np
import pytest
from helpers import tiny_cityscapes
from helpers.tiny import label, picture, snapshot, truncate
from PIL import Image

from depthseg_lib.data.labels import CITYSCAPES, VOID
from depthseg_lib.data.sets import cityscapes
from depthseg_lib.errors import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    return tiny_cityscapes.whole(tmp_path / "cityscapes")


def labels_of(root, number=0):
    return root / "gtFine/train/aachen" / f"aachen_{number:06}_000019_gtFine_labelIds.png"


def camera(root):
    return root / "camera/train/hanover/hanover_000000_000714_camera.json"


def test_images_are_paired_with_label_ids(root):
    found = cityscapes.labelled(root, "train", 48, 96)
    assert found.names == tuple(f"aachen_{i:06}_000019" for i in range(6)) and found.label_set is CITYSCAPES
    column = [CITYSCAPES.classes[i] if i != VOID else "void" for i in found.labels[0, 3::6, 0]]
    assert column == ["sky", "building", "vegetation", "car", "person", "road", "road", "void"]
    assert found.images.shape == (6, 3, 48, 96) and (found.labels[1, 1:] == found.labels[0, :-1]).all()


def test_the_whole_image_is_kept_bonnet_and_all(root):
    found = cityscapes.labelled(root, "val", 64, 64)
    assert (found.labels[0, -8:] == VOID).all() and (found.labels[0, -9] != VOID).all()
    assert cityscapes.video_of(root, "train", 64, 64).intrinsics[0, 1, 1] == pytest.approx(112 * 64 / 48)


def test_snippets_are_sequences_with_the_intrinsics_of_their_camera(root):
    values = {**tiny_cityscapes.CAMERA, "intrinsic": dict(fx=200, fy=210, u0=50, v0=20)}
    camera(root).write_text(json.dumps(values))
    video = cityscapes.video_of(root, "train", 48, 96)
    assert video.sequence.tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5
    assert np.allclose(video.intrinsics[0], [[110, 0, 48], [0, 112, 24], [0, 0, 1]])
    assert np.allclose(video.intrinsics[[14, 15], 0, 0], [110, 200])
    assert len(video.triplets()) == 12


def test_a_snippet_ends_where_a_frame_is_missing(root):
    (root / "leftImg8bit_sequence/train/aachen/aachen_000001_000001_leftImg8bit.png").unlink()
    (root / "camera/train/aachen/aachen_000001_000000_camera.json").write_text(json.dumps(tiny_cityscapes.CAMERA))
    sequence = cityscapes.video_of(root, "train", 48, 96).sequence
    assert np.bincount(sequence).tolist() == [5, 1, 3, 5, 5]


def test_a_palette_label_image_holds_ids(root):
    before = cityscapes.labelled(root, "train", 48, 96).labels[2].copy()
    with Image.open(labels_of(root, 2)) as opened:
        image = opened.copy()
    image.putpalette(list(range(255, -1, -1)) * 3)
    assert image.mode == "P"
    image.save(labels_of(root, 2))
    assert (cityscapes.labelled(root, "train", 48, 96).labels[2] == before).all()


def test_16_bit_label_images_are_refused(root):
    label(labels_of(root, 1), np.full((48, 96), 7, np.uint16))
    with pytest.raises(InputError, match=r"000001_000019_gtFine_labelIds\.png is no label image: .*more than 8 bits"):
        cityscapes.labelled(root, "train", 48, 96)


def test_ids_that_are_not_cityscapes_are_refused(root):
    label(labels_of(root, 1), np.full((48, 96), 34, np.uint8))
    with pytest.raises(InputError, match=r"000001_000019_gtFine_labelIds\.png: label ids \[34\].*'Cityscapes'"):
        cityscapes.labelled(root, "train", 48, 96)


@pytest.mark.parametrize("place", ["gtFine", "leftImg8bit"])
def test_a_truncated_file_is_named(root, place):
    file = labels_of(root, 2)
    if place == "leftImg8bit":
        file = root / "leftImg8bit/train/aachen/aachen_000002_000019_leftImg8bit.png"
    truncate(file)
    with pytest.raises(InputError, match=rf"{file.name} cannot be read"):
        cityscapes.labelled(root, "train", 48, 96)


def test_a_truncated_frame_is_named(root):
    file = root / "leftImg8bit_sequence/train/hanover/hanover_000000_000713_leftImg8bit.png"
    truncate(file)
    with pytest.raises(InputError, match=r"hanover_000000_000713_leftImg8bit\.png cannot be read"):
        cityscapes.video_of(root, "train", 48, 96)


def test_images_of_several_sizes_are_each_brought_to_one(root):
    picture(root / "leftImg8bit/train/aachen/aachen_000003_000019_leftImg8bit.png", 96, 192)
    label(labels_of(root, 3), np.full((96, 192), 7, np.uint8))
    assert (cityscapes.labelled(root, "train", 48, 96).labels[3] == 0).all()
    picture(root / "leftImg8bit/train/aachen/aachen_000003_000019_leftImg8bit.png", 96, 180)
    with pytest.raises(InputError, match=r"000003_000019_leftImg8bit\.png is 180x96, but its label image .* 192x96"):
        cityscapes.labelled(root, "train", 48, 96)


def test_a_frame_of_another_size_than_its_snippet_is_named(root):
    picture(root / "leftImg8bit_sequence/train/hanover/hanover_000000_000714_leftImg8bit.png", 40, 80)
    with pytest.raises(InputError, match=r"000714_leftImg8bit\.png is 80x40, but 96x48 was expected"):
        cityscapes.video_of(root, "train", 48, 96)


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", '{"intrinsic": 3}', '{"intrinsic": {"fx": 1, "fy": 1, "u0": 1}}']
    + ['{"intrinsic": {"fx": "1", "fy": 1, "u0": 1, "v0": 1}}', '{"intrinsic": {"fx": 0, "fy": 1, "u0": 1, "v0": 1}}'],
)
def test_a_camera_without_intrinsics_is_named(root, content):
    camera(root).write_text(content)
    with pytest.raises(InputError, match=r"hanover_000000_000714_camera\.json has no intrinsics: .*\"fx\""):
        cityscapes.video_of(root, "train", 48, 96)


def test_a_camera_that_is_no_json_or_missing_is_named(root):
    camera(root).write_text("{")
    with pytest.raises(InputError, match=r"000714_camera\.json is not json"):
        cityscapes.video_of(root, "train", 48, 96)
    camera(root).unlink()
    with pytest.raises(InputError, match="hanover_000000_000712 to hanover_000000_000716 have no camera: .*000714_cam"):
        cityscapes.video_of(root, "train", 48, 96)


def test_an_image_without_labels_is_named(root):
    labels_of(root, 4).unlink()
    with pytest.raises(InputError, match="do not match: .*found 1 with only one of them, such as aachen_000004_000019"):
        cityscapes.pairs(root, "train")


def test_other_label_images_are_not_enough(root):
    for file in root.glob("gtFine/val/*/*_labelIds.png"):
        file.rename(file.with_name(file.name.replace("labelIds", "labelTrainIds")))
    with pytest.raises(InputError, match=r"val holds no files .*_gtFine_labelIds\.png .*gtFine_trainvaltest\.zip"):
        cityscapes.labelled(root, "val", 48, 96)


def test_what_is_missing_is_named(root, tmp_path):
    with pytest.raises(InputError, match="no split 'validation': expected one of train, val, test"):
        cityscapes.labelled(root, "validation", 48, 96)
    (root / "camera").rename(root / "cameras")
    with pytest.raises(InputError, match=r"lacks camera: .*camera_trainvaltest\.zip from https://www\.cityscapes"):
        cityscapes.require_folders(root)
    cityscapes.labelled(root, "val", 48, 96)
    with pytest.raises(InputError, match="absent cannot be read .*expected leftImg8bit, gtFine"):
        cityscapes.require_folders(tmp_path / "absent")


def test_a_read_only_source_behind_a_link_is_read_and_not_written_to(root, tmp_path):
    places = sorted(root.rglob("*"), reverse=True)
    for path in places:
        path.chmod(path.stat().st_mode & ~0o222)
    before = snapshot(root)
    (tmp_path / "link").symlink_to(root)
    assert len(cityscapes.video_of(tmp_path / "link", "train", 48, 96).images) == 20
    assert len(cityscapes.labelled(tmp_path / "link", "val", 48, 96).names) == 4 and snapshot(root) == before
    for path in places:
        path.chmod(path.stat().st_mode | 0o200)
