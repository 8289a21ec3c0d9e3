"""Weights in the files of other projects: encoders, and Monodepth2's depth and pose networks.

Files are read without running code in them, and taken over whole or not at all.
"""

import argparse
import re
import warnings
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from depthseg_lib.errors import InputError
from depthseg_lib.files import replacing
from depthseg_lib.models.encoder import Encoder
from depthseg_lib.models.networks import DepthNetwork, PoseNetwork
from depthseg_lib.models.published import MONODEPTH2_DEPTH

KEYS = {
    "imagenet": (
        ("", ""),  # torchvision's weights, and timm's, which name a ResNet's layers alike
        ("state_dict_ema", ""),  # timm's own training; the averaged weights, where there are any
        ("state_dict", ""),
        ("state_dict", "module."),  # PyTorch's ImageNet example
        ("model", ""),  # torchvision's reference training
    ),
    "moco-v2": (("state_dict", "module.encoder_q."),),  # the query encoder
    "dino": (
        ("", ""),  # the backbone alone, as published
        ("teacher", "module.backbone."),  # a full checkpoint; the teacher is what DINO publishes and evaluates
        ("teacher", "backbone."),
        ("student", "module.backbone."),
        ("student", "backbone."),
    ),
}
"""By initialisation, where its files have an encoder: the entry that holds its names ("" for the file itself), and
what stands before torchvision's names there (`conv1.weight`, `layer1.0.conv1.weight`, ...). The first that fits counts.
"""

ENTRIES, PREFIXES = ("state_dict", "model"), ("module.", "_orig_mod.", "model.")
"""What training tools put around a network's names: DistributedDataParallel, torch.compile, Lightning."""

_ENCODER, _DEPTH = MONODEPTH2_DEPTH
DEPTH_NAMES = (
    (_ENCODER, "encoder.", "encoder.resnet."),
    *((_DEPTH, f"decoder.{2 * step}.conv.conv.", f"decoder.reduce.{4 - step}.") for step in range(5)),
    *((_DEPTH, f"decoder.{2 * step + 1}.conv.conv.", f"decoder.merge.{4 - step}.") for step in range(5)),
    *((_DEPTH, f"decoder.{10 + scale}.conv.", f"heads.heads.{scale}.") for scale in range(4)),
)
"""Monodepth2's depth network: file, how names begin there, how they begin here. The file counts the decoder's layers
from the coarsest on, two for each level, and then the heads from the finest on."""
MOTION = "net.3."
POSE_NAMES = (
    ("pose_encoder.pth", "encoder.", "encoder.resnet."),
    ("pose.pth", "net.0.", "squeeze."),
    ("pose.pth", "net.1.", "convolutions.0."),
    ("pose.pth", "net.2.", "convolutions.2."),
    ("pose.pth", MOTION, "head."),
)
"""The pose network, likewise. Its last layer gives two motions there, 12 numbers, of which Monodepth2 uses the first
only, and one here: the second is dropped on the way in, and zero on the way out."""
CLASSIFIER_INPUTS = {"resnet18": 512, "resnet50": 2048}
"""The encoders that both have, with the inputs of the classifiers to 1000 classes that Monodepth2's files hold, as it
keeps torchvision's networks whole. Nothing uses them."""


def read(file: str | Path) -> dict:
    """What a checkpoint of PyTorch (.pth, .pth.tar, ...) or a .safetensors file holds; no code in it is ever run.

    Raises `InputError` where the file is not there, not readable, or holds anything but entries by name.
    """
    file = Path(file)
    if not file.is_file():
        raise InputError(f"{file}: there is no such file; expected weights")
    try:
        if file.suffix == ".safetensors":
            content = safetensors.torch.load_file(file)
        else:
            # tensors and plain values alone; the options that DINO and timm store beside them are plain values too
            with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
                warnings.simplefilter("ignore")  # of a pickle's protocol: what comes of it is checked here
                content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken or foreign file fails in many ways
        if isinstance(error, PermissionError):
            reason = "there is no permission to read it"
        elif not file.stat().st_size:
            reason = "it is empty"
        elif asked := re.search(r"GLOBAL (\S+)", str(error)):
            reason = (
                f"it asks for {asked[1]}, but only tensors and plain values are read, and no code in a file is ever run"
            )
        else:
            reason = "it is not what PyTorch or safetensors wrote, or a part of it is missing"
        raise InputError(f"{file} is not a readable weights file: {reason}") from None
    if not isinstance(content, dict):
        raise InputError(f"{file} holds a {type(content).__name__}: expected tensors by name")
    return content


