"""What the terminal shows while a study runs: a line per event of a run, and how long it should still take."""

import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median

from depthseg_lib.commands import journal
from depthseg_lib.files import read_json
from depthseg_lib.study.jobs import DATA, FIGURES, Job, Key
from depthseg_lib.study.plan import GPU_BASIS

LINE = 120
"""Characters of what a run says that are shown; its log has all of it."""


def estimated(jobs: Iterable[Job]) -> Iterator[str]:
    """A table of the runs of `jobs` by group, with the hours of each, and what these rest on; a line each."""
    runs = [job for job in jobs if job.key[0] not in (DATA, FIGURES)]
    groups: dict[str, list[float]] = {}
    for job in runs:
        groups.setdefault(job.group, []).append(job.cost / 3600)
    gpu = any(job.on_gpu for job in runs)
    width = max(map(len, ("together", *groups)))
    yield f"\nestimated {'GPU hours' if gpu else 'hours of a core'}, by kind of run"
    yield f"{'':{width}}  {'runs':>5}  {'of one':>8}  {'in all':>8}"
    for name, hours in {**groups, "together": [job.cost / 3600 for job in runs]}.items():
        one = f"{sum(hours) / len(hours):8.2f}" if name != "together" else " " * 8
        yield f"{name:{width}}  {len(hours):5}  {one}  {sum(hours):8.2f}"
    yield from textwrap.wrap(GPU_BASIS if gpu else "A rough estimate for one core of a laptop or server.", LINE)


def rates(jobs: Iterable[Job], folder: Callable[[Key], Path]) -> dict[str, float]:
    """By kind, how many times its estimate a job takes here: the median over those that finished."""
    taken: dict[str, list[float]] = {}
    for job in jobs:
        if seconds := journal.seconds_taken(folder(job.key)):
            taken.setdefault(job.key[0], []).append(seconds / max(job.cost, 1.0))
    return {kind: median(ratios) for kind, ratios in taken.items()}


def seconds_left(waiting: Iterable[Job], running: Mapping[Key, float], rate: Mapping[str, float], cores: int) -> float:
    """How long `waiting` jobs (in an order in which needs come first) still take on `cores` at a time.

    `running` has the seconds that those of them which run have had so far. The longest chain of needs is the floor.
    """
    ends: dict[Key, float] = {}
    work = 0.0
    for job in waiting:
        expected = job.cost * rate.get(job.key[0], 1.0)
        left = max(expected - running.get(job.key, 0.0), 0.05 * expected)
        work += left
        ends[job.key] = left + max((ends.get(need, 0.0) for need in job.needs), default=0.0)
    return max(work / max(cores, 1), max(ends.values(), default=0.0))


def duration(seconds: float) -> str:
    """Seconds as a person says them: `40 s`, `14 min`, `2.3 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Screen:
    """Follows the journals of the jobs to do and says what happens, a line each."""

    def __init__(self, jobs: list[Job], to_do: list[Key], folder: Callable[[Key], Path], cores: int, say=print):
        self.jobs, self.folder, self.cores, self.say = jobs, folder, cores, say
        self.waiting = {key: None for key in to_do}  # a dict for its order
        self.running: dict[Key, float] = {}
        self.numbers: dict[Key, int] = {}
        self.failed: dict[Key, str] = {}
        self.offsets = {key: journal.read(folder(key))[1] for key in to_do}

    def left(self) -> str:
        """The time that everything still to do should take."""
        waiting = [job for job in self.jobs if job.key in self.waiting]
        running = {key: max(0.0, time.time() - since) for key, since in self.running.items()}
        left = seconds_left(waiting, running, rates(self.jobs, self.folder), self.cores)
        return f"about {duration(left)} left"

    def update(self) -> None:
        """Show what the journals say since the last look."""
        for key in self.offsets:
            events, self.offsets[key] = journal.read(self.folder(key), self.offsets[key])
            for event in events:
                self._show(key, event)

    def _show(self, key: Key, event: journal.Event) -> None:
        if event.what == journal.STARTED:
            self.numbers.setdefault(key, len(self.jobs) - len(self.offsets) + len(self.numbers) + 1)
            self.running[key] = event.at
            self.failed.pop(key, None)
        text = {journal.STARTED: "started", journal.FAILED: f"FAILED: {event.text}"}.get(event.what, event.text[:LINE])
        if event.what in (journal.FINISHED, journal.FAILED):
            since = self.running.pop(key, event.at)
            self.waiting.pop(key, None)
        if event.what == journal.FAILED:
            self.failed[key] = event.text
        if event.what == journal.FINISHED:
            at = diverged(self.folder(key))
            text = f"finished in {duration(max(0.0, event.at - since))}" + (
                "" if at is None else f", diverged at iteration {at}"
            )
            text += f", {self.left()}" if self.waiting else ""
        self.say(f"[{self.numbers.get(key, '?')}/{len(self.jobs)}] {' '.join(key)}  {text}")


def diverged(folder: Path) -> int | None:
    """The iteration at which a finished run diverged; None when it did not, or has not finished."""
    metrics = folder / "metrics.json"
    return read_json(metrics).get("diverged_at") if metrics.is_file() else None
