"""`make figures`: checks, the graph through Snakemake, and what the terminal shows of it.

    python -m depthseg_lib.commands.figures [--profile laptop] [--data FOLDER] [--cores N] [--dry | --redraw]

Snakemake's own words go to `runs/<profile>/snakemake.log`. Ctrl-C ends everything; the same command goes on later.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from depthseg_lib.commands import kernels, machine
from depthseg_lib.commands.progress import Screen, diverged, duration, estimated, rates, seconds_left
from depthseg_lib.errors import InputError, exit_status
from depthseg_lib.files import PLAN, cache_root, read_json
from depthseg_lib.models.published import Published, add_options
from depthseg_lib.study import plan as study_plan
from depthseg_lib.study import workflow
from depthseg_lib.study.jobs import DATA, FIGURES, Job, Key, jobs_of
from depthseg_lib.study.workflow import Request

ROOT = workflow.SNAKEFILE.parents[1]
PATIENCE = 20.0
"""Seconds that jobs have to end by themselves after Ctrl-C."""


def main() -> int:
    """The command line; returns the exit status."""
    sys.stdout.reconfigure(line_buffering=True)
    options = _parser().parse_args()

    def interrupt(number, frame):
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        return exit_status(lambda: redraw(options) if options.redraw else make(options))
    except KeyboardInterrupt:
        print("\nstopped; finished runs are kept, and the same command goes on from here", file=sys.stderr)
        return 130


def make(options) -> int:
    """Check what can be checked, plan, and make what is not there or not current; returns the exit status."""
    request = _request(options)
    places = {name: _absolute(getattr(options, name)) for name in ("data", "photographs")}
    published = Published.given(options.imagenet, options.monodepth2, options.weights)
    study_plan.check(request.profile, published=published, decode=not options.dry, **places)
    places |= {"runs": request.runs, "notebooks": request.notebooks}
    wanted = {"trials": options.trials, "pretrainings": options.pretrainings}
    study = study_plan.plan(request.profile, published=published, **places, **wanted)
    request = replace(request, profile=study.profile.name)
    for folder, purpose in ((request.runs, "runs"), (request.figures, "figures"), (cache_root(), "cached data")):
        machine.writable(folder, purpose)
    request.plan.parent.mkdir(parents=True, exist_ok=True)
    with machine.alone(request.plan.parent) as lock:
        study_plan.write(study, request.runs)
        jobs = jobs_of(study)
        order = workflow.to_do(request, study, jobs)
        if not order:
            print(f"everything is up to date: {Path(request.figures, request.profile)}")
            return 0
        _header(request, jobs, order)
        if options.dry:
            asked = [job for job in jobs if job.key in order]
            for number, job in enumerate(asked, 1):
                needs = ", ".join(" ".join(key) for key in job.needs) if job.key[0] != FIGURES else "all runs"
                after = f"  after {needs}" if needs else ""
                print(f"{number:4}  {' '.join(job.key):70}  {duration(job.cost):>7}{after}")
            print(*estimated(asked), sep="\n")
            return 0
        if not request.gpus and options.gpus != "none" and any(job.on_gpu for job in jobs if job.key in order):
            raise InputError(
                f"the profile '{request.profile}' trains networks for a GPU, and PyTorch finds none here (`make "
                "doctor` says what is there): expected one, or EXECUTOR=slurm; GPUS=none trains on the CPU all the same"
            )
        began = time.monotonic()
        workflow.touch(request, jobs, order)
        workflow.tell(request, order)
        screen = Screen(jobs, order, request.folder, request.cores)
        status = _run(request, order, screen, lock)
        for kind, name in order:
            if kind == FIGURES and (kind, name) not in {**screen.waiting, **screen.failed}:
                if missing := workflow.note_drawn(request, study, name):
                    print(f"notebook {name} has ended, but has not left {', '.join(missing)}", file=sys.stderr)
                    status, screen.failed[kind, name] = 1, "no figures"
        return _end(request, jobs, screen, status, time.monotonic() - began)


def redraw(options) -> int:
    """Run the notebooks that draw, and nothing else, on whatever results there are; returns the exit status."""
    request, began = _request(options), time.monotonic()
    if options.data:  # a user's own data go by their own name
        named = study_plan.plan(request.profile, _absolute(options.data), request.runs, notebooks=request.notebooks)
        request = replace(request, profile=named.profile.name)
    # The plan beside the runs, else that beside the committed results.
    places = (request.plan, Path(request.figures, request.profile, "data", PLAN))
    if not any(place.is_file() for place in places):
        raise InputError(
            f"there is nothing to draw of profile '{request.profile}': expected {' or '.join(map(str, places))}; run "
            f"`make figures PROFILE={request.profile}` first"
        )
    figures = next(read_json(place) for place in places if place.is_file())["figures"]
    places = (f"runs={request.runs}", f"figures={Path(request.figures, request.profile)}")
    options = ["--set", f"profile={request.profile}", "--path", places[0], "--path", places[1]]
    notebooks = {stem: ROOT / request.notebooks / f"{stem}.ipynb" for stem in figures}
    waiting, failed = list(figures), []
    running: dict[str, subprocess.Popen] = {}
    print(f"drawing the figures of profile {request.profile} again from stored results")
    with kernels.prepared(list(notebooks.values()), workflow.environment(request)) as environment:
        try:
            while waiting or running:
                while waiting and len(running) < request.cores:
                    stem = waiting.pop(0)
                    start = [sys.executable, "-m", "depthseg_lib.commands.notebook", str(notebooks[stem])]
                    log = str(request.folder((FIGURES, stem)) / "executed.ipynb")
                    running[stem] = subprocess.Popen([*start, *options, "--out", log], env=environment, cwd=ROOT)
                time.sleep(0.1)
                for stem in [stem for stem, process in running.items() if process.poll() is not None]:
                    failed += [stem] if running.pop(stem).returncode else []
        finally:
            for process in running.values():
                process.terminate()
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
        return 1
    names = ", ".join(name for drawn in figures.values() for name in drawn)
    print(f"done in {duration(time.monotonic() - began)}: {Path(request.figures, request.profile)} ({names})")
    return 0


def _run(request: Request, order: list[Key], screen: Screen, lock: int) -> int:
    """Run the graph and show it on `screen`; returns Snakemake's exit status. When interrupted, all processes end.

    `lock` is the descriptor of the lock on the folder of runs, which Snakemake holds too.
    """
    stems = {workflow.NOTEBOOKS.get(kind, name) for kind, name in order if kind != DATA}
    notebooks = [ROOT / request.notebooks / f"{stem}.ipynb" for stem in stems if request.executor == "local"]
    prepared = kernels.prepared(notebooks, workflow.environment(request))
    with request.plan.with_name("snakemake.log").open("w", encoding="utf-8") as log, prepared as environment:
        process = subprocess.Popen(
            workflow.command(request, order),
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C reaches it here, once
            pass_fds=(lock,),
        )
        machine.say_holder(lock, process.pid)
        try:
            while process.poll() is None:
                time.sleep(0.5)
                screen.update()
        except BaseException:
            print("\nstopping ...", file=sys.stderr)
            for number, patience in ((signal.SIGINT, PATIENCE), (signal.SIGKILL, None)):
                try:  # kernels end with their parents
                    os.killpg(process.pid, number)
                    process.wait(patience)
                except (subprocess.TimeoutExpired, ProcessLookupError):
                    continue
            raise
    screen.update()
    return process.returncode


def _header(request: Request, jobs: list[Job], order: list[Key]) -> None:
    here = machine.device() if request.gpus else "the CPU"
    where = f"{here}, {request.cores} jobs side by side" if request.executor == "local" else request.executor
    left = seconds_left([job for job in jobs if job.key in order], {}, rates(jobs, request.folder), request.cores)
    print(f"depthseg: profile {request.profile} on {where}")
    kinds = {"pretrain": "pre-trainings", "finetune": "trials of fine-tuning", FIGURES: "notebooks that draw"}
    counts = (
        f"{sum(kind == key[0] for key in order)} of {sum(kind == job.key[0] for job in jobs)} {name}"
        for kind, name in kinds.items()
    )
    print(f"to do: {', '.join(counts)}; about {duration(left)}")


def _end(request: Request, jobs: list[Job], screen: Screen, status: int, seconds: float) -> int:
    runs = [job.key for job in jobs if job.key[0] in workflow.NOTEBOOKS]
    wrong = [name for kind, name in runs if diverged(request.folder((kind, name))) is not None]
    if wrong:
        print(f"{len(wrong)} runs diverged, which is a result: {', '.join(wrong)}")
    if not status:
        print(f"done in {duration(seconds)}; figures and tables: {Path(request.figures, request.profile)}")
        return 0
    log = request.plan.with_name("snakemake.log")
    if not screen.failed:
        print("".join(log.read_text("utf-8", "replace").splitlines(keepends=True)[-20:]), file=sys.stderr)
    failed = ", ".join(" ".join(key) for key in screen.failed) or f"something that said nothing; see {log}"
    missing = [key for key in runs if not (request.folder(key) / "metrics.json").exists()]
    print(f"failed: {failed}", file=sys.stderr)
    print(
        f"runs without a result: {len(missing)}; the figures wait for all of them. What is finished is kept: the same "
        "command does the rest, and `make redraw` draws from what there is.",
        file=sys.stderr,
    )
    return 1


def _request(options) -> Request:
    gpus = options.gpus
    if options.executor == "local" and gpus == "all":
        gpus = machine.device().ids
    return Request(
        profile=options.profile or ("laptop" if gpus == "none" else machine.device().profile),
        runs=options.runs,
        figures=options.figures,
        cores=options.cores,
        executor=options.executor,
        gpus="" if gpus == "none" else gpus,
        jobs_per_gpu=options.jobs_per_gpu,
        notebooks=options.notebooks,
    )


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute()) if path else ""


def _parser() -> argparse.ArgumentParser:
    about = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m depthseg_lib.commands.figures", description=about)
    add = parser.add_argument
    add("--profile", default="", help="laptop, gpu, kitti, ...; default: laptop, or gpu where torch sees one")
    add("--data", default="", help="folder of the real set, for profiles that read one")
    add("--photographs", default="", help="folder of photographs for classification, with a folder per class")
    add_options(parser)
    add("--runs", default="runs", help="folder of the runs")
    add("--figures", default="figures", help="folder of the figures")
    add("--notebooks", default="notebooks", help="folder of the notebooks")
    add("--cores", type=int, default=os.cpu_count() or 1, help="jobs side by side")
    add("--trials", type=int, default=0, help="repetitions of the study; more are added to those that are there")
    add("--pretrainings", type=int, default=0, choices=(0, 1), help="1: all trials share one pre-training of each kind")
    add("--executor", default="local", choices=("local", "slurm"))
    add("--gpus", default="all", help="GPUs to use, such as 0,1; none for no GPU")
    add("--jobs-per-gpu", type=int, default=4, help="jobs that share one GPU")
    add("--dry", action="store_true", help="say what would run, in which order and for how long")
    add("--redraw", action="store_true", help="only draw, from stored results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
