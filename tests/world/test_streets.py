"""The embedded street world: geometry, motion, labels and images agree, and a seed always gives the same bytes."""

import hashlib
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from depthseg_lib.data import streets
from depthseg_lib.data.labels import KITTI, VOID
from depthseg_lib.data.streets import StreetsConfig, annotated, build_street, render, video
from depthseg_lib.world.raycast import EMPTY, View, cast, nearest, split
from depthseg_lib.world.scene import Label, shapes_at

SIZE = (64, 192)


@pytest.fixture(scope="module")
def street():
    return build_street((0, 0, 3), 6)


@pytest.fixture(scope="module")
def frames(street):
    return [render(street, time, *SIZE) for time in (2, 3)]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    return tmp_path


def flow_of_depth_and_pose(frame, following):
    """Flow (2, H, W) of a still world, written from the equations, apart from the generator."""
    height, width = frame.depth.shape
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)])
    rays = torch.einsum("ij,jhw->ihw", torch.linalg.inv(frame.intrinsics.double()), pixels)
    points = torch.cat([rays * frame.depth, torch.ones(1, height, width).double()])
    ahead = torch.linalg.inv(following.pose.double()) @ frame.pose.double()
    seen = torch.einsum("ij,jhw->ihw", frame.intrinsics.double() @ ahead[:3], points)
    return seen[:2] / seen[2:] - pixels[:2]


def warp(image, flow):
    """Sample `image` (3, H, W) at each pixel moved by `flow`; the mask says which samples lie inside."""
    height, width = flow.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    at = torch.stack([(x + flow[0]) / (width - 1), (y + flow[1]) / (height - 1)], -1).float() * 2 - 1
    warped = F.grid_sample(image[None].float() / 255, at[None], align_corners=True, padding_mode="border")[0]
    return warped, (at.abs() <= 1).all(-1)


def test_warping_the_next_frame_by_depth_and_pose_gives_the_static_part(street):
    ratios = []
    for seed in range(4):
        other = build_street((0, 0, seed), 6)
        frame, following = (render(other, time, *SIZE) for time in (2, 3))
        flow = flow_of_depth_and_pose(frame, following)
        warped, inside = warp(following.image, flow)
        depth_there, _ = warp(following.depth[None].expand(3, -1, -1) * 255, flow)
        ahead = (torch.linalg.inv(following.pose) @ frame.pose)[2, 3] + frame.depth
        seen = (depth_there[0] / ahead - 1).abs() < 0.05  # neither covered nor newly uncovered
        static = inside & seen & ~frame.moving & (frame.depth > 0)
        assert static.float().mean() > 0.3
        error = (warped - frame.image / 255).abs().mean(0)[static].mean()
        unwarped = (following.image / 255 - frame.image / 255).abs().mean(0)[static].mean()
        ratios.append(float(error / unwarped))
    assert max(ratios) < 0.4 and np.mean(ratios) < 0.3, ratios


def test_flow_of_static_pixels_is_that_of_depth_and_pose(frames):
    frame, following = frames
    static = ~frame.moving & (frame.depth > 0)
    flow = flow_of_depth_and_pose(frame, following)
    visible = static & (flow.abs().amax(0) < SIZE[1])
    assert (frame.flow - flow).abs().amax(0)[visible].max() < 2e-2
    assert static.float().mean() > 0.4


def test_flow_of_moving_things_differs_from_that_of_depth_and_pose():
    found = 0
    for seed in range(4):
        street = build_street((0, 0, seed), 4)
        frame, following = (render(street, time, *SIZE) for time in (1, 2))
        near = frame.moving & (frame.depth < 25)
        if near.sum() > 20:
            found += 1
            difference = (frame.flow - flow_of_depth_and_pose(frame, following)).norm(dim=0)
            assert difference[near].median() > 0.1
            assert set(KITTI.encode(frame.labels.numpy(), "test")[near.numpy()]) <= {11, 12, 13, 14, 15, 18}
    assert found >= 2


def test_flow_leads_to_the_same_thing_in_the_next_frame():
    agree = []
    for seed in range(4):
        street = build_street((0, 0, seed), 4)
        frame, following = (render(street, time, *SIZE) for time in (1, 2))
        y, x = frame.moving.nonzero().T
        x2, y2 = (frame.flow[0, y, x] + x).round().long(), (frame.flow[1, y, x] + y).round().long()
        inside = (x2 >= 0) & (x2 < SIZE[1]) & (y2 >= 0) & (y2 < SIZE[0])
        agree += [(frame.things[y, x][inside] == following.things[y2[inside], x2[inside]]).float()]
    assert torch.cat(agree).mean() > 0.8


def test_the_sky_has_no_depth_and_everything_else_has(frames):
    for frame in frames:
        assert torch.equal(frame.labels == Label.SKY, frame.depth == 0)
        assert torch.equal(frame.things == 0, frame.depth == 0)
        assert (frame.depth[frame.depth > 0] > 0.3).all()


def test_depth_jumps_lie_on_borders_of_things(frames):
    """Where inverse depth has a step (a second difference far above its neighbours'), two things meet."""
    for frame in frames:
        inverse = 1 / frame.depth.clamp(min=1).where(frame.depth > 0, torch.tensor(1e4))
        step = (inverse[:, 1:] - inverse[:, :-1]).abs() > 0.03
        border = frame.things[:, 1:] != frame.things[:, :-1]
        assert step.sum() > 50
        assert (step & border).sum() > 0.7 * step.sum()


