"""Video, labelled images and photographs: triplets, what is held out, subsets."""

from dataclasses import replace

import numpy as np
import pytest

from depthseg_lib.data.arrays import Labelled, PartialDepth, Video, split_triplets
from depthseg_lib.data.labels import CAMVID
from depthseg_lib.errors import InputError


def video(*lengths: int, **more) -> Video:
    count = sum(lengths)
    images = np.random.default_rng(count).integers(0, 256, (count, 3, 4, 6), dtype=np.uint8)
    sequence = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    matrices = np.repeat(np.eye(3, dtype=np.float32)[None], count, axis=0)
    return Video(images, sequence, matrices, **more)


def test_triplets_stay_within_a_sequence():
    assert video(4, 3).triplets().tolist() == [[0, 1, 2], [1, 2, 3], [4, 5, 6]]
    assert video(5, 4).triplets(step=2).tolist() == [[0, 2, 4]]


@pytest.mark.parametrize(("lengths", "step", "longest"), [((2, 2, 1), 1, 2), ((4, 3), 2, 4), ((1,), 1, 1)])
def test_fewer_frames_than_a_triplet_are_refused(lengths, step, longest):
    with pytest.raises(InputError, match=f"needs {2 * step + 1} consecutive frames.*longest sequence has {longest}"):
        video(*lengths).triplets(step)


def test_only_targets_are_in_the_middle_of_a_triplet():
    targets = np.array([0, 1, 0, 1, 0, 1, 0], bool)
    assert replace(video(4, 3), targets=targets).triplets().tolist() == [[0, 1, 2], [4, 5, 6]]
    assert replace(video(4, 3), targets=~targets).triplets().tolist() == [[1, 2, 3]]


def test_partial_depth_is_indexed_like_that_of_all_frames():
    maps = np.random.default_rng(0).random((3, 4, 6)).astype(np.float16)
    maps[2] = 0
    partial, whole = PartialDepth(np.array([1, 4, 6]), maps), np.zeros((7, 4, 6), np.float16)
    whole[[1, 4, 6]] = maps
    for wanted in (4, np.int64(0), 6, [1, 1, 0], np.arange(7), np.array([[6, 4], [2, 1]])):
        assert (partial[wanted] == whole[wanted]).all() and partial[wanted].dtype == np.float16
    frames = np.arange(7)
    known = [False, True, False, False, True, False, False]  # frame 6 was measured, but nothing was found
    for depth in (partial, whole):
        assert video(4, 3, depth=depth).measured(frames).tolist() == known


def test_a_view_is_the_subset_and_reads_nothing_before_it_is_asked(tmp_path):
    images, labels = np.arange(5 * 3 * 4).reshape(5, 3, 2, 2), np.arange(20).reshape(5, 2, 2)
    whole = Labelled(images, labels, CAMVID, tuple("abcde"))
    view, subset = whole.view([4, 0, 2]), whole.subset([4, 0, 2])
    assert view.names == subset.names == ("e", "a", "c") and view.label_set is CAMVID
    assert (subset.images == images[[4, 0, 2]]).all() and (subset.labels == labels[[4, 0, 2]]).all()
    for name in ("images", "labels"):
        rows, expected = getattr(view, name), getattr(subset, name)
        assert len(rows) == 3 and rows.shape == expected.shape and rows.dtype == expected.dtype
        for key in (1, slice(1, 3), slice(1, 9), np.array([2, 2, 0]), [1], -1):
            assert np.array_equal(rows[key], expected[key])
        assert np.array_equal(np.concatenate([rows, expected[:1]]), np.concatenate([expected, expected[:1]]))
        assert np.array_equal(np.stack(list(rows)), expected)
    assert (view.view([1]).images[0] == images[0]).all() and (view.subset([1]).labels == labels[:1]).all()
    labels[4] = 77
    assert (view.labels[0] == 77).all() and not (subset.labels[0] == 77).any()


def test_the_last_sequences_are_held_out_unless_the_set_names_frames():
    training, held_out = split_triplets(video(5, 5), 1)
    assert training[:, 1].tolist() == [1, 2, 3] and held_out[:, 1].tolist() == [6, 7, 8]
    named = np.isin(np.arange(10), [2, 7])
    training, held_out = split_triplets(video(5, 5, held_out=named), 1)
    assert training[:, 1].tolist() == [1, 3, 6, 8] and held_out[:, 1].tolist() == [2, 7]
    targets = np.isin(np.arange(10), [2, 3])
    training, held_out = split_triplets(video(5, 5, held_out=named, targets=targets), 1)
    assert training[:, 1].tolist() == [3] and held_out[:, 1].tolist() == [2]


def test_a_split_without_one_of_its_sides_is_refused():
    for named in (np.zeros(10, bool), np.ones(10, bool)):
        with pytest.raises(InputError, match="pre-training needs some of both"):
            split_triplets(video(5, 5, held_out=named), 1)
