"""The jobs of a study, in their order: data first, then pre-trainings, then trial by trial, then what draws."""

from dataclasses import dataclass
from itertools import zip_longest

from depthseg_lib.study.plan import Plan, on_gpu

DATA, FIGURES = "data", "figures"
"""The kinds of the jobs that make data ready and of the notebooks that draw, beside pretrain and finetune."""
DRAWING = 30.0
"""Rough seconds of a notebook that draws."""
Key = tuple[str, str]
"""Kind and name of a job: of `data`, of a pre-training, of a trial (`<run>/t<number>`), or the stem of a notebook."""


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
    pretraining, trials = [], []
    for run in study.runs:
        asked = run.parameters
        group = f"{run.kind} {asked['encoder']} {asked['initialisation' if run.kind == 'pretrain' else 'setting']}"
        if asked.get("experiment", "main") != "main":
            group += f", {asked['experiment']}"
        needs = (DATA, run.reads), *(("pretrain", name) for name in run.needs)
        about = run.cost, needs, group, on_gpu(asked["encoder"]), asked["fingerprint"]
        each = [Job((run.kind, name), *about) for name in run.trials()]
        (pretraining if run.kind == "pretrain" else trials).append(each)
    runs = [job for each in pretraining for job in each]
    runs += [job for number in zip_longest(*trials) for job in number if job]
    everything = tuple(job.key for job in runs)
    prepared = [Job((DATA, of.name), of.cost) for of in study.data]
    return [*prepared, *runs, *(Job((FIGURES, stem), DRAWING, everything) for stem in study.figures)]
