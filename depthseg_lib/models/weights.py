"""Weights as safetensors files, and transfers between networks that say what came over and what did not."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import safetensors
import safetensors.torch
import torch
import torchvision
from torch import Tensor, nn

from depthseg_lib.errors import InputError
from depthseg_lib.files import project_path, replacing
from depthseg_lib.models.checkpoints import KEYS, check_values, load_depth, read_encoder, require_whole, shortened
from depthseg_lib.models.published import MONODEPTH2

IMAGENET_WEIGHTS = {
    "resnet18": torchvision.models.ResNet18_Weights.IMAGENET1K_V1,
    "resnet50": torchvision.models.ResNet50_Weights.IMAGENET1K_V1,
}


@dataclass(frozen=True)
class Transfer:
    """What a transfer of weights did, by parameter name."""

    source: str
    """The source, in words."""
    loaded: tuple[str, ...]
    """Copied from it."""
    fresh: tuple[str, ...]
    """In the target only: kept as initialised."""
    dropped: tuple[str, ...]
    """In the source only: not used."""

    def __str__(self) -> str:
        shown = {"fresh": self.fresh, "dropped": self.dropped}
        parts = [f"{len(names)} {what} ({shortened(names)})" for what, names in shown.items() if names]
        return ", ".join([f"{len(self.loaded)} loaded from {self.source}", *parts])


def transfer(state: dict[str, Tensor], network: nn.Module, source: str) -> Transfer:
    """Copy what fits by name and shape into `network`; the encoder must come over whole, else `InputError`."""
    target = network.state_dict()
    require_whole(state, {name: t for name, t in target.items() if name.startswith("encoder.")}, source, "encoder")
    loaded = [name for name in target if name in state and state[name].shape == target[name].shape]
    fresh = [name for name in target if name not in loaded]
    network.load_state_dict({**target, **{name: state[name] for name in loaded}})
    return Transfer(source, tuple(loaded), tuple(fresh), tuple(name for name in state if name not in loaded))


def save_weights(network: nn.Module, path: Path, **metadata: str) -> None:
    """Write a network's parameters and buffers as safetensors, in place by rename, with string metadata."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    packed = safetensors.torch.save(state, metadata=metadata)
    with replacing(path) as scratch:
        scratch.write_bytes(packed)


def load_weights(path: str | Path, encoder: str, initialisation: str) -> dict[str, Tensor]:
    """Read a weights file that a pre-training of `encoder` for `initialisation` made; any other raises `InputError`.

    Values that are not finite are read only of a pre-training that says itself that it diverged: what starts from it
    diverges too, which is a result.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError:
        raise InputError(f"{path}: there is no weights file; run the pre-training that makes it first") from None
    except safetensors.SafetensorError as error:
        raise InputError(f"{path} is no readable safetensors file ({error}); delete it and train it again") from None
    for what, wanted in (("encoder", encoder), ("initialisation", initialisation)):
        if (found := about.get(what, "unknown")) != wanted:
            raise InputError(f"{path} holds weights of the {what} '{found}', but '{wanted}' was asked for")
    if "diverged_at" not in about:
        check_values(state, str(path))
    return state


def starting_weights(encoder: str, initialisation: str, place: str) -> tuple[dict[str, Tensor], str]:
    """The weights that a run from `initialisation` starts from, and what they are, with a remark on renamed tensors.

    They are those of `place`: the weights.safetensors of a pre-training run, a folder with a checkpoint of Monodepth2,
    or a file in a format of `checkpoints.KEYS`; for imagenet as in `imagenet_file`, and torchvision's where it is
    empty. Raises `InputError` where they are missing, broken, not finite, or of another encoder or initialisation.
    """
    if initialisation == "imagenet":
        state, remark = read_encoder(imagenet_file(encoder, place or "download"), encoder, "imagenet")
        source = (place or "torchvision's ImageNet weights") + remark
        check_values(state, source)
        return state, source
    if not place:
        raise InputError(
            f"the initialisation '{initialisation}' needs start_weights, the weights.safetensors of a pre-training run "
            "that made it, or published weights; none was given"
        )
    path = project_path(place)
    if initialisation in KEYS:
        state, remark = read_encoder(path, encoder, initialisation)
    elif initialisation in MONODEPTH2 and path.suffix != ".safetensors":
        state, remark = load_depth(path, encoder)
    else:
        return load_weights(path, encoder, initialisation), place
    check_values(state, place)
    return state, place + remark


def imagenet_file(encoder: str, place: str) -> str:
    """The file of torchvision's ImageNet weights (version 1, as in the paper) for an encoder.

    `place` is the folder that holds it under torchvision's own name, the file itself, or `download`: then it comes
    from torch's cache folder, or by torchvision's download into it.
    """
    if encoder not in IMAGENET_WEIGHTS:
        raise InputError(
            f"there are no ImageNet weights for the encoder '{encoder}', only for {' and '.join(IMAGENET_WEIGHTS)}; "
            "use the initialisation 'classification', which is trained here"
        )
    url = IMAGENET_WEIGHTS[encoder].url
    if place == "download":
        file = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(url)
        try:
            if not file.is_file():
                file.parent.mkdir(parents=True, exist_ok=True)
                torch.hub.download_url_to_file(url, str(file), hash_prefix=file.stem.rpartition("-")[2], progress=False)
        except (URLError, OSError, RuntimeError) as error:
            raise InputError(
                f"torchvision's ImageNet weights are neither at {file} nor to be downloaded ({error}): fetch {url} on "
                "a machine with a network and copy it there, or give its folder as IMAGENET=folder"
            ) from None
        return str(file)
    file = Path(place) / os.path.basename(url) if Path(place).is_dir() else Path(place)
    if not file.is_file():
        raise InputError(f"{file}: there is no such file; expected ImageNet weights for {encoder}, torchvision's {url}")
    return str(file)
