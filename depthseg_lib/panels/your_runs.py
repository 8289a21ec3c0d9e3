"""The reader's own runs, those by hand: what they reached, drawn beside the study's, and how the study takes them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib import fingerprint
from depthseg_lib.analysis import results
from depthseg_lib.errors import InputError
from depthseg_lib.files import PLAN, project_path, read_json
from depthseg_lib.panels.live import NAMES, headless
from depthseg_lib.plots import style
from depthseg_lib.study import plan
from depthseg_lib.training.by_hand import FOLDER, differing

STUDY = "laptop"
"""The profile whose settings are a run's where the notebook does not say others."""
SAME = {"pretrain": ("encoder", "initialisation"), "finetune": ("encoder", "initialisation", "setting", "images")}
"""What a run of the study has in common with one by hand that is compared with it."""
LABELS = {"pretrain": NAMES, "finetune": style.METRICS}
SCORES = {"pretrain": ("abs_rel", "rmse", "a1", "epe", "accuracy"), "finetune": ("miou_seven", "accuracy")}


@dataclass(frozen=True, eq=False)
class Peer:
    """The run of a study that is most like one by hand."""

    study: str
    """Name of the folder of its runs: the profile's."""
    name: str
    """Its own folder's name."""
    fingerprints: tuple[str, ...]
    """What the plan says that makes each of its trials the same."""
    differs: dict[str, tuple]
    """Settings that the run by hand has otherwise: its own value and the study's."""


@dataclass(frozen=True, eq=False)
class HandRun:
    """A finished run by hand."""

    folder: Path
    """Its files."""
    settings: dict
    """As it was run."""
    fingerprint: str
    """What it says of itself."""
    numbers: list[int]
    """Which trials of a study its own would be."""
    histories: list[pd.DataFrame]
    """A row per evaluation: of a fine-tuning run for each trial."""
    diverged: bool
    """Whether any loss ceased to be finite."""
    peer: Peer | None
    """What it is compared with; None where the studies have nothing of the kind."""


def show(kind: str) -> None:
    """Show all finished runs by hand of a kind (pretrain or finetune): a table, their curves over the study's, and for
    each what makes it part of the study. Nothing where a notebook runs without a person."""
    if headless():
        return
    root = project_path(".")
    runs = find(kind, root)
    if not runs:
        print(f"No finished run yet under {FOLDER}/{kind}.")
        return
    with pd.option_context("display.max_colwidth", None):
        display(table(kind, runs))
    display(curves(kind, runs, {name: known for name in _studies(runs) if (known := _results(name, root))}))
    for number, run in enumerate(runs, 1):
        print(f"{number}  {joining(kind, run, root)}")


def find(kind: str, root: Path) -> list[HandRun]:
    """The finished runs by hand below the project's folder `root`, by name, each with the planned run most like it.

    The plan of `STUDY` is made now, since the one beside its runs may be of older code; others are read there.
    """
    planned = {file.parent.name: read_json(file)["runs"] for file in sorted(root.glob(f"runs/*/{PLAN}"))}
    planned[STUDY] = plan.plan(STUDY, notebooks=root / "notebooks").to_mapping()["runs"]
    found = []
    for folder in sorted((root / FOLDER / kind).glob("*/")):
        parts = [folder] if kind == "pretrain" else sorted(folder.glob("t*/"))
        parts = [part for part in parts if fingerprint.left_by(part) and not fingerprint.missing(part)]
        if not parts:
            continue
        settings, made = read_json(parts[0] / "environment.json")["settings"], fingerprint.left_by(parts[0])
        trial = settings["seed" if kind == "pretrain" else "trial"]
        peers = []
        for study, runs in planned.items():
            for planned_run in (run for run in runs if run["kind"] == kind):
                own = planned_run["trials"][min(trial, len(planned_run["trials"]) - 1)]
                theirs = planned_run["parameters"] | own
                if all(theirs[name] == settings[name] for name in SAME[kind]):
                    fingerprints = tuple(of["fingerprint"] for of in planned_run["trials"])
                    peers.append(Peer(study, planned_run["name"], fingerprints, differing(settings, theirs)))
        peer = min(peers, key=lambda of: (made not in of.fingerprints, len(of.differs)), default=None)
        numbers = [trial] if kind == "pretrain" else [int(part.name[1:]) for part in parts]
        histories = [pd.read_parquet(part / "history.parquet") for part in parts]
        diverged = any(read_json(part / "metrics.json")["diverged_at"] is not None for part in parts)
        found.append(HandRun(folder, settings, made, numbers, histories, diverged, peer))
    return found


