"""How long a job of a study takes from its start to its first step: forked from a process with everything imported, as
`make figures` starts it, beside an ordinary kernel, as by hand.

    python benchmarks/jobs.py [--repeats 3]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from store import row, save

from depthseg_lib.commands import journal
from depthseg_lib.commands.kernels import SOCKET, prepared
from depthseg_lib.study import workflow
from depthseg_lib.study.workflow import Request

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "02_finetune.ipynb"
SETTINGS = dict(iterations=4, evaluate_every=1, images=4, batch=2, height=64, width=96, annotated=8)
"""A fine-tuning of a moment; its images come from the cache but the first time."""


def seconds(folder: Path, environment: dict[str, str]) -> float:
    """From the job's start to the line that says the first steps are done."""
    folder.mkdir(parents=True)
    (folder / "params.json").write_text(json.dumps(SETTINGS))
    call = [sys.executable, "-m", "depthseg_lib.commands.notebook", str(NOTEBOOK), "--path", f"folder={folder}"]
    call += ["--params", str(folder / "params.json"), "--out", str(folder / "executed.ipynb")]
    began = time.time()
    subprocess.run(call, env=environment, check=True, stdout=subprocess.DEVNULL)
    said = [event for event in journal.read(folder)[0] if event.text.startswith("iteration")]
    return said[0].at - began


def main() -> None:
    """Measure both in turn, after one of each to fill the cache."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    with (
        tempfile.TemporaryDirectory() as place,
        prepared([NOTEBOOK], workflow.environment(Request("laptop"))) as forking,
    ):
        plain = {name: value for name, value in forking.items() if name != SOCKET}
        found = {"forked": [], "plain": []}
        for number in range(repeats + 1):
            for kind, environment in (("forked", forking), ("plain", plain)):
                found[kind].append(seconds(Path(place, f"{kind}{number}"), environment))
        forked, cold = (min(found[kind][1:]) for kind in ("forked", "plain"))
    save([row("starts of a job, to its first steps", 60 / forked, 60 / cold, "a minute", 2.0)])
    print(f"forked {forked:.2f} s, an ordinary kernel {cold:.2f} s, on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
