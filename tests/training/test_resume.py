"""A run killed in the middle with SIGKILL goes on and ends with the numbers of one that was not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from helpers.small import finetuning

SCRIPT = """
import json, sys
from depthseg_lib.training import finetune
from depthseg_lib.settings import FinetuneConfig
finetune.run(FinetuneConfig(**json.loads(sys.argv[1])), sys.argv[2], lambda line: print(line, flush=True))
"""


def start(folder: Path) -> subprocess.Popen:
    config = json.dumps(finetuning(iterations=24, evaluate_every=4).to_mapping())
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, config, folder], stdout=subprocess.PIPE, text=True, env=environment
    )


def kill_in_the_middle(folder: Path) -> None:
    with start(folder) as process:
        for line in process.stdout:
            if line.startswith("iteration 8/"):
                time.sleep(0.05)  # into the steps after that checkpoint
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL


def test_kill_dash_nine_changes_nothing(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with start(whole) as unbroken:
        kill_in_the_middle(killed)
        unbroken.stdout.read()
    assert (killed / "checkpoint.pt").exists() and not (killed / "metrics.json").exists()
    with start(killed) as second:
        said = second.stdout.read()
    assert "going on from iteration" in said and second.returncode == unbroken.returncode == 0

    tables = [pd.read_parquet(f / "history.parquet").drop(columns="seconds") for f in (whole, killed)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    weights = [safetensors.torch.load_file(f / "weights.safetensors") for f in (whole, killed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    matrices = [np.load(f / "confusion.npz")["images"] for f in (whole, killed)]
    assert np.array_equal(*matrices)
