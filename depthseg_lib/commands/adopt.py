"""`make adopt`: accept finished runs whose inputs have not changed, whatever the dates of the files say.

Snakemake knows by itself that a file which was only touched is the same. It cannot know for runs that came from
elsewhere without its records, such as another clone's or another machine's: their own `inputs.json` does.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from depthseg_lib import fingerprint
from depthseg_lib.commands import figures
from depthseg_lib.commands.figures import ROOT
from depthseg_lib.commands.progress import Job
from depthseg_lib.study import workflow
from depthseg_lib.study.workflow import Key, Request


def changed(files: list[Path], recorded: dict[str, str]) -> list[str]:
    """The names of those `files` whose content is not what `recorded` (by `inputs.label`) says."""
    found = {fingerprint.label(file): fingerprint.sha256(file) if file.is_file() else None for file in files}
    return [name for name, digest in found.items() if digest is None or recorded.get(name) != digest]


def inputs_of(request: Request, job: Job) -> list[Path]:
    """The files that a run depends on: what the Snakefile declares for it."""
    kind = job.key[0]
    weights = [request.folder(need) / "weights.safetensors" for need in job.needs]
    own = [request.folder(job.key) / "params.json", Path(request.notebooks, f"{workflow.NOTEBOOKS[kind]}.ipynb")]
    return [*own, *weights, *(fingerprint.LIBRARY.parent / file for file in fingerprint.library(kind, job.data_set))]


def sort(request: Request, jobs: list[Job], say: Callable[[str], None]) -> list[Key]:
    """The finished runs of `jobs` (needs first) that are as good as new; the others are said, with the reason."""
    good: list[Key] = []
    for job in jobs:
        folder = request.folder(job.key)
        if not (folder / "metrics.json").exists():
            continue
        try:
            recorded = json.loads((folder / fingerprint.NAME).read_text())
        except (OSError, ValueError):
            say(f"{' '.join(job.key)}  not adopted: it has no readable {fingerprint.NAME}")
            continue
        reasons = changed(inputs_of(request, job), recorded)
        reasons += [f"{need[1]} is not adopted" for need in job.needs if need not in good]
        if reasons:
            say(f"{' '.join(job.key)}  not adopted: changed: {', '.join(reasons)}")
        else:
            good.append(job.key)
    return good


def adopt(request: Request, jobs: list[Job]) -> int:
    """Have Snakemake take the good runs for up to date; returns the exit status."""
    jobs = [job for job in jobs if job.key[0] in workflow.NOTEBOOKS]
    good = sort(request, jobs, print)
    if good:
        targets = [str(request.folder(key) / "metrics.json") for key in good]
        touched = workflow.command(request, "--touch", *targets)
        done = subprocess.run(touched, env=workflow.environment(request), cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return 1
    print(f"{len(good)} of {len(jobs)} runs adopted; `make figures` does the rest")
    return 0


def main() -> int:
    """The command line of `depthseg_lib.figures`; returns the exit status."""
    return figures.entrance(lambda request, jobs, options, lock: adopt(request, jobs))


if __name__ == "__main__":
    sys.exit(main())
