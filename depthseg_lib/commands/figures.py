"""`make figures`: checks, the graph through Snakemake, and what the terminal shows of it.

    python -m depthseg_lib.commands.figures [--profile laptop] [--data FOLDER] [--cores N] [--dry | --redraw]

Snakemake's own words go to `runs/<profile>/snakemake.log`. Ctrl-C ends everything; the same command goes on later.
"""

import argparse
import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from depthseg_lib import fingerprint
from depthseg_lib.commands import machine
from depthseg_lib.commands.machine import device
from depthseg_lib.commands.progress import Job, Screen, diverged, duration, estimated, jobs_of, rates, seconds_left
from depthseg_lib.errors import InputError
from depthseg_lib.files import cache_root
from depthseg_lib.fingerprint import FIGURES, source_hash
from depthseg_lib.models.published import Published, add_options
from depthseg_lib.study import workflow
from depthseg_lib.study.workflow import Key, Request

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
        machine.say_holder(lock, process.pid)
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


def main() -> int:
    """The command line; returns the exit status."""
    return entrance(_make)


def entrance(work: Callable[[Request, list[Job], argparse.Namespace, int], int]) -> int:
    """Read the command line, check what can be checked, write the requests, and hand over to `work`."""
    sys.stdout.reconfigure(line_buffering=True)
    options = _parser().parse_args()
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        return _prepared(options, work)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read the lines, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("\nstopped; finished runs are kept, and the same command goes on from here", file=sys.stderr)
        return 130


def _interrupt(number, frame):
    raise KeyboardInterrupt


def _prepared(options, work) -> int:
    request, data, photographs = _request(options), _absolute(options.data), _absolute(options.photographs)
    published = Published.given(options.imagenet, options.monodepth2, options.weights)
    made_from = _made_from(request, options.study, data, photographs, repr(published))
    training = work is _make and not options.redraw
    if training and not options.dry and not data and workflow.up_to_date(request, made_from):  # data may have changed
        print(f"everything is up to date: {Path(request.figures, request.profile)}")
        return 0
    study = importlib.import_module(options.study)  # takes seconds: it needs torch
    if not options.redraw:
        study.check(request.profile, data, published, photographs, decode=not options.dry)
    plan = study.plan(request.profile, data, request.runs, published, photographs)
    for folder, purpose in ((request.runs, "runs"), (request.figures, "figures"), (cache_root(), "cached data")):
        machine.writable(folder, purpose)
    request.plan.parent.mkdir(parents=True, exist_ok=True)
    with machine.alone(request.plan.parent) as lock:
        if options.redraw:
            return redraw(request, plan.figures)
        study.write_requests(plan, request.runs)
        workflow.write_plan(request, plan.runs, plan.figures, made_from)
        return work(request, jobs_of(plan.runs, plan.figures), options, lock)


def _made_from(request: Request, study: str, *given: str) -> str:
    """A hash of all that the plan of a study depends on: its code and what was asked for."""
    found = importlib.util.find_spec(study)
    files = [*sorted(fingerprint.LIBRARY.rglob("*.py")), *([found.origin] if found and found.origin else [])]
    asked = repr([request.profile, request.runs, study, *given, source_hash(*files)])
    return hashlib.sha256(asked.encode()).hexdigest()


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute()) if path else ""


def _make(request: Request, jobs: list[Job], options, lock: int) -> int:
    to_do = set(workflow.pending(request))
    order = [job.key for job in jobs if job.key in to_do]
    _header(request, jobs, order)
    if options.dry:
        return _dry(jobs, order)
    if not order:
        print(f"everything is up to date: {Path(request.figures, request.profile)}")
        return 0
    began = time.monotonic()
    screen = Screen(jobs, order, request.folder, request.cores)
    status = run(request, screen, lock)
    return _end(request, jobs, screen, status, time.monotonic() - began)


