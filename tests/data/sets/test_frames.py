"""A user's own folders of frames with their intrinsics."""

import json

import numpy as np
import pytest
from helpers.real_data import real_set
from helpers.tiny import picture, snapshot

from depthseg_lib.data.sets import own
from depthseg_lib.errors import InputError

GOOD = {"width": 24, "height": 16, "fx": 20.0, "fy": 21.0, "cx": 11.5, "cy": 7.5, "fps": 25}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    """Two sequences of 3 and 4 frames, numbered without leading zeros, and the intrinsics above them."""
    for name, numbers in {"one": (9, 10, 11), "two": (1, 2, 3, 100)}.items():
        for number in numbers:
            picture(tmp_path / "clips" / name / f"frame{number}.jpg", 16, 24, seed=number)
    (tmp_path / "clips" / "intrinsics.json").write_text(json.dumps(GOOD))
    return tmp_path / "clips"


def test_every_subfolder_is_a_sequence_in_name_order(folder):
    video = own.video_of(folder, 16, 24)
    assert video.sequence.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert np.allclose(video.intrinsics[6], [[20, 0, 11.5], [0, 21, 7.5], [0, 0, 1]])
    (folder / "one" / "frame11.jpg").unlink()
    assert (own.video_of(folder / "one", 16, 24).images == video.images[:2]).all()  # 9 before 10


def test_several_folders_and_frames_beside_subfolders_are_read(folder):
    assert own.video_of([folder / "two", folder / "one"], 8, 12).sequence.tolist() == [0] * 4 + [1] * 3
    picture(folder / "0.png", 16, 24)
    assert own.video_of(str(folder), 8, 12).sequence.tolist() == [0] + [1] * 3 + [2] * 4


def test_intrinsics_beside_the_frames_come_first_and_a_given_file_before_all(folder, tmp_path):
    (folder / "one" / "intrinsics.json").write_text(json.dumps(GOOD | {"fx": 30.0}))
    (tmp_path / "given.json").write_text(json.dumps(GOOD | {"fx": 40.0}))
    assert own.video_of(folder, 16, 24).intrinsics[:, 0, 0].tolist() == [30] * 3 + [20] * 4
    assert own.video_of(folder, 16, 24, intrinsics=tmp_path / "given.json").intrinsics[0, 0, 0] == 40


def test_missing_intrinsics_name_the_file_and_what_it_must_hold(folder):
    (folder / "intrinsics.json").unlink()
    expected = r'one/intrinsics\.json cannot be read \(No such file.*\{"width": 640, "height": 320, "fx"'
    with pytest.raises(InputError, match=expected):
        own.video_of(folder, 8, 12)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "is not json"),
        ("[1, 2]", "no positive number for width, height, fx"),
        (json.dumps({**GOOD, "fx": "20"}), "no positive number for fx"),
        (json.dumps({**GOOD, "cy": float("nan")}), "no positive number for cy"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "fy"}), "no positive number for fy"),
    ],
)
def test_wrong_intrinsics_are_named(folder, text, found):
    (folder / "intrinsics.json").write_text(text)
    with pytest.raises(InputError, match=f"intrinsics.json {found if found.startswith('is') else 'has ' + found}"):
        own.video_of(folder, 8, 12)


def test_intrinsics_of_another_size_are_refused(folder):
    (folder / "intrinsics.json").write_text(json.dumps(GOOD | {"width": 48}))
    with pytest.raises(InputError, match=r"frame9\.jpg is 24x16, but 48x16 was expected"):
        own.video_of(folder, 8, 12)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=f"{tmp_path}/absent cannot be read .No such file.*frames as PNG or JPEG"):
        own.video_of(tmp_path / "absent", 8, 12)


def test_an_empty_folder_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty is empty: expected frames as PNG or JPEG"):
        own.video_of(tmp_path / "empty", 8, 12)
    with pytest.raises(InputError, match="no folder of frames was given"):
        own.video_of([], 8, 12)


def test_a_folder_without_frames_says_what_was_found(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("nothing")
    with pytest.raises(InputError, match=r"notes holds no frames: expected frames .*found readme\.txt"):
        own.video_of(tmp_path / "notes", 8, 12)


def test_the_same_frame_twice_is_refused(folder):
    picture(folder / "one" / "frame9.png", 16, 24)
    with pytest.raises(InputError, match=r"holds both frame9\.jpg and frame9\.png"):
        own.video_of(folder, 8, 12)


def test_the_highway_clips():
    root = real_set("highway")
    before = snapshot(root)
    video = own.video_of(root, 96, 128, crop=True, step=2)
    assert video.images.shape == (264, 3, 96, 128) and len(np.unique(video.sequence)) == 6
    assert len(video.triplets()) == 264 - 2 * 6
    scale = 96 / 320  # 640x320 cropped to 427x320
    assert np.allclose(video.intrinsics[0, 1], [0, 575.65 * scale, (194.6 + 0.5) * scale - 0.5], atol=1e-3)
    assert np.allclose(video.intrinsics[0, 0, [0, 2]], [578.25 * 128 / 427, (335.65 - 106 + 0.5) * 128 / 427 - 0.5])
    neighbours, apart = (video.images[[b]].astype(int) - video.images[[a]] for a, b in ((0, 1), (0, 30)))
    assert np.abs(neighbours).mean() < np.abs(apart).mean()
    assert snapshot(root) == before
