"""Tidy results of a profile: from this machine's runs where it has finished ones, else from the committed ones."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from depthseg_lib.analysis import runs as run_folders
from depthseg_lib.analysis import store
from depthseg_lib.analysis.runs import DepthExamples, Examples, FlowExamples
from depthseg_lib.analysis.store import Stored
from depthseg_lib.data.labels import LabelSet, from_mapping, to_mapping
from depthseg_lib.errors import InputError
from depthseg_lib.files import PLAN, project_path, read_json, write_json
from depthseg_lib.losses import metrics
from depthseg_lib.settings import APART, INITIALISATIONS, close_to

DATA = {"streets": "embedded street world", "kitti": "KITTI", "nyu": "NYU-V2", "cityscapes": "Cityscapes"}
"""How figures name a data set; a user's own has its own name."""
_FRAMES = ("metrics", "history", "confusion", "pretrain", "pretrain_history")
_CENTIMETRES = 100
"""Depth is stored in 16-bit centimetres: 0.01 to 655 m, 0 for no depth."""


@dataclass(frozen=True, eq=False)
class Results:
    """Everything that figures and tables are drawn from; metrics are fractions 0..1."""

    profile: str
    """Name of the profile."""
    source: str
    """Where these came from, as a sentence for the reader."""
    of_this_machine: bool
    """Whether they came from runs here."""
    data_set: str
    """Its name: one of `settings.DATA_SETS`."""
    label_set: LabelSet
    """The classes of the confusion matrices and predictions."""
    metrics: pd.DataFrame
    """A row per fine-tuning run: name, `runs.RUN`, the last evaluation's metrics, diverged_at, commit, device."""
    history: pd.DataFrame
    """A row per evaluation: name, `runs.RUN`, iteration, train_loss and the metrics."""
    confusion: pd.DataFrame
    """A row per filled cell of an image's matrix, in `main` alone: `runs.RUN`, image, truth, prediction, count."""
    pretrain: pd.DataFrame
    """A row per pre-training run: name, encoder, initialisation and its metrics."""
    examples: Examples
    """A few validation images with their truth, and what the first trial of every run of `main` predicted for them in
    the course of its training."""
    depth_examples: dict[str, DepthExamples]
    """By name of the depth run: frames with true and predicted depth."""
    flow_examples: dict[str, FlowExamples]
    """By name of the flow run: pairs of frames with exact and predicted flow."""
    plan: dict
    """The study's plan: what plan.json holds."""
    pretrain_history: pd.DataFrame = field(default_factory=pd.DataFrame)
    """A row per evaluation of the pre-trainings; the last alone where the results were stored without the others."""
    complete: bool = False
    """Whether they came from runs here and none is missing: only such results are worth storing."""

    @property
    def data(self) -> str:
        """The data's name in figures."""
        return DATA.get(self.data_set) or f"{self.label_set.name} (own data)"

    @property
    def base_images(self) -> int:
        """The training-set size of the study's main comparison: the one that most runs have."""
        return int(self.metrics["images"].mode().iloc[0])

    @property
    def main(self) -> "Results":
        """The main comparison: without what is fine-tuned at other resolutions, and without flow and depth cameras.

        Where no depth was learned from video (NYU-V2) these are what the others are compared with, and stay.
        """
        return self.select(experiment="main", initialisation=compared(self.metrics["initialisation"]))

    def has(self, **wanted) -> bool:
        """Whether any fine-tuning run has these values; as in `select`."""
        return not rows_with(self.metrics, wanted).empty

    def select(self, **wanted) -> "Results":
        """Only the fine-tuning runs whose columns have these values, such as `select(setting="full", images=16)`.

        A list holds several values to choose from. Raises `InputError` when there is no such run.
        """
        frames = {name: rows_with(getattr(self, name), wanted) for name in ("metrics", "history", "confusion")}
        if frames["metrics"].empty:
            raise InputError(f"no finished run of profile '{self.profile}' has {wanted}: {self.source}")
        return replace(self, **frames)


def compared(initialisations: pd.Series) -> list[str]:
    """Those of the main comparison, as `Results.main` says."""
    names = list(initialisations.unique())
    return [name for name in names if name not in APART or "depth" not in names]