def unwrapped(content: dict) -> tuple[dict, str]:
    """`content` without the entries and prefixes around all of its names, and what these were, as a remark."""
    taken = []
    while True:
        names = [name for name, value in content.items() if isinstance(value, Tensor)]
        entry = next((name for name in ENTRIES if isinstance(content.get(name), dict)), "")
        prefix = next((p for p in PREFIXES if names and all(name.startswith(p) for name in names)), "")
        if not names and entry:
            content = content[entry]
        elif prefix:
            content = {str(name).removeprefix(prefix): value for name, value in content.items()}
        else:
            return content, f" without '{''.join(taken)}' before the names" if taken else ""
        taken.append(prefix or f"{entry}: ")


def check_values(state: dict, source: str) -> None:
    """Raise `InputError` for weights that are whole numbers, as of a quantised network, or not finite."""
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor) or str(name).endswith("num_batches_tracked"):
            continue
        if not tensor.is_floating_point():
            raise InputError(
                f"{source}: {name} is of {str(tensor.dtype).removeprefix('torch.')}: expected floating-point weights; "
                "give those from before the network was quantised"
            )
        if wrong := int((~torch.isfinite(tensor)).sum()):
            raise InputError(
                f"{source}: {wrong} of the {tensor.numel()} values of {name} are not finite: expected numbers; the "
                "training that made them diverged, or the file is damaged: give another checkpoint of it"
            )


def require_whole(state: dict, wanted: dict[str, Tensor], source: str, what: str, unused: str = "") -> None:
    """Raise `InputError` with the first differing names unless `state` has all that is `wanted`, of the same shapes.

    More tensors than that differ too, of more layers, say, than `what` has: but for those whose names begin with
    `unused`, which are dropped.
    """
    differing = []
    for name, tensor in wanted.items():
        found = state.get(name)
        if not isinstance(found, Tensor):
            # old files have no counts of batches, torchvision's ImageNet weights among them; nothing computes with them
            if not name.endswith("num_batches_tracked"):
                differing.append(f"{name} is missing")
        elif found.shape != tensor.shape:
            sizes = ["x".join(map(str, one.shape)) for one in (found, tensor)]
            differing.append(f"{name} is of {sizes[0]} instead of {sizes[1]}")
    others = [name for name, value in state.items() if name not in wanted and isinstance(value, Tensor)]
    differing += [f"{name} is unknown" for name in others if not name.startswith(unused)]
    if differing:
        raise InputError(
            f"{source} does not hold the whole {what}: {len(differing)} names are missing, of another shape or unknown "
            f"({shortened(differing)}); expected weights made with the same encoder"
        )


def shortened(texts: list[str] | tuple[str, ...]) -> str:
    """The first few of them."""
    return ", ".join(texts[:4]) + (" …" if len(texts) > 4 else "")


def read_encoder(file: str | Path, encoder: str, initialisation: str) -> tuple[dict[str, Tensor], str]:
    """An encoder's weights from a file of another project (`KEYS`), under this library's names, and a remark.

    Layers after the encoder's (`fc.`: a classifier, or a projection head) come along. The remark is on what training
    tools had put before the names; it is empty where there is nothing of the kind. Raises `InputError` where the file
    is not readable, of an unknown format, or of another encoder than `encoder`.
    """
    content = read(file)
    for whole, remark in ((content, ""), unwrapped(content)):
        for entry, prefix in KEYS[initialisation]:
            part = whole.get(entry) if entry else whole
            if isinstance(part, dict) and f"{prefix}conv1.weight" in part:
                chosen = {str(name): tensor for name, tensor in part.items() if isinstance(tensor, Tensor)}
                state = {n.removeprefix(prefix): tensor for n, tensor in chosen.items() if n.startswith(prefix)}
                with torch.device("meta"):  # names and shapes alone
                    wanted = Encoder(encoder).resnet.state_dict()
                require_whole(state, wanted, str(file), encoder, unused="fc.")
                return {f"encoder.resnet.{name}": tensor for name, tensor in state.items()}, remark
    nested = [(key, value) for key, value in content.items() if isinstance(value, dict)]
    names = [str(key) for key, value in content.items() if isinstance(value, Tensor)]
    names += [f"{key}: {name}" for key, value in nested for name in value if isinstance(value[name], Tensor)]
    first = [(f"{entry}: " if entry else "") + f"{prefix}conv1.weight" for entry, prefix in KEYS[initialisation]]
    raise InputError(
        f"{file} is in no format known for '{initialisation}': it has {shortened(names) or 'no tensors'}; expected a "
        f"ResNet with {' or '.join(first)}"
    )


