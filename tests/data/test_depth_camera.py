"""The depth camera: its range, its shadows at discontinuities, its patches, and nothing else missing."""

import numpy as np
import pytest

from depthseg_lib.data.streets import DepthCamera, at_discontinuities

FRAMES = np.arange(3)


def plain(metres: float) -> np.ndarray:
    return np.full((3, 40, 60), metres, np.float32)


def test_what_is_measured_is_exact_and_only_the_range_is_missing_without_patches():
    depth = plain(10)
    depth[:, :10] = np.linspace(30, 60, 60)  # a wall that leads out of range, in steps of half a metre
    depth[:, 10:] = 30
    measured = DepthCamera(blobs=0, jump=2.0).measure(depth, FRAMES, seed=0)
    np.testing.assert_array_equal(measured, np.where(depth <= 40, depth, 0))
    near = DepthCamera(blobs=0).measure(plain(0.4), FRAMES, seed=0)
    assert (near == 0).all() and near.dtype == np.float32


def test_both_sides_of_a_step_are_shadowed_and_no_other_pixel():
    depth = plain(10)
    depth[:, :, 30:] = 13  # a step of 0.3 of the nearer
    measured = DepthCamera(blobs=0).measure(depth, FRAMES, seed=0)
    assert (measured[:, :, 29:31] == 0).all() and (np.delete(measured, (29, 30), axis=2) > 0).all()
    assert not at_discontinuities(depth, 0.35).any()
    down = at_discontinuities(depth.transpose(0, 2, 1), 0.2)
    assert down[:, 29:31].all() and down.sum() == 3 * 2 * 40


def test_the_border_of_the_sky_is_a_step():
    depth = plain(10)
    depth[:, :20] = 0
    assert at_discontinuities(depth, 0.2)[:, 19:21].all() and at_discontinuities(depth, 0.2).sum() == 3 * 2 * 60


def test_patches_are_round_and_of_frame_and_seed_alone():
    camera = DepthCamera(blobs=1, radius=(0.1, 0.1))
    whole = camera.measure(plain(5), FRAMES, seed=4)
    np.testing.assert_array_equal(whole[[2]], camera.measure(plain(5)[:1], FRAMES[2:], seed=4))
    assert not np.array_equal(whole[0], whole[1])
    assert not np.array_equal(whole[0], camera.measure(plain(5), FRAMES, seed=5)[0])
    areas = (camera.measure(np.full((200, 40, 60), 5, np.float32), np.arange(200), 0) == 0).sum((1, 2))
    assert areas.max() == pytest.approx(np.pi * 4**2, rel=0.1)  # radius 0.1 of 40 rows; less at the image's border


def test_more_patches_hide_more():
    few, many = (DepthCamera(blobs=n).measure(plain(5), FRAMES, seed=0) for n in (2, 20))
    assert 0 < (few == 0).mean() < (many == 0).mean() < 0.5