def rows_with(frame: pd.DataFrame, wanted: dict) -> pd.DataFrame:
    """The rows whose columns have these values; a list or tuple holds several to choose from."""
    for column, value in wanted.items():
        frame = frame[frame[column].isin(list(value) if isinstance(value, list | tuple) else [value])]
    return frame


def load(profile: str, runs: str | Path = "runs", figures: str | Path = "") -> Results:
    """Results of `profile` from `runs/<profile>/`, else the committed ones from `<figures>/data/`.

    `figures` is the profile's figure folder, `figures/<profile>` when empty. Runs whose settings are not those of the
    profile today are left out, and so are trials that are not whole beside whole ones; `source` says so. Raises
    `InputError`, saying what to run, when there is neither.
    """
    folder = project_path(runs) / profile
    committed = project_path(figures or f"figures/{profile}") / "data"
    found = run_folders.find(folder)
    complete = bool(found and found.finetune) and len(found.finetune) == found.asked
    if found and found.finetune and (found.whole or not store.exists(committed)):
        here, source, plan, read = True, found.sentence, found.plan, run_folders.read(found)
    elif store.exists(committed):
        aside = f"; {found.sentence}, no trial whole: too few to take their place" if found and found.finetune else ""
        source = f"committed results under {'/'.join(committed.parts[-3:])}{aside}"
        here, plan, read = False, read_json(committed / PLAN), _restored(store.read(committed, profile))
    else:
        beside = {path.name for of in (folder.parent, project_path("figures")) for path in of.glob("*/")}
        raise InputError(
            f"profile '{profile}' has no finished fine-tuning run under {folder} and no committed results under "
            f"{committed}: run `make figures PROFILE={profile}` first{close_to(profile, beside - {profile})}"
        )
    ordered = {name: _ordered(read.pop(name)) for name in _FRAMES}
    about = {"data_set": plan["data_set"], "label_set": from_mapping(plan["label_set"]), "plan": plan}
    return Results(profile, source, here, **about, **ordered, **read, complete=complete)


def save(results: Results, folder: str | Path) -> None:
    """Write the tidy results and their plan as small files, within 5 MiB, so that `load` finds them without any run:
    confusion tables by setting and size, labels in their colours, depth in 16-bit centimetres."""
    about = {"profile": results.profile, "data_set": results.data_set, "label_set": to_mapping(results.label_set)}
    examples, confusion = results.examples, results.confusion
    parts = {
        f"confusion-{setting}-n{images}": part.assign(images=np.int16(images), trial=part["trial"].astype(np.int8))
        for (setting, images), part in confusion.groupby(["setting", "images"], observed=True)
    }
    tables = {name: getattr(results, name) for name in _FRAMES if name != "confusion"}
    tables |= parts or {"confusion-none": confusion}  # every trial diverged
    pictures = {"examples": examples.images.transpose(0, 2, 3, 1), "examples_truth": examples.truth}
    # on the way to the end, only of the training-set size that most runs have: the others' take as much room again
    usual = set(results.metrics.loc[results.metrics["images"] == results.base_images, "name"])
    course = {name: of if name in usual else {max(of): of[max(of)]} for name, of in examples.course.items()}
    pictures |= {f"predictions/{name}": np.concatenate(list(of.values())) for name, of in course.items()}
    for name, of in results.depth_examples.items():
        pictures[f"depth/{name}-image"] = of.images.transpose(0, 2, 3, 1)
        for part, depth in (("truth", of.truth), ("prediction", of.prediction)):
            centimetres = np.clip(np.nan_to_num(depth) * _CENTIMETRES, 0, 65535)
            pictures[f"depth/{name}-{part}"] = centimetres.round().astype(np.uint16)
    moved = {}
    for name, of in results.flow_examples.items():
        flows = {"flow": of.flow, "true_flow": of.true_flow}
        half = {part: flow.astype(np.float16) for part, flow in flows.items() if flow is not None}
        moved[f"flow/{name}"] = {"images": of.images} | half
    palette = results.label_set.colour(np.arange(256, dtype=np.uint8))
    about |= {"examples": list(examples.indices), "iterations": {name: list(of) for name, of in course.items()}}
    stored = Stored(about, tables, moved, pictures, palette)
    store.write(project_path(folder), stored)
    write_json(project_path(folder) / PLAN, results.plan)


