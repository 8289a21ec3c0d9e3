"""Photographs of single things: centred, of the size asked for, in the settings asked for."""

import numpy as np
import pytest
import torch

from depthseg_lib.data import photographs as photograph_set
from depthseg_lib.data.photographs import CLASSES, PhotographsConfig, photographs, shots
from depthseg_lib.errors import InputError
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


@pytest.mark.parametrize("bias", [0.0, 0.4, 1.0])
def test_context_bias_sets_how_often_a_thing_is_in_its_usual_setting(bias):
    drawn = shots(PhotographsConfig(count=3000, context_bias=bias))
    assert drawn.usual.mean() == pytest.approx(bias, abs=0.04)
    home = np.array([photograph_set.SETTINGS.index(SUBJECTS[CLASSES[label]].setting) for label in drawn.labels])
    assert np.array_equal(drawn.settings == home, drawn.usual)
    if bias < 1:
        away = np.bincount((drawn.settings - home)[~drawn.usual] % 3, minlength=3)
        assert abs(away[1] / away.sum() - 0.5) < 0.05


def test_classes_are_equally_frequent_and_sizes_in_range():
    drawn = shots(PhotographsConfig(count=1200, scale_range=(0.3, 0.4)))
    assert set(np.bincount(drawn.labels)) == {100}
    assert drawn.scales.min() >= 0.3 and drawn.scales.max() <= 0.4 and np.ptp(drawn.scales) > 0.09


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


@pytest.mark.parametrize(
    "wrong",
    [{"count": 0}, {"size": 4}, {"context_bias": 1.2}, {"context_bias": -0.1}, {"scale_range": (0.8, 0.5)}],
)
def test_a_bad_config_is_refused_with_its_name(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        PhotographsConfig(**wrong)
