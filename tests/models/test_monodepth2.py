"""Monodepth2's checkpoints: the same disparity and motion, there and back, and what is refused."""

import os
import shutil

import pytest
import torch
import torch.nn.functional as F
from helpers.published_files import drawn, write
from helpers.published_files import monodepth2 as official

from depthseg_lib.errors import InputError
from depthseg_lib.models import checkpoints, weights
from depthseg_lib.models.networks import DepthNetwork, PoseNetwork, SegmentationNetwork

ENCODERS = ("resnet18", "resnet50")


@pytest.fixture(scope="module", params=ENCODERS)
def checkpoint(request, tmp_path_factory):
    """Encoder, contents of the four files and their folder, with every number of its own."""
    torch.manual_seed(0)
    files = official(request.param, thin=False)
    folder = write(files, tmp_path_factory.mktemp(request.param))
    yield request.param, files, folder
    shutil.rmtree(folder)


def features(state, images):
    """The maps of a ResNet with torchvision's names after `encoder.`, by functions alone."""

    def convolved(x, name, stride=1, norm="bn1"):
        kernel = state[f"{name}.weight"]
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        names = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(state[f"{norm}.{kind}"] for kind in names), training=False, eps=1e-5)

    maps = [F.relu(convolved((images - 0.45) / 0.225, "encoder.conv1", 2, "encoder.bn1"))]
    x = F.max_pool2d(maps[0], 3, stride=2, padding=1)
    for stage in range(1, 5):
        blocks = {name.split(".")[2] for name in state if name.startswith(f"encoder.layer{stage}.")}
        for block in sorted(blocks):
            name, stride = f"encoder.layer{stage}.{block}", 2 if stage > 1 and block == "0" else 1
            deep = f"{name}.conv3.weight" in state  # then the 3x3 in the middle has the stride
            y = F.relu(convolved(x, f"{name}.conv1", 1 if deep else stride, f"{name}.bn1"))
            y = convolved(y, f"{name}.conv2", stride if deep else 1, f"{name}.bn2")
            if deep:
                y = convolved(F.relu(y), f"{name}.conv3", 1, f"{name}.bn3")
            if f"{name}.downsample.0.weight" in state:
                x = convolved(x, f"{name}.downsample.0", stride, f"{name}.downsample.1")
            x = F.relu(x + y)
        maps.append(x)
    return maps


def disparities(files, images):
    """What the two files' network says, by functions alone: four maps, finest first."""
    maps, state, found = features(files["encoder.pth"], images), files["depth.pth"], []

    def reflected(x, name):
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, state[f"{name}.weight"], state[f"{name}.bias"])

    x = maps[4]
    for step, level in enumerate((4, 3, 2, 1, 0)):
        x = F.elu(reflected(x, f"decoder.{2 * step}.conv.conv"))
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        x = torch.cat([x, maps[level - 1]], dim=1) if level else x
        x = F.elu(reflected(x, f"decoder.{2 * step + 1}.conv.conv"))
        if level < 4:
            found.insert(0, torch.sigmoid(reflected(x, f"decoder.{10 + level}.conv")))
    return found