def table(kind: str, runs: Sequence[HandRun]) -> pd.DataFrame:
    """A row per run, numbered from 1: its folder's name, what differs from the study, last scores (mean of trials)."""
    rows = []
    for run in runs:
        pairs = run.peer.differs.items() if run.peer else ()
        differs = ", ".join(f"{name} {own} ({other})" for name, (own, other) in pairs)
        row = {"run": run.folder.name, "differs from the study": differs or ("nothing" if run.peer else "all")}
        last = pd.DataFrame([history.iloc[-1] for history in run.histories])
        row |= {LABELS[kind][name]: last[name].mean() * style.scale(name) for name in SCORES[kind] if name in last}
        rows.append(row | {"trials": len(run.histories)} | ({"diverged": "yes"} if run.diverged else {}))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    found = pd.DataFrame(rows, index=range(1, len(rows) + 1))[columns].round(3)
    return found.drop(columns="trials") if kind == "pretrain" else found


@style.styled
def curves(kind: str, runs: Sequence[HandRun], known: Mapping[str, results.Results]) -> Figure:
    """A row of panels for each run of a study that runs by hand are compared with: they in colour, numbered as in the
    table, the study's in grey, mean and range over its trials, where `known` has its results."""
    groups: dict[tuple, list[int]] = {}
    for number, run in enumerate(runs):
        key = (run.peer.study, run.peer.name) if run.peer else ("", run.folder.name.rpartition("-")[0])
        groups.setdefault(key, []).append(number)
    figure = style.Drawing(figsize=(style.WIDTH + 0.6, 2.1 * len(groups) + 0.5), layout="constrained")
    axes = figure.subplots(len(groups), 2, squeeze=False)
    for across, ((study, name), numbers) in zip(axes, groups.items(), strict=True):
        histories = {number: runs[number].histories for number in numbers}
        score = next((of for of in SCORES[kind] if of in histories[numbers[0]][0]), "loss")
        for at, metric in zip(across, ("train_loss", score) if kind == "pretrain" else SCORES[kind], strict=True):
            if study in known:
                _study(at, known[study], kind, name, metric)
            for number, of in histories.items():
                for trial, history in enumerate(of):
                    look = dict(color=f"C{number % 10}", marker=".", label=None if trial else f"run {number + 1}")
                    at.plot(history["iteration"], history[metric] * style.scale(metric), **look)
            at.set(xlabel="iteration", ylabel=LABELS[kind][metric])
            style.few_ticks(at)
        across[0].set_title(name, loc="left")
        across[1].legend(fontsize=8)
    footer = (
        "Runs by hand, numbered as in the table; a line for each trial. Grey: the study's, mean and range over trials."
    )
    return style.with_footer(figure, " ".join([footer, *(f"{of.profile}: {of.source}." for of in known.values())]))


def _study(axes: Axes, of: results.Results, kind: str, name: str, metric: str) -> None:
    frame = of.pretrain_history if kind == "pretrain" else of.history
    names = frame["name"].astype(str)
    own = frame[names == name] if kind == "pretrain" else frame[names.str.rpartition("-t")[0] == name]
    if own.empty:
        return
    course = own.groupby("iteration")[metric].agg(["mean", "min", "max"]) * style.scale(metric)
    axes.fill_between(course.index, course["min"], course["max"], color=style.GREY, alpha=0.2, linewidth=0)
    marker = "o" if np.isfinite(course["mean"]).sum() == 1 else None
    axes.plot(course.index, course["mean"], color=style.GREY, linestyle="--", marker=marker, label="the study")


def joining(kind: str, run: HandRun, root: Path) -> str:
    """What makes a run part of the study: the command, from the project's root, or a sentence that nothing does."""
    if run.peer is None:
        what = ", ".join(str(run.settings[name]) for name in SAME[kind])
        return f"{run.folder.name}: no study has a run of {what}."
    to, planned = Path("runs", run.peer.study, kind, run.peer.name), run.peer.fingerprints
    if own := [n for n in run.numbers if run.fingerprint in planned[n : n + 1]]:
        if all(fingerprint.is_current(root / to / f"t{n}", run.fingerprint) for n in own):
            return f"{run.folder.name}: the study {run.peer.study} has it, in {to}."
        source = os.path.relpath(run.folder, root)
        each = [f"cp -r {source}{'' if kind == 'pretrain' else f'/t{n}'}/. {to}/t{n}/" for n in own]
        made = " ".join(f"{to}/t{n}" for n in own)
        return f"{run.folder.name}: the study {run.peer.study} takes it from\n   mkdir -p {made} && {' && '.join(each)}"
    if not run.peer.differs:
        return f"{run.folder.name}: settings of the study {run.peer.study}, but made by other code or other weights."
    differs = ", ".join(run.peer.differs)
    return f"{run.folder.name}: the study {run.peer.study} has no run with these settings; what differs: {differs}."


def _studies(runs: Sequence[HandRun]) -> list[str]:
    return list(dict.fromkeys(run.peer.study for run in runs if run.peer))


def _results(study: str, root: Path) -> results.Results | None:
    """What a study found, if it found anything."""
    try:
        return results.load(study, root / "runs", root / "figures" / study)
    except InputError:
        return None
