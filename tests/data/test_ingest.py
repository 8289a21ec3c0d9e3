"""Decoding once into the cache: keys, broken files, sizes, and a source that is never written to."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers.limited import folder_for_all, ordinary_user
from helpers.tiny import label, picture, snapshot, truncate
from PIL import Image

from depthseg_lib.data import image_files, ingest
from depthseg_lib.data.labels import CAMVID, VOID, packed_colour
from depthseg_lib.errors import InputError

MATRIX = np.array([[20.0, 0, 11.5], [0, 20.0, 7.5], [0, 0, 1]])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def clip(tmp_path):
    files = [tmp_path / "clip" / f"{i:03d}.png" for i in range(5)]
    for seed, file in enumerate(files):
        picture(file, 16, 24, seed=seed)
    return ingest.Clip(tuple(files), (16, 24), MATRIX)


@pytest.fixture
def pair(tmp_path):
    picture(tmp_path / "images" / "a.png", 16, 24)
    label(tmp_path / "labels" / "a.png", np.tile(np.arange(12, dtype=np.uint8).repeat(2), (16, 1)))
    return ingest.pair("a", tmp_path / "images" / "a.png", tmp_path / "labels" / "a.png")


def read(clips, progress=None):
    return ingest.video(clips, 8, 12, progress=progress)


def read_pairs(pair, label_set=CAMVID):
    return ingest.labelled([ingest.pair("a", *pair.files, label_set.coloured)], label_set, 8, 12)


def test_a_video_is_packed_in_order_with_its_intrinsics(clip):
    lines = []
    video = read([clip], progress=lines.append)
    assert video.images.shape == (5, 3, 8, 12) and video.images.dtype == np.uint8
    assert isinstance(video.images, np.memmap) and not video.images.flags.writeable
    means = [image_files.photograph(file).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)) for file in clip.files]
    assert np.allclose(video.images.mean((2, 3)), means, atol=3)
    assert np.allclose(video.intrinsics, [[10, 0, 5.5], [0, 10, 3.5], [0, 0, 1]]) and len(video.intrinsics) == 5
    assert lines[1:] == ["read 5 of 5 files, 0 s left"]


def test_a_changed_file_is_read_again(clip):
    first = np.array(read([clip]).images)
    Image.new("RGB", (24, 16), (9, 9, 9)).save(clip.files[1])
    second = read([clip]).images
    assert (second[1] == 9).all() and (second[0] == first[0]).all()


def test_steps_interleave_so_that_no_frame_is_lost(clip):
    names = [[file.stem for file in part.files] for part in clip.every(2)]
    assert names == [["000", "002", "004"], ["001", "003"]] and clip.every(1)[0].files == clip.files
    video = read(clip.every(2))
    assert video.sequence.tolist() == [0, 0, 0, 1, 1] and video.triplets().tolist() == [[0, 1, 2]]
    assert len(clip.every(9)) == 5  # one frame per sequence


def test_a_source_that_may_only_be_read_is_read_and_left_as_it_was(clip, pair, tmp_path, monkeypatch):
    with folder_for_all() as parent:
        for name in ("clip", "images", "labels"):
            shutil.copytree(tmp_path / name, parent / name)
        (parent / "cache").mkdir(mode=0o777)
        (parent / "cache").chmod(0o777)
        sources = [path for path in parent.rglob("*") if parent / "cache" != path]
        for path in sources:
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = snapshot(parent / "clip")
        monkeypatch.setenv("DEPTHSEG_CACHE", str(parent / "cache"))
        with ordinary_user():
            video = read([replace(clip, files=tuple(parent / "clip" / file.name for file in clip.files))])
            labelled = read_pairs(ingest.pair("a", parent / "images/a.png", parent / "labels/a.png"))
        assert len(video.images) == 5 and len(labelled.labels) == 1 and snapshot(parent / "clip") == before


def damage(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (truncate, "cannot be read .*fetch or copy it again"),
        (damage, "cannot be read"),
        (lambda file: file.write_text("<html>404</html>"), "cannot be read"),
        (lambda file: file.unlink(), r"cannot be read \(No such file"),
        (lambda file: label(file, np.zeros((16, 24), np.uint16)), "has a single channel of more than 8 bits"),
    ],
    ids=["cut short", "damaged", "no image", "missing", "16 bits"],
)
def test_a_broken_frame_is_named_and_nothing_is_kept(clip, cache, change, message):
    change(clip.files[2])
    with pytest.raises(InputError, match=rf"002\.png {message}"):
        read([clip])
    assert not [path for path in cache.glob("ingest/*") if path.is_dir() and path.suffix != ".partial"]


def test_a_frame_of_another_size_is_named_before_anything_is_decoded(clip, monkeypatch):
    picture(clip.files[4], 16, 20)
    monkeypatch.setattr(image_files, "photograph", lambda file: pytest.fail("decoded before the sizes were compared"))
    with pytest.raises(InputError, match=r"004\.png is 20x16, but 24x16 was expected"):
        read([clip])


def test_a_disk_without_space_is_said_before_anything_is_decoded(clip, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 100}))
    monkeypatch.setattr(image_files, "photograph", lambda file: pytest.fail("decoded before the space was checked"))
    with pytest.raises(InputError, match="DEPTHSEG_CACHE"):
        read([clip])


def test_pairs_become_training_indices(pair):
    labelled = read_pairs(pair)
    assert labelled.names == ("a",) and labelled.label_set is CAMVID
    assert labelled.images.shape == (1, 3, 8, 12) and labelled.labels.shape == (1, 8, 12)
    assert labelled.labels[0, 0].tolist() == [*range(11), VOID]


def test_a_palette_label_image_is_read_by_its_indices(pair):
    image = Image.fromarray(np.tile(np.arange(12, dtype=np.uint8).repeat(2), (16, 1)))
    image.putpalette(list(range(256)) * 3)
    assert image.mode == "P"
    image.save(pair.files[1])
    assert read_pairs(pair).labels[0, 0].tolist() == [*range(11), VOID]


@pytest.mark.parametrize(
    ("pixels", "found"),
    [(np.zeros((16, 24, 2), np.uint8), "a LA image"), (np.zeros((16, 24, 3), np.uint8), "a RGB image")],
    ids=["alpha", "colours"],
)
def test_images_that_hold_no_ids_are_refused_as_labels(pair, pixels, found):
    label(pair.files[1], pixels)
    with pytest.raises(InputError, match=rf"labels/a\.png is no label image: .*found .*{found}"):
        read_pairs(pair)


def coloured(pair, ids=None):
    ids = np.tile(np.arange(11, dtype=np.uint8).repeat(2), (16, 1)) if ids is None else ids
    Image.fromarray(CAMVID.colour(ids)).save(pair.files[1])
    known = tuple(packed_colour(*colour) for colour in CAMVID.colours)
    return replace(CAMVID, ids=known, void_ids=(packed_colour(0, 0, 0),), coloured=True)


def test_coloured_label_images_are_read_by_their_colours(pair):
    picture(pair.files[0], 16, 22)
    found = ingest.labelled([ingest.pair("a", *pair.files, True)], coloured(pair), 8, 11)
    assert found.labels[0, 0].tolist() == [*range(11)]


def test_a_colour_of_no_class_is_named(pair):
    label_set = coloured(pair, np.zeros((16, 24), np.uint8))
    Image.new("RGB", (24, 16), (1, 2, 3)).save(pair.files[1])
    with pytest.raises(InputError, match=r"labels/a\.png: colours \(1, 2, 3\) are not in the label set"):
        read_pairs(pair, label_set)


def test_ids_where_colours_were_expected_are_refused(pair):
    label_set = coloured(pair, np.zeros((16, 24), np.uint8))
    label(pair.files[1], np.zeros((16, 24), np.uint8))
    with pytest.raises(InputError, match=r"labels/a\.png is no coloured label image: .*map ids to classes"):
        read_pairs(pair, label_set)


def test_labels_that_were_saved_as_jpeg_are_refused(pair, tmp_path):
    picture(tmp_path / "labels" / "a.jpg", 16, 24, channels=1)
    with pytest.raises(InputError, match=r"labels/a\.jpg is a JPEG, which changes ids and colours"):
        read_pairs(ingest.pair("a", pair.files[0], tmp_path / "labels" / "a.jpg"))