def load_depth(folder: str | Path, encoder: str) -> tuple[dict[str, Tensor], str]:
    """The weights of a `DepthNetwork` from Monodepth2's `encoder.pth` and `depth.pth` in a folder, and a remark.

    Raises `InputError` where a file is missing or broken, or of another encoder.
    """
    return _load(Path(folder), encoder, DEPTH_NAMES, DepthNetwork)


def load_pose(folder: str | Path, encoder: str) -> tuple[dict[str, Tensor], str]:
    """The weights of a `PoseNetwork` from `pose_encoder.pth` and `pose.pth` of a folder; errors as in `load_depth`."""
    state, remark = _load(Path(folder), encoder, POSE_NAMES, PoseNetwork)
    return state | {name: state[name][:6].clone() for name in ("head.weight", "head.bias")}, remark


def save_depth(state: dict[str, Tensor], folder: str | Path, encoder: str, height: int, width: int) -> None:
    """Write a `DepthNetwork`'s weights as Monodepth2's files, with the image size that it was trained at."""
    _save(state, Path(folder), encoder, DEPTH_NAMES, {"height": height, "width": width, "use_stereo": False})


def save_pose(state: dict[str, Tensor], folder: str | Path, encoder: str) -> None:
    """Write a `PoseNetwork`'s weights as Monodepth2's files."""
    _save(state, Path(folder), encoder, POSE_NAMES, {})


def check_encoder(encoder: str) -> None:
    """Raise `InputError` for an encoder that Monodepth2 does not have."""
    if encoder not in CLASSIFIER_INPUTS:
        raise InputError(f"Monodepth2 has no encoder '{encoder}', only {' and '.join(CLASSIFIER_INPUTS)}")


def _load(folder: Path, encoder: str, table: tuple, network: type) -> tuple[dict[str, Tensor], str]:
    check_encoder(encoder)
    with torch.device("meta"):  # names and shapes alone
        own = network(encoder).state_dict()
        wanted = _by_file(own, table)
    found, remark = {}, ""
    for name in wanted:
        file = folder / name
        if not file.is_file():
            raise InputError(
                f"{file}: there is no such file; expected a checkpoint of Monodepth2, as its zip file unpacks, with "
                f"{' and '.join(MONODEPTH2_DEPTH)}"
            )
        found[name], taken = unwrapped(read(file))
        remark = remark or taken
    for name, state in found.items():
        require_whole(state, wanted[name], str(folder / name), f"{encoder} of Monodepth2", unused="encoder.fc.")
    places = {name: _place(name, table) for name in own}
    return {name: found[file][theirs] for name, (file, theirs) in places.items() if theirs in found[file]}, remark


def _save(state: dict[str, Tensor], folder: Path, encoder: str, table: tuple, plain: dict) -> None:
    check_encoder(encoder)
    files = _by_file(state, table)
    classifier = torch.zeros(1000, CLASSIFIER_INPUTS[encoder])
    files[table[0][0]] |= {"encoder.fc.weight": classifier, "encoder.fc.bias": classifier[:, 0].clone(), **plain}
    for file, content in files.items():
        with replacing(folder / file) as scratch:
            torch.save(content, scratch)


def _by_file(state: dict[str, Tensor], table: tuple) -> dict[str, dict]:
    """The tensors of `state` by file and by their names there."""
    files: dict[str, dict] = {file: {} for file, _, _ in table}
    for name, tensor in state.items():
        file, theirs = _place(name, table)
        files[file][theirs] = torch.cat([tensor, torch.zeros_like(tensor)]) if theirs.startswith(MOTION) else tensor
    return files


def _place(name: str, table: tuple) -> tuple[str, str]:
    """The file of one of our names, and the name there."""
    return next((file, theirs + name.removeprefix(ours)) for file, theirs, ours in table if name.startswith(ours))
