"""Exact flow of the street video: that of its depth and poses where nothing moves, and it leads from frame to frame."""

import numpy as np
import pytest
import torch
from helpers.small import poses

from depthseg_lib.data import streets
from depthseg_lib.losses.evaluation import stays_inside
from depthseg_lib.losses.geometry import back_project, pixel_grid, project, warp_by_flow

CONFIG = streets.StreetsConfig(height=64, width=96, streets=4, frames=6)
FRAMES = np.array([20, 3, 8])


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
    points = back_project(depth[:, None], intrinsics[FRAMES])
    at = project(points, intrinsics[FRAMES], ahead, CONFIG.height, CONFIG.width).permute(0, 3, 1, 2)
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
