"""Supervised depth: what it is trained on, that it learns, how it is evaluated."""

import numpy as np
import pytest
import torch
from helpers.small import WORLD, check_training_lowers_the_loss, pretraining
from torch import nn

from depthseg_lib.data import streets
from depthseg_lib.data.arrays import Video
from depthseg_lib.data.streets import DepthCamera
from depthseg_lib.errors import InputError
from depthseg_lib.losses import geometry, metrics
from depthseg_lib.training import depth as depth_task

CONFIG = pretraining(initialisation="depth-supervised", batch=4)


@pytest.fixture(scope="module")
def video():
    names = ("height", "width", "streets", "frames")
    return streets.video(streets.StreetsConfig(**{name: WORLD[name] for name in names}))


@pytest.fixture
def task(video):
    torch.manual_seed(0)
    return depth_task.SupervisedTask(CONFIG, video, DepthCamera(), "cpu")


class KnownDepth(nn.Module):
    """Answers with the sigmoid disparity of a given depth map."""

    def __init__(self, metres):
        super().__init__()
        self.sigmoid = (1 / metres - 0.01) / 9.99

    def forward(self, images):
        return [self.sigmoid]


def test_a_batch_is_images_with_the_cameras_depth(task, video):
    measured = depth_task.measured_depth(video, task.camera, task.triplets[:, 1])
    exact = video.depth[task.triplets[:, 1]]
    assert 0.4 < (measured > 0).mean() < 0.9 and measured.max() <= 40
    np.testing.assert_array_equal(measured[measured > 0], exact[measured > 0])
    torch.manual_seed(3)
    images, depth = task.batch(torch.arange(task.count))
    assert images.shape == (task.count, 3, 64, 96) and depth.shape == (task.count, 1, 64, 96)
    rows = depth[:, 0].numpy()
    mirrored = [not np.array_equal(row, truth) for row, truth in zip(rows, measured, strict=True)]
    assert all(np.array_equal(r, t[:, ::-1] if m else t) for r, t, m in zip(rows, measured, mirrored, strict=True))
    assert 0 < sum(mirrored) < task.count


def test_the_loss_of_the_measured_depth_is_zero_and_holes_are_not_asked_for(task):
    torch.manual_seed(0)
    images, depth = task.batch(torch.arange(4))
    module = depth_task.SupervisedTraining("resnet18-slim")
    module.depth = KnownDepth(torch.where(depth > 0, depth, 77.0))
    assert module((images, depth)) < 1e-3
    module.depth = KnownDepth(torch.where(depth > 0, depth + 1, 77.0))
    assert module((images, depth)).item() == pytest.approx(1, abs=1e-3)


def test_training_lowers_the_loss(task):
    check_training_lowers_the_loss(task, steps=20, to=0.9)


def test_training_starts_within_the_scene():
    with torch.no_grad():
        disparity = depth_task.SupervisedTraining("resnet18-slim").depth(torch.rand(2, 3, 64, 96))[0]
    assert 2 < geometry.disparity_to_depth(disparity).median() < 12


def test_metric_depth_is_evaluated_beside_median_scaled_depth(task):
    frames = task.held_out[:, 1]
    found = task.errors(2 * task.truth(frames).clamp(min=1))
    assert found["a1"] == pytest.approx(1, abs=0.02) and found["a1_unscaled"] < 0.02
    prediction = task.predict(frames)
    assert task.errors(prediction)["abs_rel"] == metrics.depth_errors(prediction, task.truth(frames))["abs_rel"]


def test_baselines_and_what_is_kept(task):
    task.module.eval()
    with torch.no_grad():
        found = task.baselines()
    assert {"abs_rel_mean_map", "abs_rel_untrained", "rmse_unscaled_mean_map"} <= set(found)
    assert list(task.networks()) == ["weights"]
    assert [task.decay(p) for p in (0, 0.49, 0.5, 1)] == [1, 1, 0.5, 0.5]


def test_a_real_camera_is_believed_and_a_video_without_depth_refused(video):
    np.testing.assert_array_equal(depth_task.measured_depth(video, None, np.arange(2)), video.depth[:2])
    for nothing in (None, np.zeros_like(video.depth)):
        without = Video(video.images, video.sequence, video.intrinsics, nothing)
        with pytest.raises(InputError, match="supervised depth needs a video with depth"):
            depth_task.SupervisedTask(CONFIG, without, None, "cpu")
