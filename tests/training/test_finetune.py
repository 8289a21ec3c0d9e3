"""Fine-tuning: what is trained and what is not, what a run leaves, that trials are paired and repeat."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from helpers.small import finetuning

from depthseg_lib.data.sources import load_annotated
from depthseg_lib.errors import InputError, Stopped
from depthseg_lib.files import read_json
from depthseg_lib.losses import evaluation, metrics
from depthseg_lib.models.networks import Classifier, DepthNetwork
from depthseg_lib.models.weights import save_weights
from depthseg_lib.training import finetune

ROOT = Path(__file__).parents[2]
SLIM = "resnet18-slim"


def quiet(_):
    pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(7)
    for name, network in (("depth", DepthNetwork(SLIM)), ("classification", Classifier(SLIM, 8))):
        save_weights(network, folder / f"{name}.safetensors", encoder=SLIM, initialisation=name)
    return {name: str(folder / f"{name}.safetensors") for name in ("depth", "classification")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, weights):
    folder = tmp_path_factory.mktemp("run")
    config = finetuning(initialisation="depth", start_weights=weights["depth"], iterations=6, evaluate_every=3)
    said = []
    return folder, config, finetune.run(config, folder, said.append), said


def test_a_run_leaves_consistent_results(finished):
    folder, config, result, _ = finished
    stored, history = read_json(folder / "metrics.json"), pd.read_parquet(folder / "history.parquet")
    with np.load(folder / "confusion.npz") as file:
        confusion, names = file["images"], file["names"]
    assert list(history["iteration"]) == [0, 3, 6] and stored["iteration"] == 6
    assert confusion.shape == (12, 19, 19) and len(set(names)) == 12
    assert metrics.miou(confusion) == pytest.approx(stored["miou"])
    assert metrics.accuracy_per_image(confusion) == pytest.approx(stored["accuracy_image"])
    with np.load(folder / "predictions.npz") as file:
        again, _ = evaluation.confusion_matrix(
            torch.from_numpy(file["predictions"][-1]), torch.from_numpy(file["truth"]), 19
        )
        assert list(file["names"]) == list(names[-6:]) and list(file["iterations"]) == [0, 3, 6]
        assert np.array_equal(result.predictions, file["predictions"][-1])
    assert np.array_equal(again, confusion[-6:])
    assert not (folder / "checkpoint.pt").exists()
    parts = ("confusion.npz", "environment.json", "history.parquet", "predictions.npz")
    assert stored["files"] == {name: (folder / name).stat().st_size for name in parts}


def test_transfer_from_depth_takes_the_decoder_too(finished):
    assert any("2 fresh (head.weight, head.bias)" in line for line in finished[3])


def task(config):
    torch.manual_seed(config.trial)
    made = finetune.SegmentationTask(config, *load_annotated(config, config.images), "cpu")
    finetune.start(config, made.module.network)
    return made


def step(made, seed=3):
    torch.manual_seed(seed)
    made.module.train()
    loss = made.module(made.batch(torch.tensor([0, 2]), 0))
    loss.backward()
    return loss


@pytest.mark.parametrize("setting", ["full", "frozen"])
def test_a_frozen_encoder_keeps_weights_and_statistics_a_full_one_does_not(setting, weights, tmp_path):
    config = finetuning(initialisation="depth", start_weights=weights["depth"], setting=setting)
    before = safetensors.torch.load_file(weights["depth"])
    finetune.run(config, tmp_path, quiet)
    after = safetensors.torch.load_file(tmp_path / "weights.safetensors")
    changed = {name for name in after if name in before and not torch.equal(after[name], before[name])}
    assert any(name.startswith("decoder.") for name in changed)
    in_encoder = {name for name in changed if name.startswith("encoder.")}
    assert not in_encoder if setting == "frozen" else "encoder.resnet.bn1.running_mean" in in_encoder


def test_a_frozen_encoders_stored_features_give_loss_gradients_and_metrics_of_computed_ones(weights, monkeypatch):
    config = finetuning(initialisation="depth", start_weights=weights["depth"], setting="frozen")
    stored, computed = task(config), task(config)
    monkeypatch.setattr(finetune.SegmentationTask, "_stores", lambda self, images: self is stored)
    losses = [step(made).item() for made in (stored, computed)]
    assert isinstance(stored.batch(torch.tensor([0]), 0)[0], list)
    assert isinstance(computed.batch(torch.tensor([0]), 0)[0], torch.Tensor)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for ours, theirs in zip(stored.module.parameters(), computed.module.parameters(), strict=True):
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-6)
    found = []
    for one in (stored, computed):
        one.module.eval()
        with torch.no_grad():
            found.append(one.evaluate())
    assert found[0] == pytest.approx(found[1], rel=1e-4, nan_ok=True)
    assert "_validation_features" in vars(stored) and "_validation_features" not in vars(computed)


def test_normalisation_follows_the_pretraining(weights):
    means = {}
    for name in ("none", "depth", "classification"):
        config = finetuning(initialisation=name, start_weights=weights.get(name, ""))
        means[name] = task(config).module.network.encoder.mean.flatten().tolist()
    assert means["none"] == means["depth"] == pytest.approx([0.45] * 3)
    assert means["classification"] == pytest.approx([0.485, 0.456, 0.406])
    for name in ("imagenet", "moco-v2", "dino"):
        network = finetune.make_network(finetuning(initialisation=name), 19)
        assert network.encoder.mean.flatten().tolist() == means["classification"]


def test_trials_are_paired_same_images_and_fresh_decoder_for_every_initialisation(weights):
    first = task(finetuning(initialisation="classification", start_weights=weights["classification"], trial=1))
    second = task(finetuning(initialisation="none", trial=1))
    other = task(finetuning(initialisation="none", trial=2))
    head = "network.head.weight"
    assert torch.equal(first.module.state_dict()[head], second.module.state_dict()[head])
    assert not torch.equal(second.module.state_dict()[head], other.module.state_dict()[head])
    assert first.training.names == other.training.names


def test_a_training_set_is_part_of_the_larger_ones_and_apart_from_validation():
    config, drawn = finetuning(), set()
    for trial in range(4):
        small, validation = load_annotated(config, 4, trial=trial)
        large, rest = load_annotated(config, 8, trial=trial)
        assert large.names[:4] == small.names and rest.names == validation.names and len(rest.names) == 12
        assert not set(large.names) & set(rest.names)
        drawn.add(small.names)
    assert len(drawn) == 4  # of each trial its own


def test_an_interruption_is_one_line_that_says_how_to_go_on(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(finetune, "train", interrupted)
    with pytest.raises(Stopped, match="run this again to go on") as stopped:
        finetune.run_trials(finetuning(), 1, tmp_path, quiet)
    assert isinstance(stopped.value, KeyboardInterrupt)  # what ends a command still does
    cell = "from depthseg_lib.errors import interruptible\nwith interruptible():\n    raise KeyboardInterrupt"
    call = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", cell]
    environment = os.environ | {"IPYTHONDIR": str(tmp_path)}
    shown = subprocess.run(call, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert (shown.stdout + shown.stderr).split("\n")[0] == "stopped; run this again to go on from the last evaluation"
    assert "Traceback" not in shown.stdout + shown.stderr


def test_trials_share_a_folder_and_a_finished_one_is_kept(tmp_path):
    config, said = finetuning(iterations=2), []
    done = finetune.run_trials(config, 2, tmp_path, said.append)
    alone = finetune.run(config.changed(trial=1), tmp_path / "alone", quiet)
    scores = [{k: v for k, v in one.metrics.items() if k != "files"} for one in (*done, alone)]
    assert scores[1] == scores[2] != scores[0]
    assert not (tmp_path / "metrics.json").exists()  # each trial has its own
    said.clear()
    before = (tmp_path / "t0" / "metrics.json").stat().st_mtime_ns
    again = finetune.run_trials(config, 3, tmp_path, said.append)
    assert [one.metrics for one in again[:2]] == [one.metrics for one in done]
    assert said[:3] == ["trial 0: finished before", "trial 1: finished before", said[2]] and "iteration 0/2" in said[2]
    assert (tmp_path / "t0" / "metrics.json").stat().st_mtime_ns == before
    finetune.run_trials(config.changed(learning_rate=1e-4), 1, tmp_path, said.append)
    assert (tmp_path / "t0" / "metrics.json").stat().st_mtime_ns > before  # of other settings: done anew
    with pytest.raises(InputError, match="trials = 0: expected one at least"):
        finetune.run_trials(config, 0, tmp_path, quiet)


def test_a_fresh_decoder_is_drawn_as_asked_and_a_loaded_one_is_not(weights):
    drawn, loaded = {}, {}
    for how in ("pytorch", "kaiming"):
        drawn[how] = task(finetuning(fresh_decoder=how)).module.network.decoder.reduce[4]
        config = finetuning(initialisation="depth", start_weights=weights["depth"], fresh_decoder=how)
        loaded[how] = task(config).module.network.decoder.reduce[4].weight
    assert torch.equal(*loaded.values())
    weight = drawn["kaiming"].weight  # He et al. (2015), equation 10: deviation sqrt(2 / fan-in)
    assert weight.std().item() == pytest.approx((2 / (9 * weight.shape[1])) ** 0.5, rel=0.02)
    assert not drawn["kaiming"].bias.any() and drawn["pytorch"].bias.all()
    assert drawn["pytorch"].weight.std().item() == pytest.approx(weight.std().item() / 6**0.5, rel=0.02)


def test_of_a_long_run_a_few_evaluations_are_stored_evenly_the_first_and_the_last_among_them(tmp_path):
    finetune.run(finetuning(iterations=30, evaluate_every=1), tmp_path, quiet)
    with np.load(tmp_path / "predictions.npz") as file:
        iterations, predictions = file["iterations"], file["predictions"]
    assert iterations[0] == 0 and iterations[-1] == 30 and len(iterations) == finetune.KEPT == len(predictions)
    assert set(np.diff(iterations)) <= {2, 3}


@pytest.mark.parametrize("setting", ["encoder-only", "deeplab"])
def test_only_the_encoder_comes_over_to_a_fresh_decoder(setting, weights):
    config = finetuning(initialisation="depth", start_weights=weights["depth"], setting=setting)
    state = task(config).module.network.state_dict()
    before = safetensors.torch.load_file(weights["depth"])
    same = {name for name, tensor in state.items() if name in before and torch.equal(tensor, before[name])}
    assert {name for name in state if name.startswith("encoder.")} == same
    step(task(config))


def test_all_annotated_images_are_validated_on_themselves():
    training, validation = load_annotated(finetuning(images=16), 16)
    assert set(training.names) == set(validation.names) and len(training.names) == 16


def test_divergence_is_recorded_and_the_run_ends_well(tmp_path):
    result = finetune.run(finetuning(learning_rate=1e30, iterations=8), tmp_path, quiet)
    stored = read_json(tmp_path / "metrics.json")
    assert stored["diverged_at"] == result.metrics["diverged_at"] and 0 < stored["diverged_at"] < 8


def test_weights_of_another_encoder_are_refused(weights, tmp_path):
    config = finetuning(encoder="resnet18", initialisation="depth", start_weights=weights["depth"])
    with pytest.raises(InputError, match="holds weights of the encoder 'resnet18-slim', but 'resnet18'"):
        finetune.run(config, tmp_path, quiet)
