"""Finished runs on disk: which of them belong to the profile as it is now, and their files as tidy tables."""

import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from depthseg_lib.config import TRAINED_HERE, Settings
from depthseg_lib.data.labels import CAMVID, KITTI
from depthseg_lib.errors import InputError
from depthseg_lib.files import read_json
from depthseg_lib.profiles import Profile, finetune_config, pretrain_config
from depthseg_lib.stored import Contents, DepthExamples, Examples

RUN = ("encoder", "initialisation", "setting", "images", "trial")
_PLACES = ("start_weights", "data_folder")
"""Settings that say where files are: they differ between machines and change no result."""
LABEL_SETS = {"streets": KITTI, "camvid": CAMVID}


@dataclass(frozen=True)
class RunFolder:
    """One finished run."""

    folder: Path
    """Where its files are."""
    parameters: dict
    """Its params.json."""


@dataclass(frozen=True)
class Found:
    """The finished runs of a profile as it is now."""

    finetune: tuple[RunFolder, ...]
    """Fine-tuning runs."""
    pretrain: tuple[RunFolder, ...]
    """Pre-training runs."""
    asked: int
    """Fine-tuning runs that were asked for, finished or not."""
    left_out: int
    """Finished runs of other settings, or older than their request."""

    @property
    def sentence(self) -> str:
        """What is used, for the reader."""
        text = f"{len(self.finetune)} of {self.asked} fine-tuning runs of this machine"
        return text + (f"; {self.left_out} with other settings than the profile's left out" if self.left_out else "")


def find(folder: Path, profile: Profile) -> Found:
    """The finished runs under `folder` whose settings are those of `profile` today; no others stand in its figures.

    A run whose params.json is newer than its metrics is out of date: its request is for other numbers.
    """
    asked = {kind: _requests(folder / kind) for kind in ("finetune", "pretrain")}
    fits = {
        "finetune": [run for run in asked["finetune"] if _is_finetuning_of(profile, run)],
        "pretrain": [run for run in asked["pretrain"] if _is_pretraining_of(profile, run)],
    }
    used = {kind: tuple(run for run in runs if _is_finished(run.folder)) for kind, runs in fits.items()}
    finished = sum((run.folder / "metrics.json").is_file() for runs in asked.values() for run in runs)
    left_out = finished - len(used["finetune"]) - len(used["pretrain"])
    return Found(used["finetune"], used["pretrain"], len(fits["finetune"]), left_out)


def read(found: Found) -> Contents:
    """The files of `found` as tidy tables; a broken file raises `InputError` with its path."""
    metrics, history, confusion, predictions = [], [], [], {}
    for run in found.finetune:
        metrics.append(_metrics(run))
        history.append(_labelled(run, _parquet(run.folder / "history.parquet")))
        confusion.append(_confusion(run, diverged=metrics[-1]["diverged_at"]))
        predictions[run.folder.name] = _arrays(run.folder / "predictions.npz")
    data_set = found.finetune[0].parameters.get("data_set", "streets")
    about = {"profile": found.finetune[0].folder.parent.parent.name, "data_set": data_set,
             "label_set": LABEL_SETS[data_set].name}  # fmt: skip
    frames = {
        "metrics": pd.DataFrame(metrics),
        "history": pd.concat(history, ignore_index=True),
        "confusion": pd.concat(_same_categories(confusion), ignore_index=True),
        "pretrain": pd.DataFrame([_pretrain_metrics(run) for run in found.pretrain]),
    }
    return Contents(about, frames, _common_examples(predictions), _depth_examples(found))


def _requests(folder: Path) -> list[RunFolder]:
    return [RunFolder(path.parent, read_json(path)) for path in sorted(folder.glob("*/params.json"))]


def _is_finished(folder: Path) -> bool:
    request, result = folder / "params.json", folder / "metrics.json"
    return result.is_file() and result.stat().st_mtime >= request.stat().st_mtime


