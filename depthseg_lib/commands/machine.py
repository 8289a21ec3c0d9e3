"""Which device the study runs on, asked of torch once per environment and machine since that takes seconds."""

import json
import os
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from depthseg_lib.errors import InputError
from depthseg_lib.files import write_json

_REMEMBERED = Path(sys.prefix) / "depthseg-device.json"
_DEVICES = Path("/dev")


@dataclass(frozen=True)
class Device:
    """The processors that torch can use."""

    gpus: tuple[str, ...] = ()
    """Names of the CUDA devices; empty on a machine without."""
    visible: str = ""
    """CUDA_VISIBLE_DEVICES when it was asked."""

    def __str__(self) -> str:
        if not self.gpus:
            return "the CPU"
        return self.gpus[0] if len(self.gpus) == 1 else f"{len(self.gpus)} x {self.gpus[0]}"

    @property
    def profile(self) -> str:
        """The profile that suits it."""
        return "gpu" if self.gpus else "laptop"

    @property
    def ids(self) -> str:
        """The GPUs as CUDA_VISIBLE_DEVICES names them."""
        return (self.visible or ",".join(str(i) for i in range(len(self.gpus)))) if self.gpus else ""


def ask() -> Device:
    """Ask torch, and remember the answer in the environment's folder when that can be written."""
    import torch

    names = tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    try:
        write_json(_REMEMBERED, {"gpus": names, "asked_of": _asked_of()})
    except InputError:
        pass  # a read-only environment: asked again next time
    return Device(names, _visible())


def device() -> Device:
    """The remembered answer, or a new one when there is none or torch, the machine or the visible GPUs are others."""
    try:
        known = json.loads(_REMEMBERED.read_text())
        return Device(tuple(known["gpus"]), _visible()) if known["asked_of"] == _asked_of() else ask()
    except (OSError, ValueError, KeyError):
        return ask()


def _visible() -> str:
    return os.environ.get("CUDA_VISIBLE_DEVICES", "")


def _asked_of() -> list[str | None]:
    """What torch's answer depends on, as far as it can be had at once; a variable that is empty hides all GPUs."""
    nodes = [node.name for pattern in ("nvidia*", "dxg", "kfd") for node in _DEVICES.glob(pattern)]
    return [os.environ.get("CUDA_VISIBLE_DEVICES"), version("torch"), *sorted(nodes)]
