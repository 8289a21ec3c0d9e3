"""Encoders from other projects' files: every known format, whole or refused, and no code is ever run."""

import os
import pickle
from argparse import Namespace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from helpers.published_files import moco, monodepth2, prefixed, resnet, without_classifier

from depthseg_lib.errors import InputError
from depthseg_lib.models import weights
from depthseg_lib.models.checkpoints import KEYS, read, read_encoder
from depthseg_lib.models.networks import SegmentationNetwork

ARGS = Namespace(arch="resnet50", lr=0.3)


def dino(*prefixes: str, of: dict) -> dict:
    """A full checkpoint of DINO: student and teacher, each a backbone and a head; the teacher's backbone is `of`."""
    head = {"head.last_layer.weight_g": torch.ones(4, 1)}
    both = {}
    for who, prefix in zip(("teacher", "student"), prefixes, strict=False):
        backbone = without_classifier(of if who == "teacher" else resnet("resnet50"))
        both[who] = prefixed(prefix + "backbone.", backbone) | prefixed(prefix, head)
    return both | {"args": ARGS, "epoch": 800, "dino_loss": {"center": torch.zeros(1, 4)}}


FORMATS = {
    "torchvision's": ("imagenet", lambda state: state),
    "torchvision's, old": ("imagenet", lambda state: {n: t for n, t in state.items() if "tracked" not in n}),
    "torchvision's training": ("imagenet", lambda state: {"model": state, "epoch": 89, "args": ARGS}),
    "PyTorch's example": ("imagenet", lambda state: {"state_dict": prefixed("module.", state), "arch": "resnet50"}),
    "timm's training": (
        "imagenet",
        lambda state: {"state_dict": resnet("resnet50"), "state_dict_ema": state, "args": ARGS, "metric": 79.0},
    ),
    "timm's training without averaging": ("imagenet", lambda state: {"state_dict": state, "args": ARGS}),
    "DINO's backbone": ("dino", without_classifier),
    "DINO's, both in parallel": ("dino", lambda state: dino("module.", "module.", of=state)),
    "DINO's, the student in parallel": ("dino", lambda state: dino("", "module.", of=state)),
    "a DINO student": ("dino", lambda state: {"student": prefixed("module.backbone.", without_classifier(state))}),
    "a plain DINO student": ("dino", lambda state: {"student": prefixed("backbone.", without_classifier(state))}),
    "MoCo v2": (
        "moco-v2",
        lambda state: {"state_dict": moco()["state_dict"] | prefixed("module.encoder_q.", without_classifier(state))},
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_known_format_is_read_whole(name, tmp_path):
    initialisation, made = FORMATS[name]
    state = resnet("resnet50")
    torch.save(made(state), tmp_path / "file.pth.tar")
    found, remark = read_encoder(tmp_path / "file.pth.tar", "resnet50", initialisation)
    assert not remark
    for layer in without_classifier(state):
        if layer.endswith("num_batches_tracked") and name == "torchvision's, old":
            continue
        assert torch.equal(found[f"encoder.resnet.{layer}"], state[layer])


def test_every_row_of_the_table_has_its_format():
    seen = {(kind, *row) for kind, rows in KEYS.items() for row in rows}
    assert len(seen) == sum(map(len, KEYS.values())) and len(FORMATS) == len(seen) + 1  # torchvision's old and new


def test_timms_published_safetensors_are_read(tmp_path):
    state = {name: tensor.clone() for name, tensor in resnet("resnet18", thin=False).items()}
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    found, _ = weights.starting_weights("resnet18", "imagenet", str(tmp_path / "model.safetensors"))
    assert torch.equal(found["encoder.resnet.layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])
    (tmp_path / "model.safetensors").write_bytes(b"0" * 20)
    with pytest.raises(InputError, match="model.safetensors is not a readable weights file"):
        read(tmp_path / "model.safetensors")


@pytest.mark.parametrize("initialisation", ["moco-v2", "dino"])
def test_only_the_encoder_comes_over(initialisation, tmp_path):
    content = moco("resnet18") if initialisation == "moco-v2" else dino("", "", of=resnet("resnet18"))
    torch.save(content, tmp_path / "file.pth")
    state, source = weights.starting_weights("resnet18", initialisation, str(tmp_path / "file.pth"))
    network = SegmentationNetwork("resnet18", 19, "imagenet")
    taken = weights.transfer(state, network, source)
    assert {name.split(".")[0] for name in taken.fresh} == {"decoder", "head"}
    assert all(name.startswith("encoder.resnet.fc.") for name in taken.dropped)
    assert torch.equal(network.encoder.resnet.layer1[0].conv2.weight, state["encoder.resnet.layer1.0.conv2.weight"])


class Malicious:
    """Unpickled carelessly, it makes the file that it was given."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize("reader", ["imagenet", "moco-v2", "dino"])
def test_code_in_a_pickle_is_named_and_not_run(how, reader, tmp_path):
    content, file, mark = (
        {**resnet("resnet18"), "args": Malicious(tmp_path / "mark")},
        tmp_path / "w.pth",
        tmp_path / "mark",
    )
    if how == "pickle":
        file.write_bytes(pickle.dumps(Malicious(mark), protocol=2))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(
        InputError, match="w.pth is not a readable weights file: it asks for .*mkdir.*no code in a file is ever run"
    ) as told:
        read_encoder(file, "resnet18", reader)
    assert not mark.exists() and "weights_only" not in str(told.value)
    pickle.loads(pickle.dumps(Malicious(mark)))
    assert mark.exists()  # it would have


def half(state):
    return {name: tensor for name, tensor in state.items() if not name.startswith("layer4.")}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: half(resnet("resnet50")), r"whole resnet50: 50 names.*\(layer4.0.conv1.weight is missing, .*…\)"),
        (
            lambda: resnet("resnet18"),
            "layer1.0.conv1.weight is of 64x64x3x3 instead of 64x64x1x1, layer1.0.conv3.weight is",
        ),
        (lambda: resnet("resnet101"), "306 names.*layer3.6.conv1.weight is unknown"),
        (
            lambda: {"state_dict": prefixed("module.encoder_z.", resnet("resnet50"))},
            "it has state_dict: module.encoder_z.conv1",
        ),
        (
            lambda: prefixed("features.", resnet("resnet50")),
            "no format known for 'dino': it has features.conv1.weight, .*"
            "expected a ResNet with conv1.weight or teacher: module.backbone.conv1.weight or",
        ),
        (moco, "no format known for 'dino': it has state_dict: module.encoder_q.conv1.weight"),
        (lambda: monodepth2("resnet50")["encoder.pth"], "it has encoder.conv1.weight"),
        (lambda: {"conv1.weight": 3, "height": 192}, "whole resnet50: 265 names.*conv1.weight is missing"),
        (dict, "it has no tensors"),
        (lambda: torch.zeros(3), "holds a Tensor: expected tensors by name"),
        (lambda: [torch.zeros(3)], "holds a list: expected tensors by name"),
    ],
)
def test_what_is_no_whole_resnet50_is_refused_with_the_first_names(content, message, tmp_path):
    torch.save(content(), tmp_path / "file.pth")
    with pytest.raises(InputError, match=rf"file.pth .*{message}"):
        read_encoder(tmp_path / "file.pth", "resnet50", "dino")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"<html>404</html>", "not what PyTorch"),
        (b"PK\x03\x04" + bytes(99), "a part of it is missing"),
    ],
)
def test_what_is_no_checkpoint_is_refused(content, message, tmp_path):
    file = tmp_path / "file.pth"
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"file.pth is not a readable weights file: .*{message}"):
        read(file)


def test_half_a_download_is_refused(tmp_path):
    file = tmp_path / "file.pth"
    torch.save(resnet("resnet18"), file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(InputError, match="a part of it is missing"):
        read(file)


@pytest.mark.parametrize("name", ["nowhere.pth", "nowhere.safetensors", "."])
def test_what_is_not_there_is_named(name, tmp_path):
    with pytest.raises(InputError, match=f"{tmp_path}.*: there is no such file; expected weights"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("wrap", "remark"),
    [
        (lambda state: prefixed("module.", state), "'module.'"),
        (lambda state: prefixed("_orig_mod.module.", state), "'_orig_mod.module.'"),
        (lambda state: {"state_dict": prefixed("model.", state), "epoch": 3}, "'state_dict: model.'"),
        (lambda state: {"model": prefixed("_orig_mod.", state)}, "'model: _orig_mod.'"),
    ],
)
@pytest.mark.parametrize("initialisation", ["imagenet", "dino"])
def test_what_training_tools_put_before_the_names_is_taken_off_with_a_remark(wrap, remark, initialisation, tmp_path):
    inner = resnet("resnet18")
    torch.save(wrap(inner), tmp_path / "file.pth")
    state, source = weights.starting_weights("resnet18", initialisation, str(tmp_path / "file.pth"))
    assert source.endswith(f"file.pth without {remark} before the names")
    taken = weights.transfer(state, SegmentationNetwork("resnet18", 19, "imagenet"), source)
    assert f"loaded from {source}, " in str(taken)
    assert torch.equal(state["encoder.resnet.layer1.0.conv2.weight"], inner["layer1.0.conv2.weight"])


def test_a_prefix_of_some_names_alone_is_none(tmp_path):
    torch.save(prefixed("module.", resnet("resnet18")) | {"other.weight": torch.zeros(1)}, tmp_path / "file.pth")
    with pytest.raises(InputError, match="no format known for 'imagenet': it has module.conv1.weight"):
        read_encoder(tmp_path / "file.pth", "resnet18", "imagenet")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.mul(float("nan")), "9408 of the 9408 values of encoder.resnet.conv1.weight are not finite"),
        (lambda t: t.index_fill(0, torch.tensor(0), float("inf")), "147 of the 9408 values of .*conv1.weight are not"),
        (lambda t: t.mul(100).to(torch.int8), "conv1.weight is of int8: expected floating-point weights"),
    ],
)
def test_weights_that_are_no_finite_numbers_are_refused(spoil, message, tmp_path):
    state = dict(resnet("resnet18"))
    torch.save(state | {"conv1.weight": spoil(torch.ones(64, 3, 7, 7))}, tmp_path / "file.pth")
    with pytest.raises(InputError, match=message):
        weights.starting_weights("resnet18", "imagenet", str(tmp_path / "file.pth"))