def _is_finetuning_of(profile: Profile, run: RunFolder) -> bool:
    """ImageNet's initialisations fit too: they come in with the weights that the user gives."""
    if any(name not in run.parameters for name in RUN):
        return False
    chosen = {name: run.parameters[name] for name in RUN}
    in_grid = chosen["images"] == profile.images or (chosen["setting"] == "full" and chosen["images"] in profile.sizes)
    in_grid &= chosen["encoder"] in profile.encoders and chosen["setting"] in profile.settings
    return in_grid and chosen["trial"] < profile.trials and _same(finetune_config(profile, **chosen), run)


def _is_pretraining_of(profile: Profile, run: RunFolder) -> bool:
    encoder, initialisation = run.parameters.get("encoder"), run.parameters.get("initialisation")
    if encoder not in profile.encoders or initialisation not in TRAINED_HERE:
        return False
    return _same(pretrain_config(profile, encoder, initialisation, ""), run)


def _same(config: Settings, run: RunFolder) -> bool:
    wanted, found = ({k: v for k, v in values.items() if k not in _PLACES} for values in (config.to_mapping(), run.parameters))
    return wanted == found


def _identity(run: RunFolder) -> dict:
    return {"name": run.folder.name} | {name: run.parameters[name] for name in RUN}


def _provenance(run: RunFolder) -> dict:
    path = run.folder / "environment.json"
    environment = read_json(path) if path.is_file() else {}
    return {name: str(environment.get(name, "unknown")) for name in ("commit", "device")}


def _metrics(run: RunFolder) -> dict:
    values = read_json(run.folder / "metrics.json")
    plain = {name: np.nan if value is None else value for name, value in values.items() if not isinstance(value, dict)}
    if not np.isnan(plain["diverged_at"]):  # its last evaluation is no final result
        plain |= {name: np.nan for name in plain if name not in ("diverged_at", "iteration")}
    return _identity(run) | plain | _provenance(run)


def _pretrain_metrics(run: RunFolder) -> dict:
    values = read_json(run.folder / "metrics.json")
    plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
    identity = {"name": run.folder.name, "encoder": run.parameters["encoder"]}
    return identity | {"initialisation": run.parameters["initialisation"]} | plain | _provenance(run)


def _labelled(run: RunFolder, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**_identity(run))[["name", *RUN, *frame.columns]]


def _confusion(run: RunFolder, diverged: float) -> pd.DataFrame:
    """The filled cells of a run's matrices; none of a diverged run."""
    path, label_set = run.folder / "confusion.npz", LABEL_SETS[run.parameters.get("data_set", "streets")]
    arrays = _arrays(path)
    matrices, classes = arrays["images"], list(label_set.classes)
    if matrices.shape[1:] != (len(classes),) * 2 or len(matrices) != len(arrays["names"]):
        raise InputError(
            f"{path}: confusion matrices of shape {matrices.shape} for {len(arrays['names'])} images, expected "
            f"{len(classes)} classes of {label_set.name}: remove this run's folder and run it again"
        )
    image, truth, prediction = np.nonzero(matrices if np.isnan(diverged) else matrices[:0])
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


def _same_categories(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """One set of categories for all, so that joining keeps them as small integers."""
    images = sorted(set().union(*(frame["image"].cat.categories for frame in frames)))
    kinds = {name: list(dict.fromkeys(value for frame in frames for value in frame[name].unique())) for name in RUN[:3]}
    return [
        frame.assign(
            image=frame["image"].cat.set_categories(images),
            **{name: pd.Categorical(frame[name], categories) for name, categories in kinds.items()},
        )
        for frame in frames
    ]


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
    paths = {run.folder.name: run.folder / "examples.npz" for run in found.pretrain}
    loaded = {name: _arrays(path) for name, path in paths.items() if path.is_file()}
    return {name: DepthExamples(a["images"], a["truth"], a["prediction"]) for name, a in loaded.items()}


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
