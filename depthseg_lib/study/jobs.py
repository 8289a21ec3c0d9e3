"""The jobs of a study, in their order: data first, then trial by trial, pre-trainings first, then what draws."""

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from depthseg_lib.study.plan import Plan, on_gpu

DATA, FIGURES = "data", "figures"
"""The kinds of the jobs that make data ready and of the notebooks that draw, beside pretrain and finetune."""
DRAWING = 30.0
"""Rough seconds of a notebook that draws."""
Key = tuple[str, str]
"""Kind and name of a job: of `data`, of a trial of a run (`<run>/t<number>`), or the stem of a notebook."""


@dataclass(frozen=True)
class Job:
    """Something to do that has a folder of its own, below that of the profile's runs: its kind and name."""

    key: Key
    """Its kind and name."""
    cost: float
    """Rough seconds, as the study estimates them."""
    needs: tuple[Key, ...] = ()
    """The jobs that come before it."""
    group: str = ""
    """Runs that are alike, for a table of them."""
    on_gpu: bool = False
    """Whether `cost` is for a GPU."""
    fingerprint: str = ""
    """What makes a run's result the same."""


def jobs_of(study: Plan) -> list[Job]:
    """All jobs of a study. A trial is whole before the next one begins, so that figures can be drawn from the first."""
    each: list[list[Job]] = []
    for run in study.runs:
        asked = run.parameters
        group = f"{run.kind} {asked['encoder']} {asked['initialisation' if run.kind == 'pretrain' else 'setting']}"
        if asked.get("experiment", "main") != "main":
            group += f", {asked['experiment']}"
        starts = [own["start_weights"] for own in run.trials]
        each.append([])
        for (name, own), start in zip(run.settings().items(), starts, strict=True):
            needs = tuple(("pretrain", f"{need}/{Path(start).parent.name}") for need in run.needs)
            about = ((DATA, run.reads), *needs), group, on_gpu(asked["encoder"]), own["fingerprint"]
            each[-1].append(Job((run.kind, name), run.cost, *about))
    runs = [job for trial in zip_longest(*each) for job in trial if job]
    everything = tuple(job.key for job in runs)
    prepared = [Job((DATA, of.name), of.cost) for of in study.data]
    return [*prepared, *runs, *(Job((FIGURES, stem), DRAWING, everything) for stem in study.figures)]
