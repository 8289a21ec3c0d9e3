"""The call of Snakemake: what it is asked to make, and the variables of its jobs. The graph is `workflow/Snakefile`."""

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from depthseg_lib import fingerprint
from depthseg_lib.files import PLAN, cache_root, read_json, write_json
from depthseg_lib.fingerprint import NOTEBOOKS
from depthseg_lib.study.jobs import DATA, FIGURES, Job, Key
from depthseg_lib.study.plan import Plan

SNAKEFILE = fingerprint.LIBRARY.parent / "workflow" / "Snakefile"
TOLD = "snakemake.json"
"""The file beside plan.json that tells Snakemake where notebooks and figures are, whether a job gets a GPU, and what is
to do."""
RESULT = {DATA: "ready.json", **dict.fromkeys(NOTEBOOKS, "metrics.json")}
"""The file, in a job's folder, that is there when its result is."""
DRAWN = "drawn.json"
"""The file beside the log of a notebook that says from what it has drawn."""
MALLOC = "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296:glibc.malloc.top_pad=67108864"
"""Memory that a step of training has freed is kept for the next one: asking the system for it anew, page by page, took
a sixth of a step on a CPU. Other C libraries than glibc don't read this."""
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables that are 1 in every job: jobs side by side share the cores."""


@dataclass(frozen=True)
class Request:
    """What the front door was asked for."""

    profile: str
    """Name of the study's profile."""
    runs: str = "runs"
    """Folder of the runs of all profiles."""
    figures: str = "figures"
    """Folder of the figures of all profiles."""
    cores: int = 1
    """Jobs side by side, one thread each."""
    executor: str = "local"
    """Folder under `workflow/profiles`: local or slurm."""
    gpus: str = ""
    """GPUs to share out, such as `0,1`; empty for none."""
    jobs_per_gpu: int = 4
    """Jobs that share one GPU."""
    notebooks: str = "notebooks"
    """Folder of the notebooks."""

    def folder(self, key: Key) -> Path:
        """The folder of a run, or of the log of a notebook that draws."""
        return Path(self.runs, self.profile, *key)

    @property
    def plan(self) -> Path:
        """The file in which the Snakefile finds the runs and their order."""
        return Path(self.runs, self.profile, PLAN)


def drawn(figures: str | Path, names: Iterable[str]) -> list[str]:
    """The files that a notebook leaves for its figures and tables, as paths under the folder `figures`."""
    files = []
    for name in names:
        table = ("csv", "md") if name.startswith("table") or name in ("claims", "census") else ()
        files += [f"{figures}/{name}.{suffix}" for suffix in ("png", "svg", "json", *table)]
    return files


def to_do(request: Request, study: Plan, jobs: Iterable[Job]) -> list[Key]:
    """The jobs of a study whose results are not there, or are not those of the plan, in their order.

    A result is current when what it says of itself (see `fingerprint`) is what the plan says, whatever the dates of
    files and wherever they came from. A pre-training without its weights is made anew only for a run that needs them,
    and data are looked at only for runs that read them.
    """
    jobs = {job.key: job for job in jobs}
    runs = [job for job in jobs.values() if job.key[0] in NOTEBOOKS]
    keys = {job.key for job in runs if not fingerprint.is_current(request.folder(job.key), job.fingerprint)}
    for job in reversed(runs):  # before what it needs, which may need others itself
        for need in job.needs if job.key in keys else ():
            if need[0] == DATA or not (request.folder(need) / "weights.safetensors").is_file():
                keys.add(need)
    keys |= {(FIGURES, stem) for stem in study.figures if keys or not _is_drawn(request, study, stem)}
    return [key for key in jobs if key in keys]


def touch(request: Request, jobs: Iterable[Job], keys: Iterable[Key]) -> None:
    """Give results that are current, which are all but those of `keys`, dates in the graph's order, for Snakemake; and
    forget from what the figures of `keys` were drawn."""
    moment, again = time.time_ns(), set(keys)
    for number, job in enumerate(jobs):
        file = request.folder(job.key) / ("executed.ipynb" if job.key[0] == FIGURES else "metrics.json")
        if job.key in again:
            file.with_name(DRAWN).unlink(missing_ok=True)
        elif file.is_file():
            os.utime(file, ns=(moment + 1000 * number,) * 2)


