"""Finished runs on disk: which of them belong to the profile as it is now."""

import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from depthseg_lib import fingerprint
from depthseg_lib.analysis import store
from depthseg_lib.data.labels import LabelSet, from_mapping
from depthseg_lib.errors import InputError
from depthseg_lib.files import PLAN, read_json

RUN = ("encoder", "initialisation", "setting", "images", "experiment", "trial")
"""Settings that tell one fine-tuning trial from another."""


@dataclass(frozen=True)
class RunFolder:
    """One finished pre-training run, or one finished trial of fine-tuning."""

    folder: Path
    """Where its files are."""
    parameters: dict
    """Its settings."""

    @property
    def name(self) -> str:
        """Its name in tables: that of the run's folder, and of a fine-tuning trial's."""
        name = self.folder.parent.name
        return f"{name}-{self.folder.name}" if "setting" in self.parameters else name

    @property
    def pretraining(self) -> int:
        """The trial of the pre-training that it starts from: 0 for what all share or is published, -1 for none."""
        if self.parameters["initialisation"] == "none":
            return -1
        found = re.fullmatch(r"t(\d+)", Path(self.parameters["start_weights"]).parent.name)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Found:
    """The finished runs of a plan."""

    plan: dict
    """The plan: what plan.json holds."""
    finetune: tuple[RunFolder, ...]
    """Trials of fine-tuning: those of the numbers that are `whole`, or all that are finished where none is."""
    pretrain: tuple[RunFolder, ...]
    """Pre-training runs."""
    asked: int
    """Trials of fine-tuning that were asked for, finished or not."""
    left_out: int
    """Finished ones of other settings, other code or other starting weights."""
    incomplete: dict[str, list[str]]
    """Finished ones by name of which files are missing or cut off, with those files."""
    whole: tuple[int, ...]
    """Numbers of the trials of which every run is finished."""
    begun: int
    """Finished runs of other trials, which are left out beside whole ones."""

    @property
    def sentence(self) -> str:
        """What is used, for the reader."""
        text = f"{len(self.finetune)} of {self.asked} fine-tuning trials of this machine"
        text += f"; {self.begun} of trials that are not whole yet left out" if self.begun else ""
        others = "with other settings than the plan's, or made by other code,"
        text += f"; {self.left_out} {others} left out" if self.left_out else ""
        cut = ", ".join(f"{name} ({', '.join(files)})" for name, files in self.incomplete.items())
        return text + (f"; left out because files are missing or cut off: {cut}" if cut else "")


def find(folder: Path) -> Found | None:
    """The finished runs under `folder` that are its plan's, by their fingerprints; None where there is no plan."""
    if not (folder / PLAN).is_file():
        return None
    plan = read_json(folder / PLAN)
    if "data" not in plan:  # of an earlier version, as its runs are
        return None
    asked: dict[str, list[RunFolder]] = {"pretrain": [], "finetune": []}
    for run in plan["runs"]:
        for number, own in enumerate(run["trials"]):
            place = folder / run["kind"] / run["name"] / f"t{number}"
            asked[run["kind"]].append(RunFolder(place, run["parameters"] | own | {"trial": number}))
    finished = [run for of in asked.values() for run in of if (run.folder / "metrics.json").is_file()]
    ours = [run for run in finished if fingerprint.left_by(run.folder) == run.parameters["fingerprint"]]
    cut = {run.name: lost for run in ours if (lost := fingerprint.missing(run.folder))}
    used = {kind: tuple(run for run in of if run in ours and run.name not in cut) for kind, of in asked.items()}
    others = len(finished) - len(ours)
    numbers = [[run.parameters["trial"] for run in of] for of in (asked["finetune"], used["finetune"])]
    whole = tuple(n for n in sorted(set(numbers[1])) if numbers[0].count(n) == numbers[1].count(n))
    chosen = tuple(run for run in used["finetune"] if run.parameters["trial"] in whole or not whole)
    begun = len(used["finetune"]) - len(chosen)
    return Found(plan, chosen, used["pretrain"], len(asked["finetune"]), others, cut, whole, begun)


