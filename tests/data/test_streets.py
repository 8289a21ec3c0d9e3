"""The embedded video: its exact flow, and a camera that measures its depth with gaps."""

import numpy as np
import pytest
import torch
from helpers.small import poses

from depthseg_lib.data import streets
from depthseg_lib.data.streets import DepthCamera, at_discontinuities
from depthseg_lib.losses.evaluation import stays_inside
from depthseg_lib.losses.geometry import pixel_grid, project, warp_by_flow

CONFIG = streets.StreetsConfig(height=64, width=96, streets=2, frames=3)
FRAMES = np.array([4, 0])


@pytest.fixture(scope="module")
def video():
    return streets.video(CONFIG)


@pytest.fixture(scope="module")
def flow():
    return torch.from_numpy(np.array(streets.flow(CONFIG, FRAMES)))


@pytest.fixture(scope="module")
def still(video, flow):
    """The flow of depth and poses, and the pixels that move by no more than that."""
    depth, intrinsics = torch.from_numpy(video.depth[FRAMES].astype(np.float32)), torch.from_numpy(video.intrinsics)
    world = torch.from_numpy(poses(CONFIG))
    ahead = torch.linalg.inv(world[FRAMES + 1]) @ world[FRAMES]
    at = project(depth[:, None], intrinsics[FRAMES], ahead)[:, 0].permute(0, 3, 1, 2)
    expected = at - pixel_grid(CONFIG.height, CONFIG.width)[:2].view(1, 2, CONFIG.height, CONFIG.width)
    known = (depth > 0) & stays_inside(flow)
    return known, (flow - expected).norm(dim=1)


def test_flow_is_that_of_the_videos_own_depth_and_poses_but_for_what_moves(still):
    known, difference = still
    for seen, away in zip(known, difference, strict=True):
        assert seen.float().mean() > 0.3
        assert (away[seen] < 0.1).float().mean() > 0.7  # depth is stored in half precision


def test_warping_the_next_frame_by_exact_flow_gives_the_static_part(video, flow, still):
    known, difference = still
    static = known & (difference < 0.1)
    first, second = (torch.from_numpy(video.images[f]).float() / 255 for f in (FRAMES, FRAMES + 1))
    error = (warp_by_flow(second, flow) - first).abs().mean(1)[static].mean()
    unwarped = (second - first).abs().mean(1)[static].mean()
    assert error < 0.5 * unwarped
    assert error < 0.6 * (warp_by_flow(second, -flow) - first).abs().mean(1)[static].mean()


def test_flow_is_rendered_once_and_leaves_the_cached_video_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    small, said = streets.StreetsConfig(height=32, width=48, streets=2, frames=2), []
    first = streets.flow(small, np.array([2]), progress=said.append)
    folders = set((tmp_path / "streets").iterdir())
    again = streets.flow(small, np.array([2]), progress=said.append)
    np.testing.assert_array_equal(first, again)
    assert said == ["streets: exact flow of 1 frames"] and set((tmp_path / "streets").iterdir()) == folders
    assert first.shape == (1, 2, 32, 48) and first.dtype == np.float32
    others = streets.flow(small, np.array([2, 0]))
    np.testing.assert_array_equal(others[0], first[0])
    assert not np.array_equal(others[0], others[1])


STILL = np.arange(3)


def plain(metres: float) -> np.ndarray:
    return np.full((3, 40, 60), metres, np.float32)


def test_what_is_measured_is_exact_and_only_the_range_is_missing_without_patches():
    depth = plain(10)
    depth[:, :10] = np.linspace(30, 60, 60)  # a wall that leads out of range, in steps of half a metre
    depth[:, 10:] = 30
    measured = DepthCamera(blobs=0, jump=2.0).measure(depth, STILL, seed=0)
    np.testing.assert_array_equal(measured, np.where(depth <= 40, depth, 0))
    near = DepthCamera(blobs=0).measure(plain(0.4), STILL, seed=0)
    assert (near == 0).all() and near.dtype == np.float32


def test_both_sides_of_a_step_are_shadowed_and_no_other_pixel():
    depth = plain(10)
    depth[:, :, 30:] = 13  # a step of 0.3 of the nearer
    measured = DepthCamera(blobs=0).measure(depth, STILL, seed=0)
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
    whole = camera.measure(plain(5), STILL, seed=4)
    np.testing.assert_array_equal(whole[[2]], camera.measure(plain(5)[:1], STILL[2:], seed=4))
    assert not np.array_equal(whole[0], whole[1])
    assert not np.array_equal(whole[0], camera.measure(plain(5), STILL, seed=5)[0])
    areas = (camera.measure(np.full((200, 40, 60), 5, np.float32), np.arange(200), 0) == 0).sum((1, 2))
    assert areas.max() == pytest.approx(np.pi * 4**2, rel=0.1)  # radius 0.1 of 40 rows; less at the image's border


def test_more_patches_hide_more():
    few, many = (DepthCamera(blobs=n).measure(plain(5), STILL, seed=0) for n in (2, 20))
    assert 0 < (few == 0).mean() < (many == 0).mean() < 0.5
