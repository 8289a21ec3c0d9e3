"""A profile's whole study made so small that a test can run it: every run and every figure, through papermill."""

import json
import os
import subprocess
import sys
from pathlib import Path

from helpers.shared_kernel import shared_kernel
from helpers.tiny_project import copy_project

from depthseg_lib.commands.notebook import execute
from depthseg_lib.study.profiles import Part

STEPS = dict(iterations=2, batch=2, evaluate_every=1, precision="32-true")
"""Settings of every training run."""
SHRUNK = """

def _shrunk(whole: Profile) -> Profile:
    data = whole.data.changed(height=64, width=96, photographs=120)
    settings = {{kind: getattr(whole, kind) | {steps!r} for kind in ("classification", "finetune")}}
    for kind in ("depth", "supervised", "flow"):
        settings[kind] = getattr(whole, kind) | {steps!r} | dict(evaluated=4)
    return replace(whole, **(dict(data=data, encoders=("resnet18-slim",), **settings) | {changes!r}))


PROFILES[{name!r}] = _shrunk(PROFILES[{name!r}])
"""
"""What is put at the end of the copy's `profiles.py`: kernels see the shrunk profile as they would see the real one."""
FEW = dict(
    initialisations=("none", "depth"),
    settings=("full",),
    trials=1,
    sizes=(4,),
    images=4,
    parts=(Part(("frozen",), ("depth",), 4),),
)
"""Fields of the profile of which the study is to have as few as its figures can be drawn from."""


class ShrunkStudy:
    """The study of a profile on the set in the folder `data`, in a copy of the project in `root`.

    `changes` are fields of `Profile` besides `FEW`; the profile's own settings that are in neither stay as they are.
    Pass pytest's `monkeypatch`: the kernels find the copy by PYTHONPATH, and the cache is in `root`.
    """

    def __init__(self, root: Path, monkeypatch, profile: str, data: Path | str = "", **changes):
        self.root, self.profile, self.data, self.monkeypatch = root, profile, str(data), monkeypatch
        copy_project(root, "depthseg_lib", "notebooks", "workflow")
        with (root / "depthseg_lib/study/profiles.py").open("a") as file:
            file.write(SHRUNK.format(name=profile, steps=STEPS, changes=FEW | changes))
        monkeypatch.setenv("PYTHONPATH", str(root))
        monkeypatch.setenv("DEPTHSEG_CACHE", str(root / "cache"))
        monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # every kernel would compile the copy again

    def dry(self) -> str:
        """What `make figures DRY=1` says: data checked, requests written, the graph made. Fails where that does."""
        call = [
            sys.executable,
            "-m",
            "depthseg_lib.commands.figures",
            "--profile",
            self.profile,
            "--data",
            self.data,
            "--dry",
        ]
        done = subprocess.run(call, cwd=self.root, env=os.environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def make(self) -> list[str]:
        """Every run and then every figure, in the order of the plan; returns what the notebooks said, line by line.

        Notebooks are executed here, on one kernel, and not by Snakemake, whose jobs would spend most of the time on
        starting. Fails unless every run leaves its metrics and every figure and table its files.
        """
        self.dry()
        plan, said = json.loads((self.runs / "plan.json").read_text()), []
        with shared_kernel(self.root / "notebooks", self.monkeypatch):
            for run in plan["runs"]:
                self._run(run, said.append)
            for notebook, names in plan["figures"].items():
                self._draw(notebook, names, said.append)
        return said

    @property
    def runs(self) -> Path:
        """The folder of the profile's runs."""
        return self.root / "runs" / self.profile

    @property
    def figures(self) -> Path:
        """The folder of the profile's figures."""
        return self.root / "figures" / self.profile

    def _run(self, run: dict, say) -> None:
        folder = self.runs / run["kind"] / run["name"]
        notebook = {"pretrain": "01_pretrain", "finetune": "02_finetune"}[run["kind"]]
        for place in sorted(folder.glob("t*")):
            values = json.loads((place / "params.json").read_text())
            values["folder"] = str(folder if run["kind"] == "finetune" else place)
            if run["needs"]:
                origin = Path(values["start_weights"]).parent.name
                values["start_weights"] = str(self.runs / "pretrain" / run["needs"][0] / origin / "weights.safetensors")
            self._execute(notebook, values, place, say)
            assert (place / "metrics.json").exists()

    def _draw(self, notebook: str, names: list[str], say) -> None:
        places = {"runs": str(self.root / "runs"), "figures": str(self.figures)}
        self._execute(notebook, {"profile": self.profile, **places}, self.runs / "figures" / notebook, say)
        for name in names:
            assert (self.figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
            assert json.loads((self.figures / f"{name}.json").read_text())["profile"] == self.profile

    def _execute(self, notebook: str, values: dict, folder: Path, say) -> None:
        execute(self.root / "notebooks" / f"{notebook}.ipynb", values, folder / "executed.ipynb", say)
