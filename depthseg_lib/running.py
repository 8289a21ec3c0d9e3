"""The processes of a study: Snakemake and what it starts, or the notebooks that draw alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from depthseg_lib import preflight
from depthseg_lib.commands.progress import Screen, duration
from depthseg_lib.study import workflow
from depthseg_lib.study.workflow import FIGURES, Key, Request

ROOT = workflow.SNAKEFILE.parents[1]
PATIENCE = 20.0
"""Seconds that jobs have to end by themselves after Ctrl-C."""


def run(request: Request, screen: Screen, lock: int) -> int:
    """Run the graph and show it on `screen`; returns Snakemake's exit status. When interrupted, all processes end.

    `lock` is the descriptor of the lock on the folder of runs, which Snakemake holds too.
    """
    with request.plan.with_name("snakemake.log").open("w") as log:
        process = subprocess.Popen(
            workflow.command(request),
            env=workflow.environment(request),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C reaches it through `_stop`, once
            pass_fds=(lock,),
        )
        preflight.say_holder(lock, process.pid)
        try:
            while process.poll() is None:
                time.sleep(0.5)
                screen.update()
        except BaseException:
            _stop(process)
            raise
    screen.update()
    return process.returncode


def _stop(process: subprocess.Popen) -> None:
    """End Snakemake and its jobs: first by asking, then without; kernels end with their parents."""
    print("\nstopping ...", file=sys.stderr)
    for number, patience in ((signal.SIGINT, PATIENCE), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except (subprocess.TimeoutExpired, ProcessLookupError):
            continue


def redraw(request: Request, figures: dict[str, tuple[str, ...]]) -> int:
    """Run the notebooks that draw, and nothing else, on whatever results are stored."""
    began = time.monotonic()
    environment = workflow.environment(request)
    waiting, failed = [(FIGURES, stem) for stem in figures], []
    running: dict[Key, subprocess.Popen] = {}
    print(f"drawing the figures of profile {request.profile} again from stored results")
    try:
        while waiting or running:
            while waiting and len(running) < request.cores:
                key = waiting.pop(0)
                running[key] = subprocess.Popen(_drawing(request, key[1]), env=environment, cwd=ROOT)
            time.sleep(0.1)
            for key in [key for key, process in running.items() if process.poll() is not None]:
                failed += [key[1]] if running.pop(key).returncode else []
    finally:
        for process in running.values():
            process.terminate()
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
        return 1
    names = ", ".join(name for drawn in figures.values() for name in drawn)
    print(f"done in {duration(time.monotonic() - began)}: {Path(request.figures, request.profile)} ({names})")
    return 0


def _drawing(request: Request, stem: str) -> list[str]:
    log = request.folder((FIGURES, stem)) / "executed.ipynb"
    paths = (f"runs={request.runs}", f"figures={Path(request.figures, request.profile)}")
    start = [
        sys.executable,
        "-m",
        "depthseg_lib.commands.notebook",
        f"{request.notebooks}/{stem}.ipynb",
        "--out",
        str(log),
    ]
    return [*start, "--set", f"profile={request.profile}", "--path", paths[0], "--path", paths[1]]
