"""Weights files of other projects in their true formats, with random numbers in them, for tests."""

import math
from pathlib import Path

import torch
import torchvision
from torch import Tensor
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from depthseg_lib.models.published import MONODEPTH2

BLOCKS = {"resnet18": (BasicBlock, [2, 2, 2, 2]), "resnet34": (BasicBlock, [3, 4, 6, 3])}
BLOCKS |= {"resnet50": (Bottleneck, [3, 4, 6, 3]), "resnet101": (Bottleneck, [3, 4, 23, 3])}
CHANNELS = {"resnet18": (64, 64, 128, 256, 512), "resnet50": (64, 256, 512, 1024, 2048)}
WIDTHS = (16, 32, 64, 128, 256)
SPREAD = 0.03
"""Deviation of all weights."""


def resnet(name: str, thin: bool = True, images: int = 1) -> dict[str, Tensor]:
    """A ResNet's weights under torchvision's names, classifier included."""
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in ResNet(*BLOCKS[name]).state_dict().items()}
    return drawn(shapes | {"conv1.weight": (64, 3 * images, 7, 7)}, thin)


def drawn(shapes: dict[str, tuple[int, ...]], thin: bool = False) -> dict[str, Tensor]:
    """Random tensors of these shapes, which are all views of the same few numbers, so that a file of them is small.

    Thin ones are one number each. The others vary as widely as trained ones, and batch-norm keeps signals in bounds.
    """
    largest = max(map(math.prod, shapes.values()))
    bank, state, fan_in = SPREAD * torch.randn(2 if thin else largest), {}, 1
    for number, (name, shape) in enumerate(shapes.items()):
        fan_in = math.prod(shape[1:]) if len(shape) == 4 else fan_in
        count = math.prod(shape)
        first = (997 * number) % (len(bank) - count + 1) if not thin else number % 2
        state[name] = bank[first].expand(shape) if thin else bank[first : first + count].view(shape)
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var") and not thin:
            state[name] = state[name].abs() + fan_in * SPREAD**2
        elif len(shape) == 1 and name.endswith("weight") and not thin:
            state[name] = state[name] + 0.5
    return state


def monodepth2(encoder: str, thin: bool = True) -> dict[str, dict]:
    """The four files of a Monodepth2 checkpoint: contents by name."""
    channels = CHANNELS[encoder]
    depth, pose = {}, {}
    for step, level in enumerate(range(4, -1, -1)):
        inputs = channels[4] if level == 4 else WIDTHS[level + 1]
        skip = channels[level - 1] if level else 0
        depth |= _layer(f"decoder.{2 * step}.conv.conv", WIDTHS[level], inputs, 3)
        depth |= _layer(f"decoder.{2 * step + 1}.conv.conv", WIDTHS[level], WIDTHS[level] + skip, 3)
    for scale in range(4):
        depth |= _layer(f"decoder.{10 + scale}.conv", 1, WIDTHS[scale], 3)
    for layer, (outputs, inputs, size) in enumerate(
        ((256, channels[4], 1), (256, 256, 3), (256, 256, 3), (12, 256, 1))
    ):
        pose |= _layer(f"net.{layer}", outputs, inputs, size)
    plain = {"height": 192, "width": 640, "use_stereo": False}
    return {
        "encoder.pth": prefixed("encoder.", resnet(encoder, thin)) | plain,
        "depth.pth": drawn(depth, thin),
        "pose_encoder.pth": prefixed("encoder.", resnet(encoder, thin, images=2)),
        "pose.pth": drawn(pose, thin),
    }


def _layer(name: str, outputs: int, inputs: int, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs, size, size), f"{name}.bias": (outputs,)}


def write(files: dict[str, dict], folder: Path) -> Path:
    """Write the contents of .pth files into a folder; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        torch.save(content, folder / name)
    return folder


def write_monodepth2(root: Path) -> Path:
    """A folder with Monodepth2's four checkpoints, thin ones, as its zip files unpack; returns it."""
    for folders in MONODEPTH2.values():
        for encoder, folder in folders.items():
            write(monodepth2(encoder), root / folder)
    return root


def write_imagenet(root: Path) -> Path:
    """A folder with torchvision's ImageNet weights, thin ones, under their names; returns it."""
    return write({"resnet18-f37072fd.pth": resnet("resnet18"), "resnet50-0676ba61.pth": resnet("resnet50")}, root)


def moco(name: str = "resnet50") -> dict:
    """A checkpoint of MoCo v2: query and key encoder with their projection heads, and the queue."""
    encoders = {f"module.encoder_{one}.{n}": t for one in "qk" for n, t in _projecting(resnet(name)).items()}
    queue = {"module.queue": torch.rand(128, 4), "module.queue_ptr": torch.zeros(1, dtype=torch.long)}
    optimizer = {"state": {0: {"momentum_buffer": torch.rand(2)}}, "param_groups": [{"lr": 0.03}]}
    return {"epoch": 800, "arch": name, "state_dict": encoders | queue, "optimizer": optimizer}


def _projecting(state: dict[str, Tensor]) -> dict[str, Tensor]:
    layers = {f"fc.{layer}.{kind}": torch.rand(2) for layer in (0, 2) for kind in ("weight", "bias")}
    return without_classifier(state) | layers


def without_classifier(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights but for the last layer's."""
    return {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}


def prefixed(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same under longer names."""
    return {prefix + name: tensor for name, tensor in state.items()}


def torchvisions_file(folder: Path):
    """ImageNet weights as torchvision's own file has them: its name, and no counts of batches."""
    network = torchvision.models.resnet18(weights=None)
    state = {n: t for n, t in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    torch.save(state, folder / "resnet18-f37072fd.pth")
    return network, folder / "resnet18-f37072fd.pth"
