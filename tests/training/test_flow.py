"""The flow task: its loss on exact flow, what it learns, its baselines, what it leaves out on real sets."""

import numpy as np
import pytest
import torch
from helpers.small import WORLD, pretraining

from depthseg_lib.data import sources, streets
from depthseg_lib.data.arrays import Video
from depthseg_lib.data.batches import pair_batch
from depthseg_lib.losses import evaluation
from depthseg_lib.training import flow

CONFIG = pretraining(initialisation="flow", batch=4)


@pytest.fixture(scope="module")
def video():
    names = ("height", "width", "streets", "frames")
    return streets.video(streets.StreetsConfig(**{name: WORLD[name] for name in names}))


@pytest.fixture(scope="module")
def truth(video):
    return sources.load_flow(CONFIG, flow.held_out_pairs(CONFIG, video))


@pytest.fixture
def task(video, truth):
    torch.manual_seed(0)
    return flow.FlowTask(CONFIG, video, truth, "cpu")


def pair_of(video, pairs):
    return pair_batch(video, pairs, torch.arange(len(pairs)), torch.Generator(), "cpu", augment=False)


def loss_of(answers, pair):
    """The loss of a network that answers with these flows, finest first."""
    module = flow.FlowTraining("resnet18-slim")
    module.flow.forward = lambda first, second: answers
    return module(pair).item()


def test_the_loss_of_the_exact_flow_is_below_that_of_none_and_of_its_opposite(video, truth):
    pair, exact = pair_of(video, flow.held_out_pairs(CONFIG, video)), torch.from_numpy(np.array(truth)).clamp(-30, 30)
    assert loss_of([exact], pair) < 0.9 * loss_of([0 * exact], pair)
    assert loss_of([exact], pair) < 0.65 * loss_of([-exact], pair)


def test_coarser_scales_are_in_pixels_of_the_frames(video):
    pair = pair_of(video, flow.held_out_pairs(CONFIG, video))
    whole = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(4, 2, 64, 96)
    alone = loss_of([whole], pair)
    assert loss_of([whole[..., ::8, ::8]], pair) == pytest.approx(alone) == loss_of([whole, whole], pair)


def test_it_is_evaluated_on_neighbours_in_sequences_held_out_of_training(task, video):
    assert (task.pairs[:, 1] - task.pairs[:, 0] == 1).all()
    assert set(video.sequence[task.pairs].ravel()) == {0, 1, 2} and set(video.sequence[task.held_out].ravel()) == {3}
    task.module.eval()
    with torch.no_grad():
        found, baselines = task.evaluate(), task.baselines()
    assert found["evaluated"] == 4 and found["epe"] == baselines["epe_zero"]  # a new network says that nothing moves
    assert 0 < baselines["epe_mean_map"] < baselines["epe_zero"]
    slow = task.truth.norm(dim=1)[evaluation.stays_inside(task.truth)]
    assert baselines["epe_slow_zero"] == pytest.approx(slow[slow < 8].mean().item(), rel=1e-5)
    assert baselines["epe_slow_zero"] < baselines["epe_zero"]


def test_the_mean_flow_leaves_out_what_leaves_the_image():
    flows = torch.zeros(3, 2, 2, 3)
    flows[:, 0, 0, 0] = torch.tensor([1.0, 2.0, 9.0])  # the last one ends beyond the third column
    flows[:, 1, 1, 1] = 5.0
    mean = flow.mean_flow(flows)
    assert mean[:, 0, 0].tolist() == [1.5, 0] and mean[:, 1, 1].tolist() == [0, 0]


def test_without_exact_flow_only_the_loss_is_reported(video):
    task = flow.FlowTask(CONFIG, Video(video.images, video.sequence, video.intrinsics), None, "cpu")
    task.module.eval()
    with torch.no_grad():
        assert set(task.evaluate()) == {"loss", "evaluated"} and task.baselines() == {}
        assert set(task.examples()) == {"images", "flow"}
    apart = flow.held_out_pairs(pretraining(initialisation="flow", frame_step=2), video)
    assert sources.load_flow(CONFIG, apart) is None