def note_drawn(request: Request, study: Plan, stem: str) -> list[str]:
    """Note from what a notebook has drawn its figures, by which they are known to be current; returns the files that it
    should have left and has not."""
    files = drawn(Path(request.figures, request.profile), study.figures[stem])
    if missing := [file for file in files if not Path(file).is_file()]:
        return missing
    write_json(request.folder((FIGURES, stem)) / DRAWN, {"fingerprint": _of_drawing(request, study, stem)})
    return []


def _is_drawn(request: Request, study: Plan, stem: str) -> bool:
    noted = request.folder((FIGURES, stem)) / DRAWN
    files = (noted, *map(Path, drawn(Path(request.figures, request.profile), study.figures[stem])))
    there = all(file.is_file() for file in files)
    return there and read_json(noted)["fingerprint"] == _of_drawing(request, study, stem)


def _of_drawing(request: Request, study: Plan, stem: str) -> str:
    runs = [own["fingerprint"] for run in study.runs for own in run.trials]
    return fingerprint.of_figures(Path(request.notebooks, f"{stem}.ipynb"), runs)


def command(request: Request, keys: Iterable[Key] = (), *options: str) -> list[str]:
    """The call of Snakemake that makes `keys` anew, and what is missing besides.

    It works in the folder of the profile's runs, where its records go too, and reads there what `tell` wrote.
    """
    # A cluster shares out its own GPUs, so only this machine's are counted.
    slots = len(request.gpus.split(",")) * request.jobs_per_gpu if request.gpus and request.executor == "local" else 0
    limits = ["--resources", f"gpu={slots}"] if slots else []
    width = ["--cores", str(request.cores)] if request.executor == "local" else []
    anew = [f"draw_{name}" if kind == FIGURES else "/".join((kind, name, RESULT[kind])) for kind, name in keys]
    profile = SNAKEFILE.parent / "profiles" / request.executor
    folder = request.plan.parent.absolute()
    start = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--profile", str(profile)]
    start += ["--directory", str(folder), "--configfile", str(folder / TOLD)]
    return [*start, *width, *limits, *(["--forcerun", *anew] if anew else []), *options]


def tell(request: Request, keys: Iterable[Key] = ()) -> None:
    """Write what Snakemake has to know besides the plan, and that `keys` are to do: in a file, since it would take a
    folder called `2026_11_26` in its command line for a number."""
    root = SNAKEFILE.parents[1]
    places = {"figures": root / request.figures / request.profile, "notebooks": root / request.notebooks}
    told = {"gpu": int(bool(request.gpus)), "to_do": ["/".join(key) for key in keys]} | {
        name: str(place) for name, place in places.items()
    }
    write_json(request.plan.with_name(TOLD), told)


def environment(request: Request) -> dict[str, str]:
    """Variables for Snakemake and its jobs: this Python and this library first, one thread each, caches in one
    place."""
    cache = cache_root().absolute()
    before = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    ours = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(SNAKEFILE.parents[1]), os.environ.get("PYTHONPATH")])),
        "PYTHONUTF8": "1",  # names of files, whatever the locale
        **dict.fromkeys(ONE_THREAD, "1"),
        "GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES") or MALLOC,
        "DEPTHSEG_CACHE": str(cache),
        "XDG_CACHE_HOME": str(cache / "tools"),  # Snakemake's own cache; the next line keeps torch's where it was
        "TORCH_HOME": os.environ.get("TORCH_HOME") or str(before / "torch"),
    }
    if not request.gpus:
        return os.environ | ours | {"CUDA_VISIBLE_DEVICES": ""}  # jobs take the GPU that they see
    ours["DEPTHSEG_PLANNED_FOR"] = "gpu"
    if request.executor == "local":
        ours |= {"DEPTHSEG_GPUS": request.gpus, "DEPTHSEG_JOBS_PER_GPU": str(request.jobs_per_gpu)}
    return os.environ | ours