def _restored(found: Stored) -> dict:
    """What `save` was given, as `runs.read` has it."""
    parts = [table for name, table in sorted(found.tables.items()) if name.startswith("confusion-")]
    tables = {name: table for name, table in found.tables.items() if not name.startswith("confusion-")}
    tables = {"pretrain_history": tables["pretrain"]} | tables
    joined, pictures = {}, found.pictures
    for name in parts[0].columns:  # texts are categories, of their own in each part
        columns = [part[name] for part in parts]
        categorical = isinstance(columns[0].dtype, pd.CategoricalDtype)
        joined[name] = pd.api.types.union_categoricals(columns) if categorical else np.concatenate(columns)
    named = {kind: [name for name in pictures if name.startswith(kind)] for kind in ("predictions/", "depth/")}
    ends = tables["metrics"].set_index("name")["iteration"]  # what was stored without its iterations is of the end
    course = {}
    for name in (name.removeprefix("predictions/") for name in named["predictions/"]):
        iterations = found.about.get("iterations", {}).get(name) or [int(ends[name])]
        course[name] = dict(zip(iterations, np.split(pictures[f"predictions/{name}"], len(iterations)), strict=True))
    depth = {name.removesuffix("-image"): pictures[name] for name in named["depth/"] if name.endswith("-image")}
    images = pictures["examples"].transpose(0, 3, 1, 2)
    return tables | {
        "confusion": pd.DataFrame(joined),
        "examples": Examples(tuple(found.about["examples"]), images, pictures["examples_truth"], course),
        "depth_examples": {
            name.removeprefix("depth/"): DepthExamples(
                shown.transpose(0, 3, 1, 2),
                *(pictures[f"{name}-{part}"] / _CENTIMETRES for part in ("truth", "prediction")),
            )
            for name, shown in depth.items()
        },
        "flow_examples": {name.removeprefix("flow/"): FlowExamples.of(of) for name, of in found.arrays.items()},
    }


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows in the study's order of initialisations, whatever order the folders were read in."""
    names = frame["initialisation"].astype("category").cat  # ranks few names: a confusion table has many rows
    rank = [(*INITIALISATIONS, name).index(name) for name in names.categories]
    return frame.iloc[np.argsort(np.take(rank, names.codes), kind="stable")].reset_index(drop=True)


_RUN = ["encoder", "initialisation", "setting", "images", "trial"]


def common_scores(confusion: pd.DataFrame, label_set: LabelSet) -> pd.DataFrame:
    """mIoU and accuracy of each run, fractions 0..1, over the images that every run of its encoder and setting was
    validated on, which `validation` counts.

    A larger training set leaves fewer images for validation, so sizes compare fairly on these alone.
    """
    peers = ["encoder", "setting"]
    seen = confusion[[*_RUN, "image"]].drop_duplicates()
    runs = seen[_RUN].drop_duplicates().groupby(peers, observed=True).size().rename("runs")
    times = seen.groupby([*peers, "image"], observed=True).size().rename("times").reset_index()
    joined = times.merge(runs.reset_index(), on=peers)
    common = joined.loc[joined["times"] == joined["runs"], [*peers, "image"]]
    count = common.groupby(peers, observed=True).size().rename("validation").reset_index()
    cells = confusion.merge(common, on=[*peers, "image"])
    summed = cells.groupby([*_RUN, "truth", "prediction"], observed=True, sort=False)["count"].sum().reset_index()
    rows = []
    for run, part in summed.groupby(_RUN, observed=True, sort=False):
        matrix = np.zeros((len(label_set.classes),) * 2, np.int64)  # [truth, prediction]
        cell = tuple(pd.Categorical(part[column], label_set.classes).codes for column in ("truth", "prediction"))
        np.add.at(matrix, cell, part["count"].to_numpy(np.int64))
        miou = (metrics.miou(matrix, classes) for classes in (metrics.occurring(matrix), label_set.representative))
        rows.append((*run, *miou, metrics.accuracy(matrix)))
    return pd.DataFrame(rows, columns=[*_RUN, "miou_occurring", "miou_seven", "accuracy"]).merge(count, on=peers)
