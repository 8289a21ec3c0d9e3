"""`make doctor`: what this environment has, and whether the study can run in it."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

import nbformat

from depthseg_lib.commands import machine, notebook
from depthseg_lib.errors import InputError
from depthseg_lib.files import cache_root

PACKAGES = ("torch", "torchvision", "lightning-fabric", "numpy", "pandas")
PACKAGES += ("snakemake", "papermill", "jupyterlab", "ipywidgets")


def main() -> int:
    """Print a line per check; the exit status is 1 when one says no."""
    checks = {"python": lambda: f"{sys.version.split()[0]}, {sys.executable}", "packages": _packages, "device": _device}
    checks |= {"modules": _modules, "kernel": _kernel, "cache": _cache, "folder": _folder, "browser": _browser}
    good = True
    for name, check in checks.items():
        try:
            print(f"{name:10} ok   {check()}")
        except (InputError, notebook.NotebookFailed, OSError) as error:
            print(f"{name:10} NO   {error}")
            good = False
    return 0 if good else 1


def _packages() -> str:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        raise InputError(f"missing: {', '.join(missing)}; `make clean` and then any other target installs them")
    return ", ".join(found)


def _modules() -> str:
    """Whether a module of the packages here is found elsewhere first, by PYTHONPATH."""
    places = [Path(place) for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    ours = {name for name in packages_distributions() if name != "depthseg_lib"}
    if foreign := [f for at in places for name in sorted(ours) for f in (at / f"{name}.py", at / name) if f.exists()]:
        raise InputError(
            f"PYTHONPATH leads to {foreign[0]}"
            + (f" and {len(foreign) - 1} more" if len(foreign) > 1 else "")
            + ", in place of this environment's: unset PYTHONPATH, or start with make, which does not hand it on"
        )
    return "all of this environment's"


def _device() -> str:
    found = machine.device()
    return f"{found}; `make figures` takes profile {found.profile} here"


def _kernel() -> str:
    """Run a notebook of one cell: it has to be run by this very Python."""
    cell = nbformat.v4.new_code_cell("import sys; print(sys.executable)")
    folder = cache_root() / "doctor"
    file, said = folder / "kernel.ipynb", []
    machine.writable(folder, "cached data", 2**20)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), file)
    notebook.enter_headless_environment()
    notebook.execute(file, {}, folder / "executed.ipynb", said.append)
    if said != [sys.executable]:
        raise InputError(f"notebooks run on {said}, expected {sys.executable}")
    shutil.rmtree(folder)
    return "notebooks run on this Python"


def _cache() -> str:
    root = cache_root()
    machine.writable(root, "cached data")
    size = sum(file.stat().st_size for file in root.rglob("*") if file.is_file())
    return f"{root}, {size / 2**20:.0f} MiB used, {shutil.disk_usage(root).free / 2**30:.0f} GiB free"


def _folder() -> str:
    machine.writable("runs", "runs")
    machine.writable("figures", "figures")
    return f"{Path.cwd()}, {shutil.disk_usage('.').free / 2**30:.0f} GiB free"


def _browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            said = subprocess.run([path, "--version"], capture_output=True, text=True)
            return f"{said.stdout.strip()}: the browser tests run"
    return "none: only the browser tests need one, and are skipped"


if __name__ == "__main__":
    sys.exit(main())
