"""The graph's vocabulary, shared by `workflow/Snakefile` and the front door: notebooks, inputs, calls of Snakemake."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from depthseg_lib.errors import InputError
from depthseg_lib.files import cache_root, read_json, write_json
from depthseg_lib.fingerprint import FIGURES, LIBRARY, READERS, READS, REAL, TRAINING, WORLD

SNAKEFILE = LIBRARY.parent / "workflow" / "Snakefile"
NOTEBOOKS = {"pretrain": "01_pretrain", "finetune": "02_finetune"}
"""The notebook that does one run of each kind."""
TRAINING += tuple(f"data/{name}.py" for name in ("batches", "depth_camera", "jitter", "labels", "arrays", "sources"))
READS |= {name: (*WORLD, *(f"data/{file}.py" for file in (*REAL, *own))) for name, own in READERS.items()}
"""The files that training on a data set depends on besides: a changed reader of real sets leaves the embedded world's
runs alone."""
TABLES = ("claims", "census")
"""Figures that are tables, besides those that are called so."""
MALLOC = "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296:glibc.malloc.top_pad=67108864"
"""Memory that a step of training has freed is kept for the next one: asking the system for it anew, page by page, took
a sixth of a step on a CPU. Other C libraries than glibc don't read this."""
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables that are 1 in every job: jobs side by side share the cores."""
Key = tuple[str, str]
"""Kind and name of a run, or `figures` and the stem of a notebook."""


def is_table(name: str) -> bool:
    """Whether a figure is a table, which is written as CSV and Markdown besides."""
    return name.startswith("table") or name in TABLES


def drawn(figures: str, names: tuple[str, ...]) -> list[str]:
    """The files that a notebook leaves for its figures and tables, as paths under the folder `figures`."""
    suffixes = {name: ("png", "svg", "json", *(("csv", "md") if is_table(name) else ())) for name in names}
    return [f"{figures}/{name}.{suffix}" for name in names for suffix in suffixes[name]]


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
        return Path(self.runs, self.profile, "plan.json")


def write_plan(request: Request, runs, figures: dict[str, tuple[str, ...]], made_from: str = "") -> None:
    """Write what the Snakefile has to know of a `study.Plan`'s runs and figures, and what that was made from."""
    listed = [
        {"kind": r.kind, "name": r.name, "needs": r.needs, "cost": r.cost, "data_set": r.parameters["data_set"]}
        for r in runs
    ]
    content = {"profile": request.profile, "runs": listed, "figures": figures, "made_from": made_from}
    write_json(request.plan, content)


def up_to_date(request: Request, made_from: str) -> bool:
    """Whether the plan that is there was made from the same, and nothing of it is left to do."""
    try:
        return read_json(request.plan)["made_from"] == made_from and not pending(request)
    except (InputError, KeyError):
        return False


def command(request: Request, *options: str) -> list[str]:
    """The call of Snakemake for `request`, to be run in the clone's root."""
    gpu = int(bool(request.gpus))  # a cluster shares out its own GPUs, so only this machine's are counted
    places = len(request.gpus.split(",")) * request.jobs_per_gpu if gpu and request.executor == "local" else 0
    limits = ["--resources", f"gpu={places}"] if places else []
    width = ["--cores", str(request.cores)] if request.executor == "local" else []
    profile = SNAKEFILE.parent / "profiles" / request.executor
    config = [f"plan={request.plan}", f"figures={request.figures}", f"notebooks={request.notebooks}", f"gpu={gpu}"]
    start = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--profile", str(profile)]
    return [*start, *width, *limits, *options, "--config", *config]


def environment(request: Request) -> dict[str, str]:
    """Variables for Snakemake and its jobs: this Python first, one thread each, caches in one place."""
    cache = cache_root().absolute()
    before = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    ours = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        **dict.fromkeys(ONE_THREAD, "1"),
        "GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES") or MALLOC,
        "DEPTHSEG_CACHE": str(cache),
        "XDG_CACHE_HOME": str(cache / "tools"),  # Snakemake's own cache; the next line keeps torch's where it was
        "TORCH_HOME": os.environ.get("TORCH_HOME") or str(before / "torch"),
    }
    if not request.gpus:
        ours["CUDA_VISIBLE_DEVICES"] = ""  # jobs take the GPU that they see
    elif request.executor == "local":
        ours |= {"DEPTHSEG_GPUS": request.gpus, "DEPTHSEG_JOBS_PER_GPU": str(request.jobs_per_gpu)}
    return os.environ | ours


def pending(request: Request) -> list[Key]:
    """The runs and notebooks that Snakemake would run now, in no particular order."""
    called = command(request, "--summary")
    done = subprocess.run(called, env=environment(request), cwd=SNAKEFILE.parents[1], capture_output=True, text=True)
    if done.returncode:
        raise InputError("the graph cannot be made:\n" + "\n".join(done.stderr.strip().splitlines()[-20:]))
    header, *rows = (line.split("\t") for line in done.stdout.splitlines() if "\t" in line)
    column = {name: i for i, name in enumerate(header)}
    waiting = [row for row in rows if row[column["plan"]] == "update pending"]
    return sorted({_key(row[column["output_file"]], row[column["rule"]]) for row in waiting})


def _key(output: str, rule: str) -> Key:
    if rule in NOTEBOOKS:
        return rule, Path(output).parent.name
    return FIGURES, rule.removeprefix("draw_")