@torch.no_grad()
def test_the_same_weights_give_the_same_disparity(checkpoint):
    encoder, files, folder = checkpoint
    network = DepthNetwork(encoder)
    network.load_state_dict(checkpoints.load_depth(folder, encoder)[0])
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    theirs = disparities(files, images)
    for ours, expected in zip(network.eval()(images), theirs, strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
        assert expected.std() > 1e-3  # it depends on the image
    assert len(theirs) == 4


@torch.no_grad()
def test_the_same_weights_give_the_same_motion(checkpoint):
    encoder, files, folder = checkpoint
    network = PoseNetwork(encoder)
    network.load_state_dict(checkpoints.load_pose(folder, encoder)[0])
    frames = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    x, state = features(files["pose_encoder.pth"], frames.reshape(1, 6, 64, 96))[4], files["pose.pth"]
    for layer in range(4):
        kernel = state[f"net.{layer}.weight"]
        x = F.conv2d(x, kernel, state[f"net.{layer}.bias"], padding=kernel.shape[-1] // 2)
        x = F.relu(x) if layer < 3 else x
    motion = 0.01 * x.mean(3).mean(2).view(2, 6)[0]  # two motions, of which the first is used
    axis_angle, translation = network.eval()(frames[:1], frames[1:])
    torch.testing.assert_close(torch.cat([axis_angle, translation], dim=1)[0], motion, rtol=0, atol=1e-8)
    assert motion.abs().max() > 1e-4


def test_import_and_export_change_nothing(checkpoint, tmp_path):
    encoder, files, folder = checkpoint
    checkpoints.save_depth(checkpoints.load_depth(folder, encoder)[0], tmp_path, encoder, 192, 640)
    checkpoints.save_pose(checkpoints.load_pose(folder, encoder)[0], tmp_path, encoder)
    for file, before in files.items():
        after = torch.load(tmp_path / file, weights_only=True)
        assert after.keys() == before.keys()
        for name, value in before.items():
            if name.startswith("encoder.fc."):  # not used: not kept, but there in its shape for a strict reader
                assert after[name].shape == value.shape
            elif name.startswith("net.3."):  # the second motion is not used
                assert torch.equal(after[name][:6], value[:6]) and not after[name][6:].any()
            else:
                assert torch.equal(after[name], value) if torch.is_tensor(value) else after[name] == value
    shutil.rmtree(tmp_path)


def own(network):
    """Random weights of one of our networks."""
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in network("resnet18").state_dict().items()}
    return drawn(shapes)


def test_our_own_networks_come_back_bit_for_bit(tmp_path):
    depth, pose = own(DepthNetwork), own(PoseNetwork)
    checkpoints.save_depth(depth, tmp_path, "resnet18", 64, 96)
    checkpoints.save_pose(pose, tmp_path, "resnet18")
    for before, after in (
        (depth, checkpoints.load_depth(tmp_path, "resnet18")[0]),
        (pose, checkpoints.load_pose(tmp_path, "resnet18")[0]),
    ):
        assert before.keys() == after.keys() and all(torch.equal(after[name], t) for name, t in before.items())
    assert torch.load(tmp_path / "encoder.pth", weights_only=True)["width"] == 96


@pytest.mark.parametrize("initialisation", ["depth", "depth-imagenet"])
def test_fine_tuning_starts_from_it_but_for_the_last_layer(initialisation, tmp_path):
    state, source = weights.starting_weights("resnet18", initialisation, str(write(official("resnet18"), tmp_path)))
    network = SegmentationNetwork("resnet18", 19)
    taken = weights.transfer(state, network, source)
    assert set(taken.fresh) == {"head.weight", "head.bias"}
    assert {name.split(".")[0] for name in taken.dropped} == {"heads"}


def removed(name):
    return lambda files: files.pop(name)


def without(file, name):
    return lambda files: files[file].pop(name)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (removed("encoder.pth"), "encoder.pth: there is no such file; expected a checkpoint of Monodepth2"),
        (removed("depth.pth"), "depth.pth: there is no such file"),
        (without("depth.pth", "decoder.9.conv.conv.bias"), "depth.pth does not.*decoder.9.conv.conv.bias is missing"),
        (
            without("encoder.pth", "encoder.layer2.0.conv1.weight"),
            r"encoder.pth does not.*\(encoder.layer2.0.conv1.weight is m",
        ),
        (lambda files: files.update(official("resnet50")), "encoder.layer1.0.conv1.weight is of 64x64x1x1 instead of"),
        (
            lambda files: files["depth.pth"].update({"decoder.14.conv.bias": torch.ones(1)}),
            "decoder.14.conv.bias is unknown",
        ),
        (
            lambda files: files.update({"encoder.pth": files["depth.pth"]}),
            "encoder.pth.*encoder.conv1.weight is missing",
        ),
        (
            lambda files: files.update({"encoder.pth": files["pose_encoder.pth"]}),
            "conv1.weight is of 64x6x7x7 instead of 64x3",
        ),
    ],
)
def test_what_is_no_such_checkpoint_is_refused(damage, message, tmp_path):
    files = official("resnet18")
    damage(files)
    with pytest.raises(InputError, match=message):
        checkpoints.load_depth(write(files, tmp_path), "resnet18")


def test_pose_of_another_kind_is_refused(tmp_path):
    files = official("resnet18")
    files["pose.pth"]["net.3.weight"] = files["pose.pth"]["net.3.weight"][:6]
    with pytest.raises(InputError, match="pose.pth.*net.3.weight is of 6x256x1x1 instead of 12x256x1x1"):
        checkpoints.load_pose(write(files, tmp_path), "resnet18")


def test_broken_files_and_files_with_code_are_refused(tmp_path):
    class Malicious:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "mark"),)

    folder = write(official("resnet18"), tmp_path)
    (folder / "depth.pth").write_bytes(b"")
    with pytest.raises(InputError, match="depth.pth is not a readable weights file: it is empty"):
        checkpoints.load_depth(folder, "resnet18")
    write({"encoder.pth": {"height": Malicious()}}, folder)
    with pytest.raises(InputError, match="encoder.pth is not a readable weights file: it asks for .*mkdir"):
        checkpoints.load_depth(folder, "resnet18")
    assert not (tmp_path / "mark").exists()


def test_an_encoder_that_monodepth2_does_not_have_is_named(tmp_path):
    with pytest.raises(InputError, match="no encoder 'resnet18-slim', only resnet18 and resnet50"):
        checkpoints.load_depth(tmp_path, "resnet18-slim")
    with pytest.raises(InputError, match="no encoder 'resnet18-slim'"):
        checkpoints.save_pose({}, tmp_path, "resnet18-slim")
