"""Which device the study runs on, asked of torch once per environment since that takes seconds."""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from depthseg_lib.errors import InputError
from depthseg_lib.files import write_json

_REMEMBERED = Path(sys.prefix) / "depthseg-device.json"


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
        return self.visible or ",".join(str(i) for i in range(len(self.gpus)))


def ask() -> Device:
    """Ask torch, and remember the answer in the environment's folder when that can be written."""
    import torch

    names = tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    device = Device(names, os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    try:
        write_json(_REMEMBERED, asdict(device))
    except InputError:
        pass  # a read-only environment: asked again next time
    return device


def device() -> Device:
    """The remembered answer, or a new one when there is none or other GPUs are visible."""
    try:
        known = json.loads(_REMEMBERED.read_text())
        found = Device(tuple(known["gpus"]), known["visible"])
    except (OSError, ValueError, KeyError):
        return ask()
    return found if found.visible == os.environ.get("CUDA_VISIBLE_DEVICES", "") else ask()
