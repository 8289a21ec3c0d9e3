"""The kernel that headless notebooks run on: this interpreter, whatever else the user has installed."""

import os
import sys
from pathlib import Path

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec

from depthseg_lib.files import cache_root

KERNEL_NAME = "python3"
"""The name that every notebook of the study carries."""


class OwnKernelManager(AsyncKernelManager):
    """Starts `sys.executable` as the kernel and never looks for kernelspecs, which may lead to another Python."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The specification of this interpreter's own kernel."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=CRITICAL"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def headless_environment() -> dict[str, str]:
    """Variables that keep Jupyter, IPython and matplotlib out of the home directory, and its settings out of a run.

    MPLBACKEND is not among them: the kernel's own inline backend has to put the figures into the notebook.
    """
    folder = cache_root().absolute() / "jupyter"
    return {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def enter_headless_environment() -> None:
    """Set `headless_environment` for this process and its children, and drop a backend that would hide figures."""
    environment = headless_environment()
    os.environ.update(environment)
    os.environ.pop("MPLBACKEND", None)
    for name, folder in environment.items():
        if name.endswith("DIR"):
            Path(folder).mkdir(parents=True, exist_ok=True)
