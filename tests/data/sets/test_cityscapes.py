"""Cityscapes: images paired with label ids, snippets with the intrinsics of their camera."""

import json

import numpy as np
import pytest
from helpers import tiny_cityscapes

from depthseg_lib.data.labels import CITYSCAPES, VOID
from depthseg_lib.data.sets.cityscapes import Cityscapes
from depthseg_lib.errors import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    return tiny_cityscapes.whole(tmp_path / "cityscapes")


def labelled(root, split="train", height=48, width=96):
    return Cityscapes(root).annotated(height, width)[("train", "val").index(split)]


def video(root, height=48, width=96):
    return Cityscapes(root).video(height, width)


def labels_of(root, number=0):
    return root / "gtFine/train/aachen" / f"aachen_{number:06}_000019_gtFine_labelIds.png"


def camera(root):
    return root / "camera/train/hanover/hanover_000000_000714_camera.json"


def test_images_are_paired_with_label_ids(root):
    found = labelled(root)
    assert found.names == tuple(f"aachen_{i:06}_000019" for i in range(6)) and found.label_set is CITYSCAPES
    column = [CITYSCAPES.classes[i] if i != VOID else "void" for i in found.labels[0, 3::6, 0]]
    assert column == ["sky", "building", "vegetation", "car", "person", "road", "road", "void"]
    assert found.images.shape == (6, 3, 48, 96) and (found.labels[1, 1:] == found.labels[0, :-1]).all()


def test_the_whole_image_is_kept_bonnet_and_all(root):
    found = labelled(root, "val", 64, 64)
    assert (found.labels[0, -8:] == VOID).all() and (found.labels[0, -9] != VOID).all()
    assert video(root, 64, 64).intrinsics[0, 1, 1] == pytest.approx(112 * 64 / 48)


def test_snippets_are_sequences_with_the_intrinsics_of_their_camera(root):
    values = {**tiny_cityscapes.CAMERA, "intrinsic": dict(fx=200, fy=210, u0=50, v0=20)}
    camera(root).write_text(json.dumps(values))
    found = video(root)
    assert found.sequence.tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5
    assert np.allclose(found.intrinsics[0], [[110, 0, 48], [0, 112, 24], [0, 0, 1]])
    assert np.allclose(found.intrinsics[[14, 15], 0, 0], [110, 200])
    assert len(found.triplets()) == 12


def test_a_snippet_ends_where_a_frame_is_missing(root):
    (root / "leftImg8bit_sequence/train/aachen/aachen_000001_000001_leftImg8bit.png").unlink()
    (root / "camera/train/aachen/aachen_000001_000000_camera.json").write_text(json.dumps(tiny_cityscapes.CAMERA))
    sequence = video(root).sequence
    assert np.bincount(sequence).tolist() == [5, 1, 3, 5, 5]


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", '{"intrinsic": 3}', '{"intrinsic": {"fx": 1, "fy": 1, "u0": 1}}']
    + ['{"intrinsic": {"fx": "1", "fy": 1, "u0": 1, "v0": 1}}', '{"intrinsic": {"fx": 0, "fy": 1, "u0": 1, "v0": 1}}'],
)
def test_a_camera_without_intrinsics_is_named(root, content):
    camera(root).write_text(content)
    with pytest.raises(InputError, match=r"hanover_000000_000714_camera\.json has no positive number for .*\"fx\""):
        video(root)


def test_a_camera_that_is_no_json_or_missing_is_named(root):
    camera(root).write_text("{")
    with pytest.raises(InputError, match=r"000714_camera\.json is not json"):
        video(root)
    camera(root).unlink()
    with pytest.raises(
        InputError, match="1 of 4 snippets have no camera .*_000712 to hanover_000000_000716: .*000714_cam"
    ):
        video(root)


def test_all_snippets_without_a_camera_are_counted_before_anything_runs(root):
    for city in ("aachen", "hanover"):
        for file in (root / "camera/train" / city).iterdir():
            file.unlink()
    (root / "camera/train/aachen/aachen_000001_000002_camera.json").write_text("{}")
    message = r"(?s)2 things .*aachen_000001_000002_camera\.json has no .*3 of 4 .* \(1 of aachen, 2 of hanover\)"
    with pytest.raises(InputError, match=message):
        Cityscapes(root).check()


@pytest.mark.parametrize("frame", [1, 2, 3])
def test_the_rest_of_a_snippet_has_the_snippets_camera(root, frame):
    (root / f"leftImg8bit_sequence/train/aachen/aachen_000001_{frame:06}_leftImg8bit.png").unlink()
    values = {**tiny_cityscapes.CAMERA, "intrinsic": dict(fx=200, fy=210, u0=50, v0=20)}
    (root / "camera/train/aachen/aachen_000001_000002_camera.json").write_text(json.dumps(values))
    Cityscapes(root).check()
    found, (remark, *_) = Cityscapes(root).video(48, 96), Cityscapes(root).remarks
    assert np.bincount(found.sequence).tolist() == [5, frame, 4 - frame, 5, 5]
    assert found.intrinsics[:, 0, 0].tolist() == [110] * 5 + [200] * 4 + [110] * 10
    assert "1 of 4 snippets lack frames and are cut there, " in remark and "that of aachen_000001_000002" in remark


def test_a_camera_does_not_reach_to_another_snippet(root):
    camera(root).unlink()
    place = root / "camera/train/hanover/hanover_000000_000166_camera.json"
    place.rename(place.with_name("hanover_000000_000701_camera.json"))  # its snippet ends with frame 711
    with pytest.raises(InputError, match="2 of 4 snippets"):
        Cityscapes(root).check()
    place.with_name("hanover_000000_000701_camera.json").rename(place.with_name("hanover_000000_000702_camera.json"))
    with pytest.raises(InputError, match="1 of 4 snippets .* frames hanover_000000_000164"):
        Cityscapes(root).check()


def test_images_that_are_not_read_are_named(root):
    for name in ("a.jpg", "b.webp", "c.webp"):
        (root / "leftImg8bit/val/lindau" / name).write_bytes(b"x")
    found = Cityscapes(root).remarks
    assert "lindau holds 2 .webp files, such as b.webp, which are not read" in found[0]
    assert "lindau holds 1 images that are not read, whose names do not end in _leftImg8bit.png" in found[1]


def test_other_label_images_are_not_enough(root):
    for file in root.glob("gtFine/val/*/*_labelIds.png"):
        file.rename(file.with_name(file.name.replace("labelIds", "labelTrainIds")))
    with pytest.raises(InputError, match=r"val holds no files .*_gtFine_labelIds\.png .*gtFine_trainvaltest\.zip"):
        labelled(root, "val")