@dataclass(frozen=True)
class Examples:
    """Validation images with truth and predictions."""

    indices: tuple[int, ...]
    """Their places in the annotated set."""
    images: np.ndarray
    """(K, 3, H, W) uint8 RGB."""
    truth: np.ndarray
    """(K, H, W) uint8 class indices, 255 for void."""
    course: dict[str, dict[int, np.ndarray]]
    """(K, H, W) uint8 class indices by run name and iteration, in rising order; the last is the result."""

    @cached_property
    def predictions(self) -> dict[str, np.ndarray]:
        """(K, H, W) uint8 class indices by run name, at the end of training."""
        return {name: of[max(of)] for name, of in self.course.items()}


@dataclass(frozen=True)
class DepthExamples:
    """Frames with true and predicted depth."""

    images: np.ndarray
    """(K, 3, H, W) uint8 RGB."""
    truth: np.ndarray
    """(K, H, W) metres, 0 without truth."""
    prediction: np.ndarray
    """(K, H, W) metres, after median scaling."""


@dataclass(frozen=True)
class FlowExamples:
    """Pairs of frames with predicted and exact flow."""

    images: np.ndarray
    """(K, 2, 3, H, W) uint8 RGB."""
    flow: np.ndarray
    """(K, 2, H, W) pixels, from the first frame to the second."""
    true_flow: np.ndarray | None
    """The same, exact; None where it is not known."""

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> "FlowExamples":
        """The examples that a flow run left in a file, or that are stored."""
        known = arrays["true_flow"].astype(np.float32) if "true_flow" in arrays else None
        return cls(arrays["images"], arrays["flow"].astype(np.float32), known)


def read(found: Found) -> dict:
    """The files of `found` as the tables and examples of `Results`; a broken file raises `InputError` with its path."""
    metrics = [_metrics(run) for run in found.finetune]
    history = [_read(run.folder / "history.parquet", pd.read_parquet) for run in found.finetune]
    # The main comparison, all at one image size: what every figure is drawn from.
    main = [run for run in found.finetune if run.parameters["experiment"] == "main"]
    if not main:
        folder = found.finetune[0].folder.parents[2]
        others = sorted({run.parameters["experiment"] for run in found.finetune})
        raise InputError(
            f"{folder}: no finished fine-tuning run is of the main comparison, which all figures need; found only "
            f"{', '.join(others)}: run `make figures PROFILE={folder.name}` again, it goes on where it stopped"
        )
    ended = [run for run, row in zip(found.finetune, metrics, strict=True) if np.isnan(row["diverged_at"])]
    first = min(run.parameters["trial"] for run in main)
    shown = [run for run in main if run.parameters["trial"] == first]
    # without any run, as where all weights are published ones, the columns that are asked for
    columns = None if found.pretrain else ["name", "encoder", "initialisation", "seconds"]
    courses = [_read(run.folder / "history.parquet", pd.read_parquet) for run in found.pretrain]
    depth, flow = (
        {run.name: _read(run.folder / file) for run in found.pretrain[::-1] if (run.folder / file).is_file()}
        for file in ("examples.npz", "flow_examples.npz")
    )
    return {
        "metrics": pd.DataFrame(metrics),
        "history": _rows(found.finetune, history),
        "confusion": _confusions([run for run in ended if run in main], from_mapping(found.plan["label_set"])),
        "pretrain": pd.DataFrame([_metrics(run) for run in found.pretrain], columns=columns),
        "pretrain_history": _rows(found.pretrain, courses) if courses else pd.DataFrame(columns=columns),
        "examples": _common_examples({run.name: _read(run.folder / "predictions.npz") for run in shown}),
        "depth_examples": {n: DepthExamples(of["images"], of["truth"], of["prediction"]) for n, of in depth.items()},
        "flow_examples": {name: FlowExamples.of(arrays) for name, arrays in flow.items()},
    }


