"""Depth from video and from measured depth: their losses on exact answers, evaluation, baselines."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.small import WORLD, poses, pretraining
from torch import nn

from depthseg_lib.data import streets
from depthseg_lib.data.arrays import Video
from depthseg_lib.data.batches import triplet_batch
from depthseg_lib.data.streets import DepthCamera
from depthseg_lib.errors import InputError
from depthseg_lib.losses import evaluation, geometry
from depthseg_lib.training import depth

CONFIG = streets.StreetsConfig(**{name: WORLD[name] for name in ("height", "width", "streets", "frames")})


@pytest.fixture(scope="module")
def video():
    return streets.video(CONFIG)


class KnownDepth(nn.Module):
    """Answers with the sigmoid disparity of a given depth map at all four scales."""

    def __init__(self, metres):
        super().__init__()
        sigmoid = (1 / metres.clamp(0.1, 100) - 0.01) / 9.99
        self.scales = [sigmoid if s == 0 else nn.functional.avg_pool2d(sigmoid, 2**s) for s in range(4)]

    def forward(self, images):
        return self.scales


class KnownPose(nn.Module):
    """Answers with given motions."""

    def __init__(self, transforms):
        super().__init__()
        self.known = transforms

    def transforms(self, frames):
        return self.known


def test_the_loss_of_the_exact_depth_and_pose_is_far_below_that_of_wrong_ones(video):
    triplets = video.triplets()[1:3]
    triplet = triplet_batch(video, triplets, torch.arange(2), torch.Generator(), "cpu", jitter=False, flip=False)
    metres = torch.from_numpy(video.depth[triplets[:, 1]].astype(np.float32))[:, None]
    metres = torch.where(metres > 0, metres, 100.0)
    world = torch.from_numpy(poses(CONFIG)[triplets])
    motions = [torch.linalg.inv(world[:, source]) @ world[:, 1] for source in (0, 2)]
    module = depth.DepthTraining("resnet18-slim")

    def loss(metres, motions):
        module.depth, module.pose = KnownDepth(metres), KnownPose(motions)
        torch.manual_seed(0)
        return module.loss(triplet)

    exact, found = loss(metres, motions)
    still = [torch.eye(4).expand(2, 4, 4)] * 2
    assert exact < 0.6 * loss(metres, still)[0]
    assert exact < 0.8 * loss(torch.full_like(metres, 10.0), motions)[0]
    assert exact < 0.8 * loss(metres, motions[::-1])[0]
    assert found["kept"] > 0.5 and found["translation"] > 0.3
    # without the auto-mask all pixels count, so that a wrong motion costs more than none; with it, it costs little
    rolled = geometry.transform_matrix(torch.tensor([[0.0, 0.0, 0.05]] * 2), torch.zeros(2, 3))
    masked, triplet = loss(metres, [rolled] * 2)[0], replace(triplet, masked=False)
    unmasked, every = loss(metres, [rolled] * 2)
    assert every["kept"] == 1 and unmasked > loss(metres, still)[0] > masked


def test_the_auto_mask_joins_after_the_unmasked_iterations(video):
    task = depth.DepthTask(pretraining(unmasked=3), video, "cpu")
    assert [task.batch(torch.arange(2), iteration).masked for iteration in (0, 2, 3, 9)] == [False, False, True, True]
    assert task._diagnostics()["kept"] < 1  # evaluations always have it


@pytest.mark.parametrize("precision, loss_error, cosine", [(None, 1e-5, 0.9999), (torch.bfloat16, 1e-3, 0.999)])
def test_a_step_is_that_of_the_plain_one_left_to_autograd(video, precision, loss_error, cosine):
    plain = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/plain.py"))["PlainDepthTraining"]
    triplet = triplet_batch(video, video.triplets()[:4], torch.arange(4), torch.Generator().manual_seed(0), "cpu")
    torch.manual_seed(0)
    modules = [kind("resnet18-slim").to(memory_format=torch.channels_last) for kind in (plain, depth.DepthTraining)]
    # else nothing moves, and half of the errors are ties
    nn.init.normal_(modules[0].pose.head.weight, std=0.05, generator=torch.Generator().manual_seed(1))
    modules[1].load_state_dict(modules[0].state_dict())
    found = []
    for module in modules:
        torch.manual_seed(2)
        with torch.autocast("cpu", precision, enabled=precision is not None):
            loss = module(triplet)
        loss.backward()
        found.append((loss.item(), torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])))
    (expected, theirs), (loss, ours) = found
    assert loss == pytest.approx(expected, rel=loss_error)
    assert nn.functional.cosine_similarity(ours, theirs, dim=0) > cosine
    assert ours.norm().item() == pytest.approx(theirs.norm().item(), rel=0.01)


def test_evaluation_is_on_sequences_held_out_of_training(video):
    task = depth.DepthTask(pretraining(), video, "cpu")
    trained = set(video.sequence[task.triplets].ravel())
    assert set(video.sequence[task.held_out].ravel()) == {3} and trained == {0, 1, 2}
    found = task.evaluate()
    assert {"abs_rel", "rmse", "a1", "loss", "kept", "translation"} <= set(found)
    assert found["evaluated"] == len(task.held_out) == 4


def test_baselines_look_at_no_image(video):
    task = depth.DepthTask(pretraining(), video, "cpu")
    task.module.eval()
    with torch.no_grad():
        found = task.baselines()
    frames = video.depth[task.triplets[:, 1]].astype(np.float64)
    known = (frames > 0).sum(0)
    mean = np.where(known > 0, frames.sum(0) / known.clip(1), frames.sum() / known.sum())
    np.testing.assert_allclose(depth.mean_depth(video.depth[task.triplets[:, 1]]), mean, rtol=1e-3)
    assert 0 < found["abs_rel_mean_map"] < found["abs_rel_untrained"]


def test_a_single_sequence_leaves_none_to_evaluate_on(video):
    one = Video(video.images[:6], video.sequence[:6], video.intrinsics[:6])
    with pytest.raises(InputError, match="needs two sequences"):
        depth.DepthTask(pretraining(), one, "cpu")


SUPERVISED = pretraining(initialisation="depth-supervised", batch=4)


@pytest.fixture
def supervised(video):
    torch.manual_seed(0)
    return depth.SupervisedTask(SUPERVISED, video, DepthCamera(), "cpu")


def test_a_batch_is_images_with_the_cameras_depth(supervised, video):
    measured = depth.measured_depth(video, supervised.camera, supervised.triplets[:, 1])
    exact = video.depth[supervised.triplets[:, 1]]
    assert 0.4 < (measured > 0).mean() < 0.9 and measured.max() <= 40
    np.testing.assert_array_equal(measured[measured > 0], exact[measured > 0])
    torch.manual_seed(3)
    images, batch = supervised.batch(torch.arange(supervised.count), 0)
    assert images.shape == (supervised.count, 3, 64, 96) and batch.shape == (supervised.count, 1, 64, 96)
    rows = batch[:, 0].numpy()
    mirrored = [not np.array_equal(row, truth) for row, truth in zip(rows, measured, strict=True)]
    assert all(np.array_equal(r, t[:, ::-1] if m else t) for r, t, m in zip(rows, measured, mirrored, strict=True))
    assert 0 < sum(mirrored) < supervised.count


def test_the_loss_of_the_measured_depth_is_zero_and_holes_are_not_asked_for(supervised):
    torch.manual_seed(0)
    images, measured = supervised.batch(torch.arange(4), 0)
    module = depth.SupervisedTraining("resnet18-slim")
    module.depth = KnownDepth(torch.where(measured > 0, measured, 77.0))
    assert module((images, measured)) < 1e-3
    module.depth = KnownDepth(torch.where(measured > 0, measured + 1, 77.0))
    assert module((images, measured)).item() == pytest.approx(1, abs=1e-3)


def test_training_starts_within_the_scene():
    with torch.no_grad():
        disparity = depth.SupervisedTraining("resnet18-slim").depth(torch.rand(2, 3, 64, 96))[0]
    assert 2 < geometry.disparity_to_depth(disparity).median() < 12


def test_metric_depth_is_evaluated_beside_median_scaled_depth(supervised):
    frames = supervised.held_out[:, 1]
    found = supervised.errors(2 * supervised.truth(frames).clamp(min=1))
    assert found["a1"] == pytest.approx(1, abs=0.02) and found["a1_unscaled"] < 0.02
    prediction = supervised.predict(frames)
    assert (
        supervised.errors(prediction)["abs_rel"]
        == evaluation.depth_errors(prediction, supervised.truth(frames))["abs_rel"]
    )


def test_a_real_camera_is_believed_and_a_video_without_depth_refused(video):
    np.testing.assert_array_equal(depth.measured_depth(video, None, np.arange(2)), video.depth[:2])
    for nothing in (None, np.zeros_like(video.depth)):
        without = Video(video.images, video.sequence, video.intrinsics, nothing)
        with pytest.raises(InputError, match="supervised depth needs a video with depth"):
            depth.SupervisedTask(SUPERVISED, without, None, "cpu")
