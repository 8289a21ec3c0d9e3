"""Where a camera moves: measured in pixels, whatever the contrast and the exposure."""

import numpy as np
import pytest
from helpers.real_data import real_set
from helpers.tiny import truncate
from PIL import Image

from depthseg_lib.data.sets import kitti_split
from depthseg_lib.data.sets.kitti_split import HEIGHT, LEAST, UNIT, WIDTH, motion
from depthseg_lib.errors import InputError


@pytest.fixture
def scene() -> np.ndarray:
    """A smooth scene, four times as large as the images that are compared."""
    coarse = np.random.default_rng(3).integers(40, 180, (10, 30), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((6 * WIDTH, 5 * HEIGHT), Image.Resampling.BICUBIC))


def seen(scene: np.ndarray, x: int, y: int = 0, gain: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """The scene from `x`, `y` on, at a quarter of its size: `x` is in pixels of an image `UNIT` wide."""
    part = scene[y : y + 4 * HEIGHT, x : x + UNIT].astype(float) * gain + shift
    return part.reshape(HEIGHT, 4, WIDTH, 4).mean((1, 3))


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_motion_is_in_pixels_of_an_image_416_wide(scene, pixels):
    both = [motion(seen(scene, 20), seen(scene, 20 + dx, dy)) for dx, dy in ((pixels, 0), (0, pixels))]
    assert np.mean(both) == pytest.approx(pixels, rel=0.25)  # the scene's gradients favour no direction, nearly


def test_neither_contrast_nor_exposure_counts_as_motion(scene):
    moved = motion(seen(scene, 20), seen(scene, 22))
    assert motion(seen(scene, 20, gain=0.3), seen(scene, 22, gain=0.3)) == pytest.approx(moved)
    assert motion(seen(scene, 20), seen(scene, 22, shift=9)) == pytest.approx(moved, rel=1e-3)
    assert motion(seen(scene, 20), seen(scene, 20, shift=9)) < 0.05 < LEAST
    grain = np.random.default_rng(0).normal(0, 0.5, (2, HEIGHT, WIDTH))  # what averaging leaves of a camera's noise
    assert motion(seen(scene, 20) + grain[0], seen(scene, 20) + grain[1]) < LEAST < moved


def test_flat_images_do_not_move():
    assert motion(np.full((HEIGHT, WIDTH), 90), np.full((HEIGHT, WIDTH), 90)) == 0


def test_a_car_that_stops_stops_counting(scene, tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    files = [tmp_path / f"{i}.png" for i in range(8)]
    for file, x in zip(files, (0, 8, 16, 24, 24, 24, 24, 24), strict=True):
        Image.fromarray(scene[: 4 * HEIGHT, x : x + UNIT]).save(file)
    expected = [False, True, True, True, False, False, False, False]  # the ends lack a neighbour
    assert kitti_split.moving(files).tolist() == expected
    assert kitti_split.moving(files[:2]).tolist() == [False, False]
    monkeypatch.setattr(kitti_split, "_small", pytest.fail)
    assert kitti_split.moving(files).tolist() == expected  # kept


def test_a_broken_frame_is_named(scene, tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for file in files:
        Image.fromarray(scene).save(file)
    truncate(files[1])
    with pytest.raises(InputError, match=r"1\.png cannot be read"):
        kitti_split.moving(files)


def test_the_real_drive_comes_to_a_stop(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    files = sorted(real_set("kitti_raw").glob("*/*_sync/image_02/data/*.png"))
    found = kitti_split.moving(files)
    assert found[1:25].all() and not found[45:].any()
