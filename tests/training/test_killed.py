"""Runs that are killed with SIGKILL at every file that they write, and gone on with: they end with the same numbers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
from helpers.small import finetuning, pretraining

from depthseg_lib.fingerprint import FILES

SCRIPT = """
import json, os, pathlib, signal, sys, traceback
import pyarrow.parquet
import torch
from depthseg_lib.settings import FinetuneConfig, PretrainConfig
from depthseg_lib.training import finetune, pretrain

kind, settings, root = sys.argv[1], json.loads(sys.argv[2]), pathlib.Path(sys.argv[3])
torch.set_num_threads(1)
config = (PretrainConfig if kind == "pretrain" else FinetuneConfig)(**settings)
run = {"pretrain": pretrain.run, "finetune": finetune.run}[kind]
replace = pathlib.Path.replace

def child(folder, kill_at=0):
    "Train in `folder` in a process of its own that is killed when it gives its `kill_at`-th file its name."
    number = os.fork()
    if number:
        return os.waitpid(number, 0)[1]
    written = []
    def counted(path, target):
        written.append(pathlib.Path(target).name)
        if len(written) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(path, target)
    pathlib.Path.replace = counted
    try:
        run(config, folder, lambda line: None)
        (root / "written.json").write_text(json.dumps(written))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)

assert child(root / "whole") == 0
points = json.loads((root / "written.json").read_text())
(root / "points.json").write_text(json.dumps(points))
for number in range(1, len(points) + 1):
    assert child(root / f"killed{number}", number) == signal.SIGKILL
    assert child(root / f"killed{number}") == 0
"""
RUNS = {
    "finetune": finetuning(),
    "depth": pretraining(),
    "classification": pretraining(initialisation="classification"),
}


def left(folder: Path) -> dict:
    """All numbers that a run leaves in its folder, by file, and the names of all files."""
    metrics = json.loads((folder / "metrics.json").read_text())
    found = {
        "metrics": metrics | {FILES: sorted(metrics[FILES])},
        "names": sorted(path.name for path in folder.iterdir()),
    }
    found["history"] = pd.read_parquet(folder / "history.parquet").drop(columns="seconds").to_dict("list")
    for file in folder.glob("*.npz"):
        with np.load(file) as stored:
            found |= {f"{file.name} {name}": stored[name].tobytes() for name in stored.files}
    for file in folder.glob("*.safetensors"):
        tensors = safetensors.torch.load_file(file)
        found |= {f"{file.name} {name}": tensor.numpy().tobytes() for name, tensor in tensors.items()}
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyTorch may not work on once it was forked")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", RUNS)
def test_killed_at_any_file_and_gone_on_with_it_ends_with_the_same_numbers(name, tmp_path):
    kind = "finetune" if name == "finetune" else "pretrain"
    call = [sys.executable, "-c", SCRIPT, kind, json.dumps(RUNS[name].to_mapping()), str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(call, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    points = json.loads((tmp_path / "points.json").read_text())
    assert {".trainer.json", "history.parquet", "checkpoint.pt", "weights.safetensors", "metrics.json"} <= set(points)
    whole = left(tmp_path / "whole")
    for number, point in enumerate(points, 1):
        killed = left(tmp_path / f"killed{number}")
        differ = [key for key in whole if repr(whole[key]) != repr(killed.get(key))]
        assert killed.keys() == whole.keys() and not differ, f"killed at {point} ({number} of {len(points)})"


DYING = """
import itertools, os, pathlib, numpy
from matplotlib.figure import Figure
from depthseg_lib.panels import live

def dying(owner, name, time, before=lambda *args, **kwargs: None):
    whole, count = getattr(owner, name), itertools.count(1)
    def call(*args, **kwargs):
        if next(count) == time:
            before(*args, **kwargs)
            os.kill(os.getpid(), 9)
        return whole(*args, **kwargs)
    setattr(owner, name, call)

class Handle:
    def update(self, figure, display_id=None):
        figure._repr_png_()
        return self
    __call__ = update

live.display, write = Handle(), pathlib.Path.write_bytes
"""
TRAINS = """
import json, sys
from depthseg_lib.settings import FinetuneConfig
from depthseg_lib.training import finetune
finetune.run(FinetuneConfig(**json.loads(sys.argv[1])), sys.argv[2], live.Live())
"""
PLACES = {
    "the checkpoint, with predictions": "dying(pathlib.Path, 'write_bytes', 3, lambda f, of: write(f, of[:9999]))",
    "a live picture": "dying(Figure, 'savefig', 3)",
    "the predictions at the end": "dying(numpy, 'savez_compressed', 2, lambda f, **_: (f.write(b'half'), f.flush()))",
}
"""What is being written when the process dies, and how it comes to that."""


def test_a_run_that_dies_while_something_is_written_goes_on_to_the_same_bits(tmp_path):
    settings, environment = json.dumps(RUNS["finetune"].to_mapping()), os.environ | {"OMP_NUM_THREADS": "1"}

    def train(folder, before=""):
        command = [sys.executable, "-c", DYING + before + TRAINS, settings, str(folder)]
        return subprocess.run(command, capture_output=True, text=True, env=environment).returncode

    assert train(tmp_path / "whole") == 0
    for place, dies in PLACES.items():
        killed = tmp_path / place
        assert train(killed, dies) == -signal.SIGKILL, place
        assert (killed / "checkpoint.pt").exists() and not (killed / "metrics.json").exists()
        assert train(killed) == 0
        assert repr(left(tmp_path / "whole")) == repr(left(killed)), place
