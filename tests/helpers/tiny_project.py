"""A study of a few notebooks that take a moment each, in a copy of the project: for tests of the graph."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from depthseg_lib import fingerprint
from depthseg_lib.study import plan, profiles, workflow
from depthseg_lib.study.jobs import DATA, jobs_of
from depthseg_lib.study.workflow import Request

ROOT = Path(__file__).parents[2]

PROFILE = """

CHANGED = {}
PROFILES["tiny"] = Profile(
    name="tiny",
    about="notebooks that only write",
    data=DataSettings(height=64, width=64, streets=2, frames=3, annotated=8, photographs=20),
    encoders=("resnet18-slim",),
    initialisations=("none", "depth", "depth-classification"),
    settings=("full",),
    **(dict(trials=1, sizes=(4,), images=4, classification={}, depth={}, finetune={}) | CHANGED),
)
"""
FIGURES = '\n\nFIGURES = {"03_results": ("fig03_curves",)}\n'
"""What is put at the end of the copy's `profiles.py` and `plan.py`."""
TRAINING = (
    'initialisation = ""  # learned\nstart_weights = ""\nfolder = "."\ntrial = -1\nother = {}',
    """
import json, os, time
from pathlib import Path
folder = Path(folder)
asked = Path.cwd().parent / "asked.json"
asked = json.loads(asked.read_text()) if asked.exists() else {}
learned = (Path(start_weights).read_text() + " " if start_weights else "") + initialisation
run = folder.name
slow, broken = (run in asked.get(what, []) for what in ("slow", "broken"))
if trial >= 0:
    folder = folder / f"t{trial}"
print("iteration 1/2")
checkpoint = folder / "checkpoint.pt"
resumed = checkpoint.exists()
checkpoint.touch()
if slow:
    time.sleep(60)
if broken:
    raise ValueError("the lens is dirty")
(folder / "weights.safetensors").write_text(learned)
known = {"fingerprint": other["fingerprint"], "resumed": resumed, "gpu": os.environ["CUDA_VISIBLE_DEVICES"]}
known["diverged_at"] = 7 if initialisation == "none" else None
(folder / "metrics.json").write_text(json.dumps(known))
checkpoint.unlink()
""",
)
DRAWING = (
    'profile = ""\nruns = ""\nfigures = ""',
    """
from pathlib import Path
if not runs:  # what a drawing would import
    from depthseg_lib import plots
    from depthseg_lib.panels import panel
words = sorted(path.read_text() for path in Path(runs, profile).glob("finetune/*/t0/weights.safetensors"))
folder = Path(figures)
folder.mkdir(parents=True, exist_ok=True)
for suffix in ("png", "svg", "json"):
    (folder / f"fig03_curves.{suffix}").write_text("; ".join(words))
""",
)


def write_notebook(path: Path, *cells: str) -> Path:
    """A notebook of code cells, the first tagged `parameters`."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.cells[0].metadata.tags = ["parameters"]
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def copy_project(root: Path, *folders: str) -> None:
    """Copy these folders of the project to `root`, to be changed and worked in: Snakemake keeps records there."""
    for folder in folders:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))


class TinyProject:
    """A copy of the library and the workflow with a profile `tiny` and its notebooks, to be run and changed freely."""

    def __init__(self, root: Path):
        self.root, self.profile = root, PROFILE
        root.mkdir(exist_ok=True)
        copy_project(root, "depthseg_lib", "workflow")
        for name, text in (("profiles", PROFILE), ("plan", FIGURES)):
            with (root / f"depthseg_lib/study/{name}.py").open("a") as file:
                file.write(text)
        write_notebook(root / "notebooks/01_pretrain.ipynb", *TRAINING)
        write_notebook(root / "notebooks/02_finetune.ipynb", *TRAINING)
        write_notebook(root / "notebooks/03_results.ipynb", *DRAWING)

    def command(self, *options: str) -> list[str]:
        """The front door's call."""
        default = () if "--profile" in options else ("--profile", "tiny")
        return [sys.executable, "-m", "depthseg_lib.commands.figures", *default, "--cores", "2", *options]

    def change(self, **fields) -> None:
        """Have other fields of the profile; without any, it is as it was."""
        profiles = self.root / "depthseg_lib/study/profiles.py"
        text = profiles.read_text().partition("\n\nCHANGED = ")[0]
        self.profile = PROFILE.replace("CHANGED = {}", f"CHANGED = {fields!r}", 1)
        profiles.write_text(text + self.profile)

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which the copy is used, and not the installed library."""
        return os.environ | {"PYTHONPATH": str(self.root), "DEPTHSEG_CACHE": str(self.root / "cache")}

    def __call__(self, *options: str) -> subprocess.CompletedProcess:
        """Run the front door; returns the finished process with its output as text."""
        called = self.command(*options)
        return subprocess.run(called, cwd=self.root, env=self.environment, capture_output=True, text=True)

    def to_do(self, runs: Path | None = None) -> list[str]:
        """Kind and name, without the encoder's, of the runs and notebooks to be done now: asked of the functions that the front door asks,
        on the copy's files, which takes a moment where a process takes seconds."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(fingerprint, "LIBRARY", self.root / "depthseg_lib")
            patched.setattr(plan, "FIGURES", {"03_results": ("fig03_curves",)})
            patched.setitem(profiles.PROFILES, "tiny", None)
            exec(self.profile, vars(profiles).copy())  # sets the profile
            fingerprint._imported.cache_clear()
            places = {"runs": str(runs or self.root / "runs"), "notebooks": str(self.root / "notebooks")}
            study = plan.plan("tiny", **places)
            request = Request("tiny", figures=str(self.root / "figures"), **places)
            found = workflow.to_do(request, study, jobs_of(study))
        fingerprint._imported.cache_clear()
        return sorted(f"{kind} {name.removeprefix('resnet18-slim-')}" for kind, name in found if kind != DATA)
