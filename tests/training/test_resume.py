"""A run killed in the middle with SIGKILL goes on and ends with the numbers of one that was not."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from helpers.small import finetuning

from depthseg_lib.training import finetune

CONFIG = finetuning(iterations=12, evaluate_every=2)
SCRIPT = """
import json, sys
from depthseg_lib.training import finetune
from depthseg_lib.settings import FinetuneConfig
finetune.run(FinetuneConfig(**json.loads(sys.argv[1])), sys.argv[2], lambda line: print(line, flush=True))
"""


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Sums over several threads are others in the last digit."""
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    torch.set_num_threads(before)


def kill_in_the_middle(folder):
    command = [sys.executable, "-c", SCRIPT, json.dumps(CONFIG.to_mapping()), folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        for line in process.stdout:
            if line.startswith("iteration 4/"):
                time.sleep(0.05)  # into the steps after that checkpoint
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL


def test_kill_dash_nine_changes_nothing(tmp_path):
    whole, killed, said = tmp_path / "whole", tmp_path / "killed", []
    finetune.run(CONFIG, whole, said.append)
    kill_in_the_middle(killed)
    assert (killed / "checkpoint.pt").exists() and not (killed / "metrics.json").exists()
    finetune.run(CONFIG, killed, said.append)
    assert any("going on from iteration" in line for line in said)

    tables = [pd.read_parquet(f / "history.parquet").drop(columns="seconds") for f in (whole, killed)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    weights = [safetensors.torch.load_file(f / "weights.safetensors") for f in (whole, killed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    matrices = [np.load(f / "confusion.npz")["images"] for f in (whole, killed)]
    assert np.array_equal(*matrices)
