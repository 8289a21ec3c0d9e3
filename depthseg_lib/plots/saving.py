"""Figures and tables on disk: PNG and SVG, with a json beside each that says what it was drawn from."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.runs import RUN
from depthseg_lib.analysis.statistics import INTERVAL
from depthseg_lib.files import project_path, replacing, write_json
from depthseg_lib.plots import style
from depthseg_lib.settings import encoder_name

DPI = 200
_NO_DATE = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
"""The same data gives the same bytes: no date, no version of the drawing library."""


@dataclass(frozen=True)
class About:
    """What a figure was drawn from; its json holds these fields."""

    title: str
    """What is shown, in a sentence."""
    data: str
    """Name of the data."""
    profile: str
    """Name of the profile."""
    encoders: tuple[str, ...]
    """Encoders drawn."""
    trials: int
    """Trials behind a mean: the most any has, without those that diverged."""
    fewest_trials: int
    """The fewest any has."""
    interval: str
    """What bands and bars are."""
    commit: tuple[str, ...]
    """Commits of the code that made the runs."""
    device: tuple[str, ...]
    """Devices that they ran on."""
    runs: tuple[str, ...]
    """Names of the runs."""
    note: str
    """What else the reader has to know, such as the images that were counted."""

    @property
    def footer(self) -> str:
        """The small line under the figure."""
        counted = f"{self.fewest_trials} to {self.trials}" if self.fewest_trials < self.trials else str(self.trials)
        trials = f"{counted} trial{'s' if self.trials != 1 else ''}"
        if self.trials > 1 and self.interval:
            trials += f", {self.interval} of the mean"
        elif self.trials == 1:
            trials += ": no interval"
        return self._sentence(trials)

    @property
    def plain(self) -> str:
        """The footer of a figure that shows no means."""
        return self._sentence("")

    def _sentence(self, trials: str) -> str:
        encoders = " and ".join(encoder_name(name) for name in self.encoders)
        parts = [self.data, f"profile {self.profile}", encoders, trials]
        return ", ".join(part for part in parts if part) + "." + (f" {self.note}" if self.note else "")


@dataclass(frozen=True)
class Saved:
    """A figure that was written; in a notebook it shows itself."""

    png: Path
    """Path of the PNG file."""

    def _repr_png_(self):
        width = int.from_bytes(self.png.read_bytes()[16:20], "big")  # the header's width, drawn at twice a screen's
        return self.png.read_bytes(), {"width": width // 2}


LEFT_OUT = "Diverged and left out of the means"


def about(results: Results, title: str, *notes: str, scores: bool = True, diverged: str = LEFT_OUT) -> About:
    """Describe a figure of exactly these results (select first); `scores` says that it shows mIoU, `diverged` what was
    done with runs that diverged.

    `notes` are sentences for the caption; empty ones are left out.
    """
    runs, sentences = results.metrics, list(notes)
    lost = runs[runs["diverged_at"].notna()]
    if len(lost):
        ends = [f"{run.name} at iteration {run.diverged_at:.0f}" for run in lost.itertuples(index=False)]
        sentences.append(f"{diverged}: {', '.join(ends)}.")
    if scores:
        shown = [results.label_set.classes[index] for index in results.label_set.representative]
        sentences.append(f"mIoU over the data set; representative: {', '.join(shown)}.")
    same = [name for name in RUN if name != "trial"]
    trials = runs[runs["diverged_at"].isna()].groupby(same, observed=True)["trial"].nunique()
    counts = (int(trials.max()), int(trials.min())) if len(trials) else (0, 0)
    return _of_runs(results, runs, title, sentences, counts)


def about_pretraining(results: Results, runs: pd.DataFrame, title: str, *notes: str) -> About:
    """Describe a figure of these pre-training `runs` (rows of `results.pretrain`), of which there is one each."""
    return _of_runs(results, runs, title, notes, (1, 1))


def _of_runs(results: Results, runs: pd.DataFrame, title: str, notes: Iterable[str], trials: tuple[int, int]) -> About:
    encoders, *made = (tuple(dict.fromkeys(runs[name].astype(str))) for name in ("encoder", "commit", "device"))
    described = title, results.data, results.profile, encoders, *trials, INTERVAL if trials[0] > 1 else ""
    return About(*described, *made, tuple(runs["name"]), " ".join(filter(None, notes)))


def drawing(title: str, profile: str) -> About:
    """Describe a drawing that no run stands behind."""
    return About(title, "none: a drawing", profile, (), 0, 0, "", (), (), (), "")


def save(figure: Figure, name: str, folder: str | Path, described: About) -> Saved:
    """Write `<folder>/<name>.png`, `.svg` and `.json`, each by rename; the result shows itself in a notebook."""
    folder = project_path(folder)
    for kind in ("png", "svg"):
        with replacing(folder / f"{name}.{kind}") as scratch, matplotlib.rc_context(style.RC):
            figure.savefig(scratch, format=kind, dpi=DPI, metadata=_NO_DATE[kind])
            if kind == "svg":
                # matplotlib names clips by where they lie, to the last bit, in which two processes' layouts differ
                svg = scratch.read_text("utf-8")
                clips = dict.fromkeys(re.findall(r'clip-path="url\(#(p[0-9a-f]{10})\)"', svg))
                for number, clip in enumerate(clips):
                    svg = svg.replace(clip, f"clip{number}")
                scratch.write_text(svg, "utf-8")
    write_json(folder / f"{name}.json", asdict(described))
    return Saved(folder / f"{name}.png")


def save_table(
    figure: Figure, table: pd.DataFrame, markdown: str, name: str, folder: str | Path, described: About
) -> Saved:
    """Write a table as a figure, and tidy as CSV and for readers as Markdown."""
    write_table(table, name, folder, markdown)
    return save(figure, name, folder, described)


def write_table(table: pd.DataFrame, name: str, folder: str | Path, markdown: str = "") -> None:
    """Write `<folder>/<name>.csv`, and `.md` if there is text for it."""
    texts = {"csv": table.to_csv(index=False, float_format="%.6g", lineterminator="\n"), "md": markdown}
    for kind, text in texts.items():
        if text:
            with replacing(project_path(folder) / f"{name}.{kind}") as scratch:
                scratch.write_text(text, encoding="utf-8")