def test_images_change_at_the_borders_of_labels(frames):
    for frame in frames:
        gray = frame.image.float().mean(0)
        change = (gray[:, 1:] - gray[:, :-1]).abs()
        border = frame.labels[:, 1:] != frame.labels[:, :-1]
        assert change[border].mean() > 2.5 * change[~border].mean()


def test_surfaces_carry_enough_texture_for_a_photometric_loss():
    """The road within 15 metres and building fronts differ from their own mean, in most streets."""
    spread = {Label.ROAD: [], Label.BUILDING: []}
    for seed in range(6):
        frame = render(build_street((5, 0, seed), 2), 1, *SIZE)
        for label, values in spread.items():
            at = (frame.labels == label) & (frame.depth < 20) & (frame.depth > 0)
            if at.sum() > 100:
                values.append(float(frame.image.float().mean(0)[at].std()))
    assert all(np.median(values) > 8 for values in spread.values()), spread


def test_poses_drive_forward_and_intrinsics_are_those_of_kitti(street, frames):
    poses = street.poses[:, 0]
    steps = torch.linalg.inv(poses[:-1]) @ poses[1:]
    assert (steps[:, 2, 3] > 0.5).all() and (steps[:, 2, 3] < 1.3).all()
    identity = torch.eye(3).double().expand(len(poses), 3, 3)
    assert torch.allclose(poses[:, :3, :3] @ poses[:, :3, :3].mT, identity, atol=1e-9)
    assert (torch.linalg.det(poses) > 0.999).all()
    wide = streets.intrinsics(192, 640)
    assert abs(wide[0, 0] / 640 - 0.58) < 1e-6 and abs(wide[1, 1] / 192 - 1.92) < 0.02
    assert frames[0].intrinsics[0, 2] == (SIZE[1] - 1) / 2


def depths(street, time, height, width):
    """Depths (height, width) along the camera's rays at `time`, 0 in the sky, without a picture of them."""
    matrix = streets.intrinsics(height, width)
    lens = matrix[None, [0, 1], [0, 1]], matrix[None, :2, 2]
    view = View(torch.linalg.inv(street.poses[time]), *lens, height, width)
    keys = nearest(view, cast(view, shapes_at(street.scene, time)))
    return torch.where(keys == EMPTY, 0.0, split(keys)[0]).view(height, width)


def test_the_camera_drives_through_nothing():
    street = build_street((7, 0, 0), 30)
    torch.testing.assert_close(depths(street, 3, 16, 48), render(street, 3, 16, 48).depth, rtol=1e-3, atol=0)
    for seed in range(10):
        street = build_street((7, 0, seed), 30)
        for time in range(0, 30, 3):
            depth = depths(street, time, 16, 48)
            assert depth[depth > 0].min() > 0.6, (seed, time)


def hashes():
    """One hash of everything in a frame, for each of two seeds."""
    frames = [render(build_street((seed, 0, 0), 3), 1, 32, 96) for seed in (1, 2)]
    parts = [[getattr(frame, field.name).numpy().tobytes() for field in fields(frame)] for frame in frames]
    return [hashlib.sha256(b"".join(part)).hexdigest() for part in parts]


def test_a_seed_gives_the_same_bytes_in_another_process_and_another_seed_others():
    place = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {place!r})\nimport test_streets as t; print(*t.hashes())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = hashes()
    assert other.stdout.split() == here and here[0] != here[1]


def test_video_holds_whole_sequences_and_is_rendered_once(cache, monkeypatch):
    lines = []
    config = StreetsConfig(height=16, width=48, streets=2, frames=3)
    clip = video(config, progress=lines.append)
    assert clip.images.shape == (6, 3, 16, 48) and clip.images.dtype == np.uint8
    assert clip.depth.shape == (6, 16, 48)
    assert clip.sequence.tolist() == [0, 0, 0, 1, 1, 1] and clip.intrinsics.shape == (6, 3, 3)
    assert len(clip.triplets()) == 2 and lines
    folders = {path for path in cache.rglob("images.npy")}
    monkeypatch.setattr(streets, "render", None)
    again = video(config)
    assert np.array_equal(again.images, clip.images)
    assert {path for path in cache.rglob("images.npy")} == folders


def test_annotated_images_are_of_other_streets_and_hold_many_classes(cache):
    labelled = annotated(StreetsConfig(height=32, width=96), count=14)
    assert labelled.images.shape == (14, 3, 32, 96)
    assert len(set(labelled.names)) == 14 and labelled.label_set is KITTI
    share = np.bincount(labelled.labels.ravel(), minlength=256) / labelled.labels.size
    assert share[VOID] == 0
    present = {name for name, part in zip(KITTI.classes, share, strict=False) if part > 0}
    assert len(present) >= 14, present
    shares = dict(zip(KITTI.classes, share, strict=False))
    for name in KITTI.representative:
        assert share[name] > 0.02, shares
    clip = video(StreetsConfig(height=32, width=96, streets=1, frames=2))
    assert not any(np.array_equal(clip.images[0], image) for image in labelled.images)
