"""Tidy results of a profile: from this machine's runs where it has finished ones, else from the committed ones."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from depthseg_lib.analysis import runs as run_folders
from depthseg_lib.analysis import store
from depthseg_lib.analysis.contents import Contents, DepthExamples, Examples, FlowExamples, restored, stored
from depthseg_lib.data.labels import LabelSet, from_mapping, to_mapping
from depthseg_lib.errors import InputError
from depthseg_lib.files import PLAN, project_path, read_json, write_json
from depthseg_lib.losses import metrics
from depthseg_lib.settings import APART, INITIALISATIONS

IDS = run_folders.RUN
"""Columns that tell one fine-tuning run from another."""
DATA = {
    "streets": "embedded street world",
    "kitti": "KITTI",
    "nyu": "NYU-V2",
    "cityscapes": "Cityscapes",
}
"""How figures name a data set; a user's own has its own name."""


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
    """A row per fine-tuning run: name, `IDS`, the last evaluation's metrics, diverged_at, commit, device."""
    history: pd.DataFrame
    """A row per evaluation: name, `IDS`, iteration, train_loss and the metrics."""
    confusion: pd.DataFrame
    """A row per filled cell of an image's confusion matrix: `IDS`, image, truth, prediction, count of pixels; of the
    experiment `main` alone."""
    pretrain: pd.DataFrame
    """A row per pre-training run: name, encoder, initialisation and its metrics."""
    examples: Examples
    """A few validation images with their truth, and what the first trial of every run of `main` predicted for them."""
    depth_examples: dict[str, DepthExamples]
    """By name of the depth run: frames with true and predicted depth."""
    flow_examples: dict[str, FlowExamples]
    """By name of the flow run: pairs of frames with exact and predicted flow."""
    plan: dict
    """The study's plan: what plan.json holds."""
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
        names = list(self.metrics["initialisation"].unique())
        compared = [name for name in names if name not in APART or "depth" not in names]
        return self.select(experiment="main", initialisation=compared)

    def has(self, **wanted) -> bool:
        """Whether any fine-tuning run has these values; as in `select`."""
        try:
            self.select(**wanted)
        except InputError:
            return False
        return True

    def select(self, **wanted) -> "Results":
        """Only the fine-tuning runs whose columns have these values, such as `select(setting="full", images=16)`.

        A list holds several values to choose from. Raises `InputError` when there is no such run.
        """
        frames = {"metrics": self.metrics, "history": self.history, "confusion": self.confusion}
        for column, value in wanted.items():
            values = list(value) if isinstance(value, list | tuple) else [value]
            frames = {name: frame[frame[column].isin(values)] for name, frame in frames.items()}
        if frames["metrics"].empty:
            raise InputError(f"no finished run of profile '{self.profile}' has {wanted}: {self.source}")
        return replace(self, **frames)


def load(profile: str, runs: str | Path = "runs", figures: str | Path = "") -> Results:
    """Results of `profile` from `runs/<profile>/`, else the committed ones from `<figures>/data/`.

    `figures` is the profile's figure folder, `figures/<profile>` when empty. Runs whose settings are not those of the
    profile today are left out, and `source` says so. Raises `InputError`, saying what to run, when there is neither.
    """
    folder = project_path(runs) / profile
    committed = project_path(figures or f"figures/{profile}") / "data"
    found = run_folders.find(folder)
    complete = bool(found and found.finetune) and len(found.finetune) == found.asked
    if complete or (found and found.finetune and not store.exists(committed)):
        own = _tidy(profile, found.sentence, run_folders.read(found), found.plan, here=True)
        return replace(own, complete=complete)
    if store.exists(committed):
        aside = f"; {found.sentence}: too few to take their place" if found and found.finetune else ""
        source = f"committed results under {'/'.join(committed.parts[-3:])}{aside}"
        contents, plan = restored(store.read(committed, profile)), read_json(committed / PLAN)
        return _tidy(profile, source, contents, plan, here=False)
    raise InputError(
        f"profile '{profile}' has no finished fine-tuning run under {folder} and no committed results under "
        f"{committed}: run `make figures PROFILE={profile}` first"
    )


