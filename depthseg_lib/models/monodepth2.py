"""Checkpoints of Monodepth2's own format: its depth and pose networks to and from this library's names."""

from pathlib import Path

import torch
from torch import Tensor

from depthseg_lib.errors import InputError
from depthseg_lib.files import replacing
from depthseg_lib.models.checkpoints import read, require_whole
from depthseg_lib.models.networks import DepthNetwork, PoseNetwork
from depthseg_lib.models.published import MONODEPTH2_DEPTH

_ENCODER, _DEPTH = MONODEPTH2_DEPTH
DEPTH = (
    (_ENCODER, "encoder.", "encoder.resnet."),
    *((_DEPTH, f"decoder.{2 * step}.conv.conv.", f"decoder.reduce.{4 - step}.") for step in range(5)),
    *((_DEPTH, f"decoder.{2 * step + 1}.conv.conv.", f"decoder.merge.{4 - step}.") for step in range(5)),
    *((_DEPTH, f"decoder.{10 + scale}.conv.", f"heads.heads.{scale}.") for scale in range(4)),
)
"""The depth network: file, how names begin there, how they begin here. The file counts the decoder's layers from the
coarsest on, two for each level, and then the heads from the finest on."""
MOTION = "net.3."
POSE = (
    ("pose_encoder.pth", "encoder.", "encoder.resnet."),
    ("pose.pth", "net.0.", "squeeze."),
    ("pose.pth", "net.1.", "convolutions.0."),
    ("pose.pth", "net.2.", "convolutions.2."),
    ("pose.pth", MOTION, "head."),
)
"""The pose network, likewise. Its last layer gives two motions there, 12 numbers, of which Monodepth2 uses the first
only, and one here: the second is dropped on the way in, and zero on the way out."""
ENCODERS = {"resnet18": 512, "resnet50": 2048}
"""The encoders that both have, with the channels of their deepest maps."""
UNUSED = "encoder.fc."
"""The classifiers of these encoders: in the files, as Monodepth2 keeps torchvision's networks whole, but not used."""
CLASSES = 1000


def load_depth(folder: str | Path, encoder: str) -> dict[str, Tensor]:
    """The weights of a `DepthNetwork` from `encoder.pth` and `depth.pth` of a folder.

    Raises `InputError` where a file is missing or broken, or of another encoder.
    """
    return _load(Path(folder), encoder, DEPTH, DepthNetwork)


def load_pose(folder: str | Path, encoder: str) -> dict[str, Tensor]:
    """The weights of a `PoseNetwork` from `pose_encoder.pth` and `pose.pth` of a folder; errors as in `load_depth`."""
    state = _load(Path(folder), encoder, POSE, PoseNetwork)
    return state | {name: state[name][:6].clone() for name in ("head.weight", "head.bias")}


def save_depth(state: dict[str, Tensor], folder: str | Path, encoder: str, height: int, width: int) -> None:
    """Write a `DepthNetwork`'s weights as Monodepth2's files, with the image size that it was trained at."""
    size = {"height": height, "width": width, "use_stereo": False}
    _save(state, Path(folder), encoder, DEPTH, size)


def save_pose(state: dict[str, Tensor], folder: str | Path, encoder: str) -> None:
    """Write a `PoseNetwork`'s weights as Monodepth2's files."""
    _save(state, Path(folder), encoder, POSE, {})


def _load(folder: Path, encoder: str, table: tuple, network: type) -> dict[str, Tensor]:
    check_encoder(encoder)
    with torch.device("meta"):  # names and shapes alone
        own = network(encoder).state_dict()
        wanted = _files(own, table)
    found = {file: _read(folder / file) for file in wanted}
    for file, state in found.items():
        tensors = [name for name, value in state.items() if isinstance(value, Tensor)]
        unknown = [n for n in tensors if n not in wanted[file] and not n.startswith(UNUSED)]
        require_whole(state, wanted[file], str(folder / file), f"{encoder} of Monodepth2", unknown)
    places = {name: _place(name, table) for name in own}
    return {name: found[file][theirs] for name, (file, theirs) in places.items() if theirs in found[file]}


def _read(file: Path) -> dict:
    if not file.is_file():
        raise InputError(
            f"{file}: there is no such file; expected a checkpoint of Monodepth2, as its zip file unpacks, with "
            f"{' and '.join(MONODEPTH2_DEPTH)}"
        )
    return read(file)


def _save(state: dict[str, Tensor], folder: Path, encoder: str, table: tuple, plain: dict) -> None:
    check_encoder(encoder)
    files = _files(state, table)
    classifier = torch.zeros(CLASSES, ENCODERS[encoder])
    files[table[0][0]] |= {f"{UNUSED}weight": classifier, f"{UNUSED}bias": classifier[:, 0].clone(), **plain}
    for file, content in files.items():
        with replacing(folder / file) as scratch:
            torch.save(content, scratch)


def _files(state: dict[str, Tensor], table: tuple) -> dict[str, dict]:
    """The tensors of `state` by file and by their names there."""
    files: dict[str, dict] = {file: {} for file, _, _ in table}
    for name, tensor in state.items():
        file, theirs = _place(name, table)
        files[file][theirs] = torch.cat([tensor, torch.zeros_like(tensor)]) if theirs.startswith(MOTION) else tensor
    return files


def _place(name: str, table: tuple) -> tuple[str, str]:
    """The file of one of our names, and the name there."""
    return next((file, theirs + name.removeprefix(ours)) for file, theirs, ours in table if name.startswith(ours))


def check_encoder(encoder: str) -> None:
    """Raise `InputError` for an encoder that Monodepth2 does not have."""
    if encoder not in ENCODERS:
        raise InputError(f"Monodepth2 has no encoder '{encoder}', only {' and '.join(ENCODERS)}")
