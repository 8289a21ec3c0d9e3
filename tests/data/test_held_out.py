"""Which frames are kept for evaluation: those that a set names, else whole sequences."""

import numpy as np
import pytest

from depthseg_lib.data.arrays import Video, split_triplets
from depthseg_lib.errors import InputError


def video(**more) -> Video:
    images, sequence = np.zeros((10, 3, 4, 6), np.uint8), np.repeat([0, 1], 5).astype(np.int32)
    return Video(images, sequence, np.tile(np.eye(3, dtype=np.float32), (10, 1, 1)), **more)


def test_the_last_sequences_are_held_out_unless_the_set_names_frames():
    training, held_out = split_triplets(video(), 1)
    assert training[:, 1].tolist() == [1, 2, 3] and held_out[:, 1].tolist() == [6, 7, 8]
    named = np.isin(np.arange(10), [2, 7])
    training, held_out = split_triplets(video(held_out=named), 1)
    assert training[:, 1].tolist() == [1, 3, 6, 8] and held_out[:, 1].tolist() == [2, 7]
    targets = np.isin(np.arange(10), [2, 3])
    training, held_out = split_triplets(video(held_out=named, targets=targets), 1)
    assert training[:, 1].tolist() == [3] and held_out[:, 1].tolist() == [2]


def test_a_split_without_one_of_its_sides_is_refused():
    for named in (np.zeros(10, bool), np.ones(10, bool)):
        with pytest.raises(InputError, match="pre-training needs some of both"):
            split_triplets(video(held_out=named), 1)