def save(results: Results, folder: str | Path) -> None:
    """Write the tidy results and their plan as small files, so that `load` finds them without any run."""
    about = {"profile": results.profile, "data_set": results.data_set, "label_set": to_mapping(results.label_set)}
    frames = {name: getattr(results, name) for name in ("metrics", "history", "confusion", "pretrain")}
    contents = Contents(about, frames, results.examples, results.depth_examples, results.flow_examples)
    store.write(project_path(folder), stored(contents))
    write_json(project_path(folder) / PLAN, results.plan)


def _tidy(profile: str, source: str, contents: Contents, plan: dict, here: bool) -> Results:
    return Results(
        profile,
        source,
        here,
        contents.about["data_set"],
        from_mapping(contents.about["label_set"]),
        **{name: _ordered(frame) for name, frame in contents.frames.items()},
        examples=contents.examples,
        depth_examples=contents.depth_examples,
        flow_examples=contents.flow_examples,
        plan=plan,
    )


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows in the study's order of initialisations, whatever order the folders were read in."""
    if frame.empty:
        return frame
    names = frame["initialisation"].astype("category").cat  # ranks few names: a confusion table has many rows
    rank = [
        INITIALISATIONS.index(name) if name in INITIALISATIONS else len(INITIALISATIONS) for name in names.categories
    ]
    return frame.iloc[np.argsort(np.take(rank, names.codes), kind="stable")].reset_index(drop=True)


_RUN = ["encoder", "initialisation", "setting", "images", "trial"]
_PEERS = ["encoder", "setting"]


def common_images(confusion: pd.DataFrame) -> pd.DataFrame:
    """The images that every run of an encoder and setting was validated on: encoder, setting, image.

    A larger training set leaves fewer images for validation, so sizes compare fairly on these alone.
    """
    seen = confusion[[*_RUN, "image"]].drop_duplicates()
    runs = seen[_RUN].drop_duplicates().groupby(_PEERS, observed=True).size().rename("runs")
    times = seen.groupby([*_PEERS, "image"], observed=True).size().rename("times").reset_index()
    joined = times.merge(runs.reset_index(), on=_PEERS)
    return joined.loc[joined["times"] == joined["runs"], [*_PEERS, "image"]].reset_index(drop=True)


def common_scores(confusion: pd.DataFrame, label_set: LabelSet) -> pd.DataFrame:
    """mIoU and accuracy of each run over `common_images`, fractions 0..1; `validation` counts the images."""
    common = common_images(confusion)
    count = common.groupby(_PEERS, observed=True).size().rename("validation").reset_index()
    cells = confusion.merge(common, on=[*_PEERS, "image"])
    summed = cells.groupby([*_RUN, "truth", "prediction"], observed=True, sort=False)["count"].sum().reset_index()
    rows = []
    for run, part in summed.groupby(_RUN, observed=True, sort=False):
        matrix = _matrix(part, label_set)
        seven = metrics.miou(matrix, label_set.representative)
        rows.append((*run, metrics.miou(matrix), seven, metrics.accuracy(matrix)))
    return pd.DataFrame(rows, columns=[*_RUN, "miou", "miou_seven", "accuracy"]).merge(count, on=_PEERS)


def _matrix(cells: pd.DataFrame, label_set: LabelSet) -> np.ndarray:
    """One (C, C) matrix [truth, prediction] from its filled cells."""
    matrix = np.zeros((len(label_set.classes),) * 2, np.int64)
    cell = tuple(pd.Categorical(cells[column], label_set.classes).codes for column in ("truth", "prediction"))
    np.add.at(matrix, cell, cells["count"].to_numpy(np.int64))
    return matrix
