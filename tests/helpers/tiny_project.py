"""A study of a few notebooks that take a moment each, in a copy of the project: for tests of the graph."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]

STUDY = """CHANGED = {}
import json
from dataclasses import dataclass
from pathlib import Path
from depthseg_lib.errors import InputError


@dataclass
class Run:
    kind: str
    name: str
    parameters: dict
    needs: tuple
    cost: float


@dataclass
class Plan:
    runs: tuple
    figures: dict


def check(profile, data="", published=None, photographs="", decode=True):
    if profile != "tiny":
        raise InputError(f"unknown profile '{profile}': expected tiny")


def plan(profile, data="", runs="runs", published=None, photographs=""):
    listed = (
        Run("pretrain", "first", {"word": "depth"}, (), 2),
        Run("pretrain", "second", {"word": "more"}, ("first",), 2),
        Run("finetune", "from-first", {"word": "a"}, ("first",), 2),
        Run("finetune", "from-second", {"word": "b"}, ("second",), 2),
        Run("finetune", "from-none", {"word": "c"}, (), 2),
    )
    for run in listed:
        run.parameters.update({"data_set": "streets"}, **CHANGED.get(run.name, {}))
    return Plan(listed, {"03_results": ("fig03_curves",)})


def write_requests(study, runs):
    for run in study.runs:
        path = Path(runs, "tiny", run.kind, run.name, "params.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != json.dumps(run.parameters):
            path.write_text(json.dumps(run.parameters))
"""
TRAINING = (
    'word = ""  # learned\nseconds = 0.0\ndata_set = ""\nfail = ""\nstart_weights = ""\nfolder = "."',
    """
import json, time
from pathlib import Path
folder = Path(folder)
learned = (Path(start_weights).read_text() + " " if start_weights else "") + word
print("iteration 1/2")
checkpoint = folder / "checkpoint.pt"
resumed = checkpoint.exists()
checkpoint.touch()
time.sleep(seconds)
if fail:
    raise ValueError(fail)
(folder / "history.parquet").write_text("rows")
(folder / "weights.safetensors").write_text(learned)
(folder / "metrics.json").write_text(json.dumps({"diverged_at": 7 if word == "c" else None, "resumed": resumed}))
checkpoint.unlink()
""",
)
DRAWING = (
    'profile = ""\nruns = ""\nfigures = ""',
    """
from pathlib import Path
words = sorted(path.read_text() for path in Path(runs, profile).glob("finetune/*/weights.safetensors"))
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
    """A copy of the library and the workflow with `STUDY` and its notebooks, to be run and changed freely."""

    def __init__(self, root: Path):
        self.root = root
        copy_project(root, "depthseg_lib", "workflow")
        (root / "tiny_study.py").write_text(STUDY)
        write_notebook(root / "notebooks/01_pretrain.ipynb", *TRAINING)
        write_notebook(root / "notebooks/02_finetune.ipynb", *TRAINING)
        write_notebook(root / "notebooks/03_results.ipynb", *DRAWING)

    def command(self, *options: str, module: str = "depthseg_lib.commands.figures") -> list[str]:
        """The front door's call."""
        default = () if "--profile" in options else ("--profile", "tiny")
        return [sys.executable, "-m", module, *default, "--study", "tiny_study", "--cores", "2", *options]

    def change(self, parameters: dict | None = None) -> None:
        """Plan the study with other parameters, by run; without any, as it was."""
        (self.root / "tiny_study.py").write_text(STUDY.replace("{}", repr(parameters or {}), 1))

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which the copy is used, and not the installed library."""
        return os.environ | {"PYTHONPATH": str(self.root), "DEPTHSEG_CACHE": str(self.root / "cache")}

    def __call__(self, *options: str, module: str = "depthseg_lib.commands.figures"):
        """Run the front door; returns the finished process with its output as text."""
        called = self.command(*options, module=module)
        return subprocess.run(called, cwd=self.root, env=self.environment, capture_output=True, text=True)

    def to_do(self) -> list[str]:
        """Kind and name of what would run now."""
        done = self("--dry")
        assert done.returncode == 0, done.stderr
        return sorted(" ".join(line.split()[1:3]) for line in done.stdout.splitlines() if line[:4].strip().isdigit())
