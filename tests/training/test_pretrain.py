"""Pre-training runs: what they leave, what they start from, that they learn and repeat."""

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
from depthseg_lib.training.classification import ClassificationTask


def quiet(_):
    pass


@pytest.fixture(scope="module")
def classification(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classification")
    schedule = dict(iterations=30, batch=16, learning_rate=1e-3, evaluate_every=10)
    config = pretraining(initialisation="classification", **schedule)
    return folder, pretrain.run(config, folder, quiet)


def test_classification_learns_and_leaves_its_results(classification):
    folder, result = classification
    assert result.history["train_loss"].iloc[-1] < result.history["train_loss"].iloc[1]
    names = {path.name for path in folder.iterdir()} - {"checkpoint.pt"}
    assert names == {"weights.safetensors", "history.parquet", "metrics.json", "environment.json"}
    stored = read_json(folder / "metrics.json")
    assert stored["task"] == "classification" and stored["accuracy"] == result.metrics["accuracy"]
    about = read_json(folder / "environment.json")
    assert about["settings"]["initialisation"] == "classification" and about["peak_memory_mib"] > 0


def test_a_run_that_failed_after_its_training_has_nothing_to_train_again(tmp_path, monkeypatch):
    """As when a figure cannot be drawn: the graph removes what the job had declared, the checkpoint stays."""
    config = pretraining(initialisation="classification", iterations=4, batch=4, evaluate_every=2)
    first = pretrain.run(config, tmp_path, quiet)
    before = safetensors.torch.load_file(tmp_path / "weights.safetensors")
    for name in ("metrics.json", "history.parquet", "weights.safetensors"):
        (tmp_path / name).unlink()
    monkeypatch.setattr(ClassificationTask, "batch", lambda *_: pytest.fail("it was trained again"))
    again = pretrain.run(config, tmp_path, quiet)
    pd.testing.assert_frame_equal(again.history, first.history)
    after = safetensors.torch.load_file(tmp_path / "weights.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_depth_leaves_errors_baselines_and_examples(tmp_path):
    result = pretrain.run(pretraining(initialisation="depth"), tmp_path, quiet)
    stored = read_json(tmp_path / "metrics.json")
    for name in ("abs_rel", "rmse", "a1"):
        assert stored[name] > 0 and stored[f"{name}_mean_map"] > 0 and stored[f"{name}_untrained"] > 0
    assert list(pd.read_parquet(tmp_path / "history.parquet")["iteration"]) == [0, 2, 4]
    images, truth, predicted = pretrain.load_examples(tmp_path, "depth")
    assert images.shape[1:] == (3, 64, 96) and truth.shape == predicted["depth"].shape
    valid = (truth[0] > 0.1) & (truth[0] < 80)
    assert np.median(predicted["depth"][0][valid]) == pytest.approx(np.median(truth[0][valid]), rel=0.05)
    assert result.metrics["diverged_at"] is None


def test_supervised_depth_leaves_what_depth_leaves_but_for_the_pose(tmp_path):
    pretrain.run(pretraining(initialisation="depth-supervised"), tmp_path, quiet)
    names = {path.name for path in tmp_path.iterdir()} - {"checkpoint.pt"}
    assert names == {"weights.safetensors", "history.parquet", "metrics.json", "environment.json", "examples.npz"}
    stored = read_json(tmp_path / "metrics.json")
    assert stored["task"] == "supervised" and stored["warnings"] == ""
    for name in ("abs_rel", "rmse", "a1"):
        assert stored[name] > 0 and stored[f"{name}_mean_map"] > 0 and stored[f"{name}_unscaled"] >= 0
    images, truth, predicted = pretrain.load_examples(tmp_path, "depth-supervised")
    assert images.shape[1:] == (3, 64, 96) and truth.shape == predicted["depth-supervised"].shape
    state = weights.load_weights(tmp_path / "weights.safetensors", "resnet18-slim", "depth-supervised")
    taken = weights.transfer(state, SegmentationNetwork("resnet18-slim", 19), "supervised run")
    assert set(taken.fresh) == {"head.weight", "head.bias"}


def test_flow_leaves_its_errors_baselines_and_examples(tmp_path):
    pretrain.run(pretraining(initialisation="flow"), tmp_path, quiet)
    names = {path.name for path in tmp_path.iterdir()} - {"checkpoint.pt"}
    assert names == {"weights.safetensors", "history.parquet", "metrics.json", "environment.json", "flow_examples.npz"}
    stored, history = read_json(tmp_path / "metrics.json"), pd.read_parquet(tmp_path / "history.parquet")
    assert stored["task"] == "flow" and stored["epe"] == history["epe"].iloc[-1] and stored["epe_mean_map"] > 0
    assert history["epe"].iloc[0] == stored["epe_zero"]  # the network starts at rest
    assert list(history["learning_rate"]) == pytest.approx([5e-4, 5e-5, 5e-5])
    images, predicted, exact = pretrain.load_flow_examples(tmp_path)
    assert images.shape[1:] == (2, 3, 64, 96) and predicted.shape == exact.shape == (len(images), 2, 64, 96)
    state = weights.load_weights(tmp_path / "weights.safetensors", "resnet18-slim", "flow")
    taken = weights.transfer(state, SegmentationNetwork("resnet18-slim", 19), "flow run")
    assert all(name.startswith("encoder.") for name in taken.loaded)


def test_depth_classification_starts_depth_and_pose_from_the_classifier(classification, tmp_path):
    folder, _ = classification
    lines = []
    config = pretraining(initialisation="depth-classification", start_weights=str(folder / "weights.safetensors"))
    result = pretrain.run(config, tmp_path, lines.append)
    assert any("weights of classification" in line for line in lines)
    assert all(not name.startswith("encoder.") for name in result.transfer.fresh)
    classifier = safetensors.torch.load_file(folder / "weights.safetensors")
    for file in ("weights", "pose"):
        encoder = safetensors.torch.load_file(tmp_path / f"{file}.safetensors")
        name = "encoder.resnet.layer1.0.conv1.weight"
        assert (encoder[name] - classifier[name]).abs().max() < 0.01  # four small steps away
    wide = safetensors.torch.load_file(tmp_path / "pose.safetensors")["encoder.resnet.conv1.weight"]
    narrow = classifier["encoder.resnet.conv1.weight"]
    torch.testing.assert_close(wide[:, :3], narrow / 2, atol=0.01, rtol=0)


def test_depth_imagenet_starts_depth_and_pose_from_torchvisions_file(tmp_path):
    network, file = torchvisions_file(tmp_path)
    config = pretraining(initialisation="depth-imagenet", encoder="resnet18", start_weights=str(file), iterations=1)
    result = pretrain.run(config, tmp_path / "run", quiet)
    assert {name.split(".")[0] for name in result.transfer.fresh} == {"encoder", "decoder", "heads"}
    theirs = network.state_dict()["layer3.0.conv1.weight"]
    for kind in ("weights", "pose"):
        ours = safetensors.torch.load_file(tmp_path / "run" / f"{kind}.safetensors")
        assert (ours["encoder.resnet.layer3.0.conv1.weight"] - theirs).abs().max() < 0.01  # a small step at most


def test_the_same_seed_gives_the_same_weights(tmp_path):
    for name in ("first", "second"):
        pretrain.run(pretraining(initialisation="depth"), tmp_path / name, quiet)
    first, second = (safetensors.torch.load_file(tmp_path / n / "weights.safetensors") for n in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_missing_start_weights_stop_the_run_before_it_trains(tmp_path):
    config = pretraining(initialisation="depth-classification", start_weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(InputError, match="there is no weights file"):
        pretrain.run(config, tmp_path, quiet)
    assert not (tmp_path / "history.parquet").exists()
