"""Finished runs on disk: which of them belong to the profile as it is now."""

import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from depthseg_lib import fingerprint
from depthseg_lib.analysis.contents import Contents, DepthExamples, Examples, FlowExamples, flow_examples
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
        """Its name in tables: that of the run's folder, and of the trial's."""
        trial = "trial" in self.parameters
        return f"{self.folder.parent.name}-{self.folder.name}" if trial else self.folder.name


@dataclass(frozen=True)
class Found:
    """The finished runs of a plan."""

    plan: dict
    """The plan: what plan.json holds."""
    finetune: tuple[RunFolder, ...]
    """Trials of fine-tuning."""
    pretrain: tuple[RunFolder, ...]
    """Pre-training runs."""
    asked: int
    """Trials of fine-tuning that were asked for, finished or not."""
    left_out: int
    """Finished ones of other settings, other code or other starting weights."""

    @property
    def sentence(self) -> str:
        """What is used, for the reader."""
        text = f"{len(self.finetune)} of {self.asked} fine-tuning trials of this machine"
        others = "with other settings than the plan's, or made by other code,"
        return text + (f"; {self.left_out} {others} left out" if self.left_out else "")


def find(folder: Path) -> Found | None:
    """The finished runs under `folder` that are those of its plan, by their fingerprints; None where there is no plan."""
    if not (folder / PLAN).is_file():
        return None
    plan = read_json(folder / PLAN)
    asked: dict[str, list[RunFolder]] = {"pretrain": [], "finetune": []}
    for run in plan["runs"]:
        place, settings = folder / run["kind"] / run["name"], dict(run["parameters"])
        trials = settings.pop("trials", None)
        each = [RunFolder(place / f"t{n}", settings | {"trial": n}) for n in range(trials or 0)]
        asked[run["kind"]] += [RunFolder(place, settings)] if trials is None else each
    left = {kind: [(run, fingerprint.left_by(run.folder)) for run in of] for kind, of in asked.items()}
    used = {kind: tuple(run for run, by in of if by == run.parameters["fingerprint"]) for kind, of in left.items()}
    finished = sum((run.folder / "metrics.json").is_file() for of in asked.values() for run in of)
    others = finished - len(used["finetune"]) - len(used["pretrain"])
    return Found(plan, used["finetune"], used["pretrain"], len(asked["finetune"]), others)


_NAMES = ("encoder", "initialisation", "setting", "experiment")
"""Columns of few texts."""


def read(found: Found) -> Contents:
    """The files of `found` as tidy tables; a broken file raises `InputError` with its path."""
    metrics = [_metrics(run) for run in found.finetune]
    history = [_labelled(run, _parquet(run.folder / "history.parquet")) for run in found.finetune]
    ended = [run for run, row in zip(found.finetune, metrics, strict=True) if np.isnan(row["diverged_at"])]
    main, label_set = _main(found), from_mapping(found.plan["label_set"])
    first = min(run.parameters["trial"] for run in main)
    shown = [run for run in main if run.parameters["trial"] == first]
    predictions = {run.name: _arrays(run.folder / "predictions.npz") for run in shown}
    about = {"profile": found.plan["profile"], "data_set": found.plan["data_set"], "label_set": found.plan["label_set"]}
    frames = {
        "metrics": pd.DataFrame(metrics),
        "history": pd.concat(history, ignore_index=True),
        "confusion": _joined([_confusion(run, label_set) for run in ended if run in main]),
        "pretrain": _pretraining(found),
    }
    return Contents(about, frames, _common_examples(predictions), _depth_examples(found), _flow_examples(found))


def _main(found: Found) -> list[RunFolder]:
    """The runs of the main comparison, all at one image size: what every figure is drawn from."""
    main = [run for run in found.finetune if run.parameters["experiment"] == "main"]
    if not main:
        folder = found.finetune[0].folder.parents[2]
        others = sorted({run.parameters["experiment"] for run in found.finetune})
        raise InputError(
            f"{folder}: no finished fine-tuning run is of the main comparison, which all figures need; found only "
            f"{', '.join(others)}: run `make figures PROFILE={folder.name}` again, it goes on where it stopped"
        )
    return main


def _identity(run: RunFolder) -> dict:
    return {"name": run.name} | {name: run.parameters[name] for name in RUN}


def _provenance(run: RunFolder) -> dict:
    path = run.folder / "environment.json"
    environment = read_json(path) if path.is_file() else {}
    texts = {name: str(environment.get(name, "unknown")) for name in ("commit", "device")}
    return texts | {"seconds": environment.get("seconds", np.nan)}


