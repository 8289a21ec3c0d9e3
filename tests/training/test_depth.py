"""The depth task: its loss on exact depth and motion, what it learns, its baselines and warnings."""

import numpy as np
import pytest
import torch
from helpers.small import WORLD, check_training_lowers_the_loss, poses, pretraining
from torch import nn

from depthseg_lib.data import streets
from depthseg_lib.data.arrays import Video
from depthseg_lib.data.batches import triplet_batch
from depthseg_lib.errors import InputError
from depthseg_lib.training import depth, pretrain

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


def test_training_lowers_the_loss(video):
    torch.manual_seed(0)
    task = depth.DepthTask(pretraining(batch=4), video, "cpu")
    check_training_lowers_the_loss(task, steps=12, to=0.97)


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


def test_a_still_camera_is_warned_of():
    warnings = pretrain.check_training({"kept": 0.01, "translation": 1e-7})
    assert "auto-mask removed 99 %" in warnings[0] and "stays at zero" in warnings[1]
    assert pretrain.check_training({"kept": 0.6, "translation": 0.01}) == ()