def _header(request: Request, jobs: list[Job], order: list[Key]) -> None:
    runs = [job for job in jobs if job.key[0] != FIGURES]
    here = device() if request.gpus else "the CPU"
    where = f"{here}, {request.cores} jobs side by side" if request.executor == "local" else request.executor
    rate = rates(jobs, request.folder)
    left = seconds_left([job for job in jobs if job.key in order], {}, rate, request.cores)
    trained = sum(key[0] != FIGURES for key in order)
    print(f"depthseg: profile {request.profile} on {where}")
    print(
        f"{len(runs)} runs and {len(jobs) - len(runs)} notebooks that draw; to do: {trained} and {len(order) - trained}"
        + (f", about {duration(left)}" if order else "")
    )


def _dry(jobs: list[Job], order: list[Key]) -> int:
    for number, job in enumerate((job for job in jobs if job.key in order), 1):
        needs = ", ".join(name for _, name in job.needs) if job.key[0] != FIGURES else "all runs"
        print(f"{number:4}  {' '.join(job.key):70}  {duration(job.cost):>7}" + (f"  after {needs}" if needs else ""))
    for line in estimated(job for job in jobs if job.key in order):
        print(line)
    return 0


def _end(request: Request, jobs: list[Job], screen: Screen, status: int, seconds: float) -> int:
    runs = [job.key for job in jobs if job.key[0] != FIGURES]
    wrong = [key for key in runs if diverged(request.folder(key)) is not None]
    if wrong:
        print(f"{len(wrong)} runs diverged, which is a result: {', '.join(name for _, name in wrong)}")
    if not status:
        print(f"done in {duration(seconds)}; figures and tables: {Path(request.figures, request.profile)}")
        return 0
    missing = [key for key in runs if not (request.folder(key) / "metrics.json").exists()]
    _explain(request, screen, missing)
    return 1


def _explain(request: Request, screen: Screen, missing: list[Key]) -> None:
    log = request.plan.with_name("snakemake.log")
    if not screen.failed:
        print("".join(log.read_text().splitlines(keepends=True)[-20:]), file=sys.stderr)
    failed = ", ".join(" ".join(key) for key in screen.failed) or f"something that said nothing; see {log}"
    print(f"failed: {failed}", file=sys.stderr)
    print(
        f"runs without a result: {len(missing)}; the figures wait for all of them. What is finished is kept: the same "
        "command does the rest, and `make redraw` draws from what there is.",
        file=sys.stderr,
    )


def _request(options) -> Request:
    gpus = options.gpus
    if options.executor == "local" and gpus == "all":
        gpus = device().ids
    return Request(
        profile=options.profile or ("laptop" if gpus == "none" else device().profile),
        runs=options.runs,
        figures=options.figures,
        cores=options.cores,
        executor=options.executor,
        gpus="" if gpus == "none" else gpus,
        jobs_per_gpu=options.jobs_per_gpu,
        notebooks=options.notebooks,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m depthseg_lib.commands.figures", description="Make the study's figures."
    )
    add = parser.add_argument
    add("--profile", default="", help="laptop, gpu, camvid, ...; default: laptop, or gpu where torch sees one")
    add("--data", default="", help="folder of the real set, for profiles that read one")
    add("--photographs", default="", help="folder of photographs for classification, with a folder per class")
    add_options(parser)
    add("--runs", default="runs", help="folder of the runs")
    add("--figures", default="figures", help="folder of the figures")
    add("--notebooks", default="notebooks", help="folder of the notebooks")
    add("--cores", type=int, default=os.cpu_count() or 1, help="jobs side by side")
    add("--executor", default="local", choices=("local", "slurm"))
    add("--gpus", default="all", help="GPUs to use, such as 0,1; none for no GPU")
    add("--jobs-per-gpu", type=int, default=4, help="jobs that share one GPU")
    add("--study", default="depthseg_lib.study.plan", help="module that plans the runs")
    add("--dry", action="store_true", help="say what would run, in which order and for how long")
    add("--redraw", action="store_true", help="only draw, from stored results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