def _identity(run: RunFolder) -> dict:
    """Its name, and what tells it from others: of a pre-training encoder, initialisation and trial."""
    return {"name": run.name} | {name: run.parameters[name] for name in RUN if name in run.parameters}


def _metrics(run: RunFolder) -> dict:
    """A row of the table of runs: identity, plain metrics, and how it was made."""
    values = read_json(run.folder / "metrics.json")
    plain = {name: np.nan if value is None else value for name, value in values.items() if not isinstance(value, dict)}
    if not np.isnan(plain["diverged_at"]):  # its last evaluation is no final result
        plain |= {name: np.nan for name, value in plain.items() if isinstance(value, float)}
    path = run.folder / "environment.json"
    environment = read_json(path) if path.is_file() else {}
    made = {name: str(environment.get(name, "unknown")) for name in ("commit", "device")}
    started = {"pretraining": run.pretraining if "setting" in run.parameters else run.parameters["trial"]}
    return _identity(run) | started | plain | made | {"seconds": environment.get("seconds", np.nan)}


def _rows(runs: Sequence[RunFolder], frames: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of the runs' frames under one another, each with its run's identity before it."""
    identity = pd.DataFrame([_identity(run) for run in runs])
    repeated = identity.loc[np.repeat(identity.index, [len(frame) for frame in frames])].reset_index(drop=True)
    return pd.concat([repeated, pd.concat(frames, ignore_index=True)], axis=1)


def _confusions(runs: list[RunFolder], label_set: LabelSet) -> pd.DataFrame:
    """The filled cells of all images' matrices, with names as categories; columns alone without any run."""
    if not runs:
        return pd.DataFrame(columns=[*RUN, "image", "truth", "prediction", "count"])
    classes, frames = list(label_set.classes), []
    for run in runs:
        path = run.folder / "confusion.npz"
        matrices = (arrays := _read(path))["images"]
        if matrices.shape[1:] != (len(classes),) * 2 or len(matrices) != len(arrays["names"]):
            raise InputError(
                f"{path}: confusion matrices of shape {matrices.shape} for {len(arrays['names'])} images, expected "
                f"{len(classes)} classes of {label_set.name}: remove this run's folder and run it again"
            )
        image, truth, prediction = np.nonzero(matrices)
        cells = {
            "image": pd.Categorical.from_codes(image, [str(name) for name in arrays["names"]]),
            "truth": pd.Categorical.from_codes(truth, classes),
            "prediction": pd.Categorical.from_codes(prediction, classes),
            "count": matrices[image, truth, prediction].astype(np.uint32),
        }
        frames.append(pd.DataFrame(cells))
    images = sorted(set().union(*(frame["image"].cat.categories for frame in frames)))
    table = _rows(runs, [of.assign(image=of["image"].cat.set_categories(images)) for of in frames]).drop(columns="name")
    texts = ("encoder", "initialisation", "setting", "experiment")
    return table.assign(**{name: pd.Categorical(table[name], table[name].unique()) for name in texts})


def _common_examples(runs: dict[str, dict]) -> Examples:
    """The example images that all runs predicted, in the first run's order."""
    first = next(iter(runs.values()))
    places = {name: {int(index): row for row, index in enumerate(of["indices"])} for name, of in runs.items()}
    common = [int(index) for index in first["indices"] if all(int(index) in of for of in places.values())]
    course = {}
    for name, of in places.items():
        chosen, iterations = [of[index] for index in common], runs[name]["iterations"].tolist()
        course[name] = dict(zip(iterations, runs[name]["predictions"][:, chosen], strict=True))
    rows = [next(iter(places.values()))[index] for index in common]
    return Examples(tuple(common), first["images"][rows], first["truth"][rows], course)


def _read(path: Path, load: Callable = store.read_arrays):
    """What `load` reads from a run's file."""
    try:
        return load(path)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read ({error}): remove this run's folder and run it again") from error
