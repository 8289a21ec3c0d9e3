"""Photographs of single things: centred, of the size asked for, with masks of what they show."""

import numpy as np
import pytest
import torch

from depthseg_lib.data import photographs as photograph_set
from depthseg_lib.data.photographs import (
    CLASSES,
    PhotographsConfig,
    first_of_each,
    framed,
    photographs,
    render_photographs,
    shots,
)
from depthseg_lib.world.raycast import EMPTY, split
from depthseg_lib.world.render import pictures
from depthseg_lib.world.studio import SUBJECTS, photographs_of, shot


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    return tmp_path


def bounds(name, scale, seed, setting="meadow", size=64):
    """Bounds (x0, x1, y0, y1) in pixels of the thing in one photograph, and all labels (H, W)."""
    street, matrices = photographs_of([shot((0, 9, seed), SUBJECTS[name], setting, scale, size)])
    _, keys = pictures(street, 0, size, size, matrices)
    keys, scene = keys[0, 1::2, 1::2], street.scene
    primitive = torch.where(keys == EMPTY, 0, split(keys)[1])
    labels = torch.where(keys == EMPTY, 23, scene.label[primitive])
    y, x = ((scene.thing[primitive] == 1) & (labels == SUBJECTS[name].label)).nonzero().T
    return (int(x.min()), int(x.max()) + 1, int(y.min()), int(y.max()) + 1), labels


@pytest.mark.parametrize("name", CLASSES)
def test_the_thing_is_centred_and_of_the_size_asked_for(name):
    for seed, scale in ((1, 0.45), (2, 0.8)):
        (x0, x1, y0, y1), _ = bounds(name, scale, seed)
        assert max(x1 - x0, y1 - y0) / 64 == pytest.approx(scale, abs=0.12)
        assert abs((x0 + x1) / 2 - 32) < 6 and abs((y0 + y1) / 2 - 32) < 6


def test_the_setting_is_on_the_ground():
    for setting, label in (("road", 7), ("pavement", 8), ("meadow", 22)):
        _, labels = bounds("car", 0.6, 3, setting)
        ground = [int((labels == other).sum()) for other in (7, 8, 22)]
        assert ground[(7, 8, 22).index(label)] == sum(ground) > 200


@pytest.mark.parametrize("bias", [0.0, photograph_set.CONTEXT_BIAS, 1.0])
def test_context_bias_sets_how_often_a_thing_is_in_its_usual_setting(bias, monkeypatch):
    monkeypatch.setattr(photograph_set, "CONTEXT_BIAS", bias)
    drawn = shots(PhotographsConfig(count=3600))
    home = np.array([photograph_set.SETTINGS.index(SUBJECTS[CLASSES[label]].setting) for label in drawn.labels])
    away = np.bincount((drawn.settings - home) % 3, minlength=3) / 3600
    assert away == pytest.approx([bias, (1 - bias) / 2, (1 - bias) / 2], abs=0.04)
    assert set(np.bincount(drawn.labels)) == {300}
    least, greatest = photograph_set.SCALES
    assert least <= drawn.scales.min() < least + 0.01 and greatest - 0.01 < drawn.scales.max() <= greatest


def test_photographs_are_made_once_and_a_seed_gives_the_same(cache, monkeypatch):
    config = PhotographsConfig(size=24, count=12)
    first = photographs(config)
    assert first.images.shape == (12, 3, 24, 24) and first.classes == CLASSES and len(CLASSES) >= 8
    copy = np.array(first.images)
    monkeypatch.setenv("DEPTHSEG_CACHE", str(cache / "another"))
    assert np.array_equal(photographs(config).images, copy)
    assert not np.array_equal(photographs(PhotographsConfig(size=24, count=12, seed=1)).images, copy)
    monkeypatch.setattr(photograph_set, "pictures", None)
    assert np.array_equal(photographs(config).images, copy)


def test_a_batch_gives_the_images_that_single_shots_give(tmp_path, monkeypatch):
    config = PhotographsConfig(size=32, count=6)
    images = []
    for size, folder in ((1, tmp_path / "single"), (6, tmp_path / "batch")):
        folder.mkdir()
        monkeypatch.setattr(photograph_set, "_BATCH", size)
        photograph_set.render_photographs(folder, config)
        images.append(np.load(folder / "images.npy").astype(int))
    assert np.abs(images[0] - images[1]).mean() < 0.5 and images[0].std() > 20


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
