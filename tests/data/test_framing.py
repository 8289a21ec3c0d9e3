"""Masks of photographs: of the photographs that classification sees, around the thing, of the size asked for."""

import numpy as np
import pytest

from depthseg_lib.data.photographs import CLASSES, PhotographsConfig, first_of_each, framed, render_photographs, shots

CONFIG = PhotographsConfig(size=64, count=36)


@pytest.fixture(scope="module")
def found():
    return framed(CONFIG, np.arange(36))


def test_the_photographs_are_those_that_classification_sees(found, tmp_path):
    render_photographs(tmp_path, CONFIG)
    images = np.load(tmp_path / "images.npy")
    assert np.abs(images.astype(int) - found.images).mean() < 0.5  # sums in another order may move a value by one
    assert np.array_equal(found.labels, shots(CONFIG).labels)


def test_the_larger_side_of_a_mask_is_the_share_that_was_drawn(found):
    for mask, scale in zip(found.masks, shots(CONFIG).scales, strict=True):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(64 * scale, abs=8)
        assert abs(rows.mean() - 31.5) < 7 and abs(columns.mean() - 31.5) < 7


def test_photographs_are_chosen_by_class_and_may_be_any(found):
    numbers = first_of_each(CONFIG, ["car", "person"], 2)
    labels = shots(CONFIG).labels
    assert sorted(CLASSES[label] for label in labels[numbers]) == ["car", "car", "person", "person"]
    assert list(numbers) == sorted(numbers)
    alone = framed(CONFIG, numbers)
    assert np.array_equal(alone.masks, found.masks[numbers])