def _metrics(run: RunFolder) -> dict:
    values = read_json(run.folder / "metrics.json")
    plain = {name: np.nan if value is None else value for name, value in values.items() if not isinstance(value, dict)}
    if not np.isnan(plain["diverged_at"]):  # its last evaluation is no final result
        plain |= {name: np.nan for name in plain if name not in ("fingerprint", "diverged_at", "iteration")}
    return _identity(run) | plain | _provenance(run)


def _pretraining(found: Found) -> pd.DataFrame:
    """A row per run; without any, as where all weights are published ones, the columns that are asked for."""
    rows = [_pretrain_metrics(run) for run in found.pretrain]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["name", "encoder", "initialisation", "seconds"])


def _pretrain_metrics(run: RunFolder) -> dict:
    values = read_json(run.folder / "metrics.json")
    plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
    if plain.get("diverged_at") is not None:  # its last evaluation is no final result
        plain |= {n: np.nan for n, v in plain.items() if isinstance(v, float)}
    identity = {"name": run.name, "encoder": run.parameters["encoder"]}
    return identity | {"initialisation": run.parameters["initialisation"]} | plain | _provenance(run)


def _labelled(run: RunFolder, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**_identity(run))[["name", *RUN, *frame.columns]]


def _confusion(run: RunFolder, label_set: LabelSet) -> pd.DataFrame:
    """The filled cells of a run's matrices."""
    path = run.folder / "confusion.npz"
    arrays = _arrays(path)
    matrices, classes = arrays["images"], list(label_set.classes)
    if matrices.shape[1:] != (len(classes),) * 2 or len(matrices) != len(arrays["names"]):
        raise InputError(
            f"{path}: confusion matrices of shape {matrices.shape} for {len(arrays['names'])} images, expected "
            f"{len(classes)} classes of {label_set.name}: remove this run's folder and run it again"
        )
    image, truth, prediction = np.nonzero(matrices)
    cells = pd.DataFrame(
        {
            "image": pd.Categorical.from_codes(image, [str(name) for name in arrays["names"]]),
            "truth": pd.Categorical.from_codes(truth, classes),
            "prediction": pd.Categorical.from_codes(prediction, classes),
            "count": matrices[image, truth, prediction].astype(np.uint32),
        }
    )
    identity = {name: value for name, value in _identity(run).items() if name != "name"}
    return cells.assign(**identity)[[*RUN, *cells.columns]]


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """One table with one set of categories, so that names stay small integers; without any frame, only its columns."""
    if not frames:
        return pd.DataFrame(columns=[*RUN, "image", "truth", "prediction", "count"])
    images = sorted(set().union(*(frame["image"].cat.categories for frame in frames)))
    kinds = {name: list(dict.fromkeys(frame[name].iloc[0] for frame in frames)) for name in _NAMES}
    same = [
        frame.assign(
            image=frame["image"].cat.set_categories(images),
            **{name: pd.Categorical(frame[name], categories) for name, categories in kinds.items()},
        )
        for frame in frames
    ]
    return pd.concat(same, ignore_index=True)


def _common_examples(runs: dict[str, dict]) -> Examples:
    """The example images that all runs predicted, in the first run's order."""
    first = next(iter(runs.values()))
    seen = Counter(int(index) for arrays in runs.values() for index in arrays["indices"])
    common = [int(index) for index in first["indices"] if seen[int(index)] == len(runs)]
    kept = {name: _rows(arrays["indices"], common) for name, arrays in runs.items()}
    predictions = {name: runs[name]["predictions"][rows] for name, rows in kept.items()}
    rows = next(iter(kept.values()))
    return Examples(tuple(common), first["images"][rows], first["truth"][rows], predictions)


def _rows(indices: np.ndarray, wanted: list[int]) -> list[int]:
    position = {int(index): row for row, index in enumerate(indices)}
    return [position[index] for index in wanted]


def _depth_examples(found: Found) -> dict[str, DepthExamples]:
    paths = {run.name: run.folder / "examples.npz" for run in found.pretrain}
    loaded = {name: _arrays(path) for name, path in paths.items() if path.is_file()}
    return {name: DepthExamples(a["images"], a["truth"], a["prediction"]) for name, a in loaded.items()}


def _flow_examples(found: Found) -> dict[str, FlowExamples]:
    paths = {run.name: run.folder / "flow_examples.npz" for run in found.pretrain}
    return {name: flow_examples(_arrays(path)) for name, path in paths.items() if path.is_file()}


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file) as archive:
            return dict(archive)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read ({error}): remove this run's folder and run it again") from error


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): remove this run's folder and run it again") from error
