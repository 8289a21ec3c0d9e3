"""CamVid: pairs of every split, and the one split that is video."""

import numpy as np
import pytest
from helpers.real_data import real_set
from helpers.tiny import label, picture, snapshot

from depthseg_lib.data import camvid
from depthseg_lib.data.labels import CAMVID, VOID
from depthseg_lib.errors import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    for split in camvid.SPLITS:
        for i in range(4):
            name = f"{split}_{i:05d}.png"
            picture(tmp_path / "camvid" / split / name, 18, 24, seed=i)
            label(tmp_path / "camvid" / f"{split}annot" / name, np.full((18, 24), 3 * i + 2, np.uint8))
    return tmp_path / "camvid"


@pytest.mark.parametrize("split", camvid.SPLITS)
def test_images_and_labels_are_paired_by_name(root, split):
    labelled = camvid.labelled(root, split, 9, 12)
    assert labelled.names == tuple(f"{split}_{i:05d}" for i in range(4)) and labelled.label_set is CAMVID
    assert labelled.labels[:, 0, 0].tolist() == [2, 5, 8, VOID]


def test_val_is_video_with_assumed_intrinsics(root):
    video = camvid.video(root, "val", 9, 12)
    assert video.images.shape == (4, 3, 9, 12) and len(video.triplets()) == 2
    assert np.allclose(video.intrinsics[0], [[9.6, 0, 5.5], [0, 9.6, 4], [0, 0, 1]])


def test_the_other_splits_are_no_video(root):
    with pytest.raises(InputError, match="split 'train' is no video.*use the split 'val'"):
        camvid.video(root, "train", 9, 12)


def test_an_unknown_split_is_refused(root):
    with pytest.raises(InputError, match="no split 'training': expected one of train, val, test"):
        camvid.labelled(root, "training", 9, 12)


def test_an_image_without_a_label_image_is_named(root):
    (root / "trainannot" / "train_00002.png").unlink()
    with pytest.raises(InputError, match="do not match: .*found 1 with only one of them, such as train_00002"):
        camvid.labelled(root, "train", 9, 12)


def test_a_missing_folder_says_where_the_set_is_to_be_had(tmp_path):
    with pytest.raises(InputError, match=r"absent cannot be read .*expected CamVid as in https://github\.com"):
        camvid.labelled(tmp_path / "absent", "train", 9, 12)


def test_a_folder_that_is_not_camvid_says_what_was_found(tmp_path):
    (tmp_path / "other" / "holiday").mkdir(parents=True)
    with pytest.raises(InputError, match="other is not CamVid, it has no folder train: .*found holiday"):
        camvid.labelled(tmp_path / "other", "train", 9, 12)


def test_a_split_without_images_is_named(root):
    for file in (root / "testannot").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="testannot holds no images: expected test images of CamVid, found it empty"):
        camvid.labelled(root, "test", 9, 12)


def test_the_real_set():
    root = real_set("camvid")
    before = snapshot(root)
    sets = {split: camvid.labelled(root, split, 96, 128) for split in camvid.SPLITS}
    assert [len(labelled.names) for labelled in sets.values()] == [367, 101, 233]
    for labelled in sets.values():
        assert labelled.images.shape[1:] == (3, 96, 128)
        assert set(np.unique(labelled.labels)) == {*range(11), VOID}
    road, sky = CAMVID.classes.index("road"), CAMVID.classes.index("sky")
    rows = np.arange(96)[:, None]
    assert (rows * (sets["train"].labels == road)).sum() / (sets["train"].labels == road).sum() > 60
    assert (rows * (sets["train"].labels == sky)).sum() / (sets["train"].labels == sky).sum() < 30
    assert not {name for name in sets["train"].names} & set(sets["test"].names)
    video = camvid.video(root, "val", 96, 128)
    assert len(video.triplets()) == 99 and np.allclose(video.intrinsics[0, 0], [102.4, 0, 63.5])
    assert (video.images == sets["val"].images).all()
    assert snapshot(root) == before
