"""`make lab`: JupyterLab on the notebooks, with its settings in the cache folder rather than in the home directory."""

import os
import sys

from depthseg_lib.commands.notebook import enter_headless_environment
from depthseg_lib.errors import exit_status
from depthseg_lib.files import cache_root


def lab() -> None:
    """Become JupyterLab; further arguments are its own."""
    enter_headless_environment()
    # Where npm is there, JupyterLab asks it for language servers, and npm makes its folder in the home directory.
    os.environ.setdefault("npm_config_cache", str(cache_root() / "npm"))
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", "--notebook-dir=notebooks", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(exit_status(lab))
