"""Pre-training runs: one check of every task, and what the runs start from."""

import math

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from helpers.published_files import torchvisions_file
from helpers.small import pretraining

from depthseg_lib.errors import InputError
from depthseg_lib.files import read_json
from depthseg_lib.models import weights
from depthseg_lib.models.networks import SegmentationNetwork
from depthseg_lib.training import pretrain

SLIM = "resnet18-slim"
LEFT = {"weights.safetensors", "history.parquet", "metrics.json", "environment.json", "checkpoint.pt"}
ERRORS = ("abs_rel", "rmse", "a1")
DEPTH = {f"{error}{of}" for error in ERRORS for of in ("", "_mean_map", "_untrained")}
METRIC = {f"{error}_unscaled{of}" for error in ERRORS for of in ("", "_mean_map", "_untrained")}
TASKS = {
    "classification": (set(), {"accuracy", "accuracy_chance"}, (4, 0.9)),
    "depth": ({"pose.safetensors", "examples.npz"}, {*DEPTH, "kept", "translation"}, (12, 0.97)),
    "depth-supervised": ({"examples.npz"}, DEPTH | METRIC, (20, 0.9)),
    "flow": ({"flow_examples.npz"}, {"epe", "epe_slow", "epe_zero", "epe_mean_map"}, (15, 0.95)),
}
"""What a run leaves besides `LEFT`, the metrics that it has, and how soon a batch is learned: steps, and the share of
the first loss."""


def quiet(_):
    pass


@pytest.fixture(scope="module", params=TASKS)
def finished(request, tmp_path_factory):
    """Initialisation, folder and outcome of a finished run of every task."""
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, pretrain.run(pretraining(initialisation=request.param), folder, quiet)


