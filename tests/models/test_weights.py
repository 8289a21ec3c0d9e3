"""Weights: files, transfers that must be whole, torchvision's ImageNet weights from a file."""

import errno
from pathlib import Path

import pytest
import torch
import torchvision
from helpers.published_files import torchvisions_file

from depthseg_lib.errors import InputError
from depthseg_lib.models import weights
from depthseg_lib.models.networks import Classifier, DepthNetwork, FlowNetwork, SegmentationNetwork

SLIM = "resnet18-slim"


@pytest.mark.parametrize(
    ("source", "fresh", "dropped"),
    [
        (DepthNetwork(SLIM), {"head"}, {"heads"}),
        (Classifier(SLIM, 8), {"decoder", "head"}, {"head"}),  # of the same name, but another shape
        (FlowNetwork(SLIM), {"decoder", "head"}, {"flow_decoder", "flow_heads"}),
    ],
    ids=["depth", "classification", "flow"],
)
def test_a_transfer_takes_what_fits_and_leaves_the_rest_fresh(source, fresh, dropped):
    segmentation = SegmentationNetwork(SLIM, 19)
    before, state = {n: t.clone() for n, t in segmentation.state_dict().items()}, source.state_dict()
    taken, after = weights.transfer(state, segmentation, "a run"), segmentation.state_dict()
    assert {name.split(".")[0] for name in taken.fresh} == fresh
    assert {name.split(".")[0] for name in taken.dropped} == dropped
    assert set(taken.loaded) | set(taken.fresh) == set(after)
    assert all(torch.equal(after[name], state[name]) for name in taken.loaded)
    assert all(torch.equal(after[name], before[name]) for name in taken.fresh)


def test_transfer_of_half_an_encoder_is_refused():
    state = DepthNetwork(SLIM).state_dict()
    del state["encoder.resnet.layer3.0.conv1.weight"]
    with pytest.raises(InputError, match="some run does not hold the whole encoder.*layer3.0.conv1"):
        weights.transfer(state, SegmentationNetwork(SLIM, 19), "some run")


def test_weights_of_another_run_missing_and_broken_files_are_named(tmp_path):
    file = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="w.safetensors: there is no weights file"):
        weights.load_weights(file, SLIM, "depth")
    weights.save_weights(DepthNetwork(SLIM), file, encoder=SLIM, initialisation="depth")
    with pytest.raises(InputError, match="encoder 'resnet18-slim', but 'resnet18'"):
        weights.load_weights(file, "resnet18", "depth")
    with pytest.raises(InputError, match="initialisation 'depth', but 'classification'"):
        weights.load_weights(file, SLIM, "classification")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match="w.safetensors is no readable"):
        weights.load_weights(file, SLIM, "depth")


def test_an_initialisation_without_its_weights_says_what_it_needs():
    with pytest.raises(InputError, match="'depth' needs start_weights"):
        weights.starting_weights(SLIM, "depth", "")


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="w.safetensors cannot be written .No space left.*finished runs are kept"):
        weights.save_weights(DepthNetwork(SLIM), tmp_path / "w.safetensors", encoder=SLIM)
    assert list(tmp_path.iterdir()) == []


def test_imagenet_weights_from_torchvisions_file(tmp_path):
    network, file = torchvisions_file(tmp_path)
    segmentation = SegmentationNetwork("resnet18", 19, "imagenet")
    for place in (file, tmp_path):
        state, source = weights.starting_weights("resnet18", "imagenet", str(place))
        taken = weights.transfer(state, segmentation, source)
        assert set(taken.dropped) == {"encoder.resnet.fc.weight", "encoder.resnet.fc.bias"}
    assert torch.equal(segmentation.encoder.resnet.layer4[1].conv2.weight, network.layer4[1].conv2.weight)


def test_imagenet_weights_come_from_torchs_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    file.parent.mkdir(parents=True)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), file)
    assert weights.imagenet_file("resnet18", "download") == str(file)


def test_imagenet_weights_without_network_or_for_the_slim_encoder_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def no_network(*args, **kwargs):
        raise OSError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(InputError, match="nor to be downloaded.*fetch https.*resnet18-f37072fd.pth"):
        weights.imagenet_file("resnet18", "download")
    with pytest.raises(InputError, match="no ImageNet weights for the encoder 'resnet18-slim'.*classification"):
        weights.imagenet_file(SLIM, "download")
    with pytest.raises(InputError, match="there is no such file"):
        weights.imagenet_file("resnet18", str(tmp_path))


def test_a_pickle_with_code_is_refused(tmp_path):
    file = tmp_path / "resnet18-f37072fd.pth"
    torch.save({"weight": torch.nn.Linear(2, 2)}, file)  # a pickled object, not plain tensors
    with pytest.raises(InputError, match="is not a readable weights file"):
        weights.starting_weights("resnet18", "imagenet", str(file))


def test_weights_that_are_not_finite_are_read_of_a_pretraining_alone_that_says_it_diverged(tmp_path):
    network = SegmentationNetwork(SLIM, 19)
    torch.nn.init.constant_(network.head.bias, float("nan"))
    about = {"encoder": SLIM, "initialisation": "depth"}
    weights.save_weights(network, tmp_path / "w.safetensors", **about)
    with pytest.raises(InputError, match="19 of the 19 values of head.bias are not finite"):
        weights.starting_weights(SLIM, "depth", str(tmp_path / "w.safetensors"))
    weights.save_weights(network, tmp_path / "w.safetensors", **about, diverged_at="7")
    state, _ = weights.starting_weights(SLIM, "depth", str(tmp_path / "w.safetensors"))
    assert state["head.bias"].isnan().all()