def same_tensors(one, other):
    first, second = (safetensors.torch.load_file(folder / "weights.safetensors") for folder in (one, other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_leaves_history_metrics_with_baselines_and_weights(finished):
    name, folder, result = finished
    more, measured, _ = TASKS[name]
    assert {path.name for path in folder.iterdir()} == LEFT | more
    history, stored = pd.read_parquet(folder / "history.parquet"), read_json(folder / "metrics.json")
    assert list(history["iteration"]) == [0, 2, 4] and math.isnan(history["train_loss"][0])
    assert measured <= set(stored) and all(math.isfinite(stored[metric]) for metric in measured)
    assert stored["task"] == pretraining(initialisation=name).task and stored["iteration"] == 4
    assert all(stored[metric] == value for metric, value in history.iloc[-1].items() if metric in measured)
    assert result.metrics["diverged_at"] is stored["diverged_at"] is None
    assert stored["warnings"] == "; ".join(result.warnings)
    assert stored["learned"] in ("yes", "in part", "no") and stored["learned_because"] == result.learned
    apart = {"metrics.json", "weights.safetensors", "pose.safetensors", "checkpoint.pt"}
    rest = {path.name: path.stat().st_size for path in folder.iterdir() if path.name not in apart}
    assert stored["files"] == rest
    about = read_json(folder / "environment.json")
    assert about["settings"]["initialisation"] == name and about["peak_memory_mib"] > 0


def test_fine_tuning_starts_from_its_encoder_and_from_its_decoder_where_it_has_one(finished):
    name, folder, _ = finished
    state = weights.load_weights(folder / "weights.safetensors", SLIM, name)
    taken = weights.transfer(state, SegmentationNetwork(SLIM, 19), f"{name} run")
    fresh = {"head"} if name.startswith("depth") else {"decoder", "head"}
    assert {layer.split(".")[0] for layer in taken.fresh} == fresh


def test_a_stopped_run_goes_on_to_the_same_numbers(finished, tmp_path, monkeypatch):
    name, folder, whole = finished
    config, made = pretraining(initialisation=name), pretrain.make_task

    def breaking(*args):
        task = made(*args)
        batch, left = task.batch, iter(range(3))
        task.batch = lambda *of: batch(*of) if next(left, None) is not None else pytest.fail("stop here")
        return task

    with monkeypatch.context() as patched, pytest.raises(pytest.fail.Exception, match="stop here"):
        patched.setattr(pretrain, "make_task", breaking)
        pretrain.run(config, tmp_path, quiet)
    lines = []
    resumed = pretrain.run(config, tmp_path, lines.append)
    assert "going on from iteration 2" in lines
    pd.testing.assert_frame_equal(
        resumed.history.drop(columns="seconds"), whole.history.drop(columns="seconds"), check_exact=True
    )
    assert resumed.metrics == whole.metrics and same_tensors(folder, tmp_path)


@pytest.mark.parametrize("name", TASKS)
def test_a_batch_is_learned(name):
    steps, share = TASKS[name][2]
    torch.manual_seed(0)
    task = pretrain.make_task(pretraining(initialisation=name, batch=4), "cpu", quiet)
    optimiser, losses = torch.optim.Adam(task.module.parameters(), 1e-3), []
    for _ in range(steps):
        torch.manual_seed(1)  # one draw of the augmentation
        loss = task.module(task.batch(torch.arange(4), 0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < share * losses[0]


@pytest.mark.parametrize("name", TASKS)
def test_it_trains_in_half_precision_from_inputs_of_full_precision(name, tmp_path, monkeypatch):
    seen, made = [], pretrain.make_task

    def watched(*args):
        task = made(*args)
        task.module.register_forward_pre_hook(lambda module, given: seen.append((module.training, given[0])))
        return task

    monkeypatch.setattr(pretrain, "make_task", watched)
    config = pretraining(initialisation=name, precision="bf16-mixed", iterations=1, evaluated=1)
    history = pretrain.run(config, tmp_path, quiet).history
    assert math.isfinite(history["train_loss"][1])
    (batch,) = (given for training, given in seen if training)
    tensors = batch if isinstance(batch, tuple) else vars(batch).values()
    assert {tensor.dtype for tensor in tensors if isinstance(tensor, torch.Tensor)} <= {torch.float32, torch.int64}


def test_a_run_that_failed_after_its_training_has_nothing_to_train_again(finished, tmp_path, monkeypatch):
    """As when a figure cannot be drawn: the workflow removes what the job had declared, the checkpoint stays."""
    name, folder, first = finished
    (tmp_path / "checkpoint.pt").write_bytes((folder / "checkpoint.pt").read_bytes())
    made = pretrain.make_task

    def untrained(*args):
        task = made(*args)
        task.batch = lambda indices: pytest.fail("it was trained again")
        return task

    monkeypatch.setattr(pretrain, "make_task", untrained)
    again = pretrain.run(pretraining(initialisation=name), tmp_path, quiet)
    pd.testing.assert_frame_equal(again.history, first.history)
    assert same_tensors(folder, tmp_path)


def test_examples_are_held_out_images_with_truth_and_prediction(finished):
    name, folder, _ = finished
    if name == "flow":
        images, predicted, exact = pretrain.load_flow_examples(folder)
        assert images.shape[1:] == (2, 3, 64, 96) and predicted.shape == exact.shape == (len(images), 2, 64, 96)
    elif name != "classification":
        images, truth, predicted = pretrain.load_examples(folder, name)
        assert images.shape[1:] == (3, 64, 96) and truth.shape == predicted[name].shape == (len(images), 64, 96)
        valid = (truth[0] > 0.1) & (truth[0] < 80)
        assert np.median(predicted[name][0][valid]) == pytest.approx(np.median(truth[0][valid]), rel=0.05)


def test_the_step_size_follows_the_tasks_schedule(finished):
    name, _, result = finished
    last = {"depth-supervised": 0.5}.get(name, 0.1)
    assert result.history["learning_rate"].iloc[-1] == pytest.approx(last * pretraining().learning_rate)
    task = pretrain.make_task(pretraining(initialisation=name), "cpu", quiet)
    middle = {"classification": 0.75}.get(name, 0.5)
    assert [task.decay(p) for p in (0, middle - 0.01, middle, 1)] == [1, 1, last, last]


def test_depths_step_size_falls_after_monodepth2s_epoch_15_of_30_from_scratch_and_of_20_from_weights():
    """In a run of as many iterations as that has epochs; the factor is 0.1 from the epoch after on."""
    for name, epochs in (("depth", 30), ("depth-classification", 20), ("depth-imagenet", 20)):
        task = pretrain.make_task(pretraining(initialisation=name), "cpu", quiet)
        assert [task.decay(epoch / epochs) for epoch in (14, 14.9, 15, epochs)] == [1, 1, 0.1, 0.1]


@pytest.mark.parametrize("initialisation", ["depth-classification", "depth-imagenet"])
def test_depth_and_pose_start_from_the_classifier(initialisation, tmp_path):
    encoder = SLIM if initialisation == "depth-classification" else "resnet18"
    if encoder == SLIM:
        pretrain.run(pretraining(initialisation="classification", iterations=1), tmp_path, quiet)
        start = tmp_path / "weights.safetensors"
        known = {n: t for n, t in safetensors.torch.load_file(start).items() if n.startswith("encoder.")}
    else:
        network, start = torchvisions_file(tmp_path)
        known = {f"encoder.resnet.{n}": t for n, t in network.state_dict().items() if not n.startswith("fc.")}
    config = pretraining(initialisation=initialisation, encoder=encoder, start_weights=str(start))
    lines = []
    result = pretrain.run(config.changed(iterations=1, batch=1, evaluated=1), tmp_path / "run", lines.append)
    assert any(f"weights of {config.starts_from}: " in line for line in lines)
    counts = {name for name in result.transfer.fresh if name.startswith("encoder.")}
    assert all(name.endswith("num_batches_tracked") for name in counts)  # torchvision's old files have none
    for file in ("weights", "pose"):
        ours = safetensors.torch.load_file(tmp_path / "run" / f"{file}.safetensors")
        name = "encoder.resnet.layer3.0.conv1.weight"
        assert (ours[name] - known[name]).abs().max() < 0.01  # a small step at most
        stem = ours["encoder.resnet.conv1.weight"]
        copies = stem.shape[1] // 3
        torch.testing.assert_close(stem[:, :3] * copies, known["encoder.resnet.conv1.weight"], atol=0.01, rtol=0)


def test_missing_start_weights_stop_the_run_before_it_trains(tmp_path):
    config = pretraining(initialisation="depth-classification", start_weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(InputError, match="there is no weights file"):
        pretrain.run(config, tmp_path, quiet)
    assert not (tmp_path / "history.parquet").exists()


def test_what_looks_wrong_is_warned_of():
    warnings = pretrain.check_training({"kept": 0.01, "translation": 1e-7})
    assert "auto-mask removed 99 %" in warnings[0] and "stays at zero" in warnings[1]
    assert pretrain.check_training({"kept": 0.6, "translation": 0.01}) == ()


FLOW = {"task": "flow", "epe_zero": 3.8, "epe_mean_map": 1.93}
MEAN = {"task": "depth", "abs_rel_mean_map": 0.48, "rmse_mean_map": 9.0, "a1_mean_map": 0.3}


@pytest.mark.parametrize(
    "found, verdict, said",
    [
        ({**MEAN, "abs_rel": 0.33, "rmse": 8.0, "a1": 0.5}, "yes", "abs-rel 0.33, the mean depth map 0.48"),
        ({**MEAN, "abs_rel": 0.33, "rmse": 9.1, "a1": 0.5}, "in part", "not by RMSE 9.1 m, the mean depth map 9 m"),
        ({**MEAN, "abs_rel": 0.80, "rmse": 12.0, "a1": 0.1}, "no", "abs-rel 0.8"),
        ({**FLOW, "epe": 1.84}, "in part", "not by end-point error 1.84 px, the mean flow 1.93 px"),
        ({**FLOW, "epe": 1.5}, "yes", "no flow 3.8 px"),
        (
            {**FLOW, "epe": 1.84, "epe_slow": 0.7, "epe_slow_mean_map": 1.2},
            "in part",
            "that of slow pixels 0.7 px, the",
        ),
        ({**FLOW, "epe": 4.2}, "no", "Not learned"),
        ({"task": "classification", "accuracy": 0.09, "accuracy_chance": 0.088}, "no", "the commonest class 0.088"),
        ({"task": "depth", "loss": 0.1}, None, "cannot be said"),
    ],
)
def test_whether_anything_was_learned_is_said_with_the_numbers(found, verdict, said):
    told, sentence = pretrain.what_was_learned(found)
    assert told == verdict and said in sentence
