"""Finished runs on disk: which of them belong to the profile as it is now."""

from dataclasses import dataclass
from pathlib import Path

from depthseg_lib import fingerprint
from depthseg_lib.files import read_json
from depthseg_lib.models.published import ENCODERS, Published
from depthseg_lib.settings import PLACES, TRAINED_HERE, FinetuneConfig, PretrainConfig
from depthseg_lib.study import plan

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
    """The finished runs of a profile as it is now."""

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
        others = "with other settings than the profile's, or made by other code,"
        return text + (f"; {self.left_out} {others} left out" if self.left_out else "")


def find(folder: Path, profile: str) -> Found:
    """The finished runs under `folder` that the profile would make today; no others stand in its figures.

    Settings, starting weights and the code that made them must be the same: what `identity.digest` says.
    """
    everything = {kind: _requests(folder / kind) for kind in ("pretrain", "finetune")}
    runs = plan.plan(profile, runs=str(folder.parent), published=_published(everything["finetune"])).runs
    planned = {(run.kind, run.name): _compared(run.parameters) for run in runs}
    fits = {
        kind: [run for run in of if planned.get((kind, run.folder.name)) == _compared(run.parameters)]
        for kind, of in everything.items()
    }
    asked, fit = ({**of, "finetune": _trials(of["finetune"])} for of in (everything, fits))
    used = {kind: tuple(run for run in of if _is_current(kind, run)) for kind, of in fit.items()}
    finished = sum((run.folder / "metrics.json").is_file() for of in asked.values() for run in of)
    left_out = finished - len(used["finetune"]) - len(used["pretrain"])
    return Found(used["finetune"], used["pretrain"], len(fit["finetune"]), left_out)


def _requests(folder: Path) -> list[RunFolder]:
    return [RunFolder(path.parent, read_json(path)) for path in sorted(folder.glob("*/params.json"))]


def _published(requests: list[RunFolder]) -> Published:
    """The published weights that the runs start from, which are in other files than those of a pre-training run."""
    starts = [(run.parameters.get("initialisation"), run.parameters.get("start_weights", "")) for run in requests]
    return Published({name: start for name, start in starts if name in ENCODERS and not _is_own(name, start)})


def _is_own(initialisation: str, start: str) -> bool:
    return initialisation in TRAINED_HERE and Path(start).name == "weights.safetensors"


def _trials(requests: list[RunFolder]) -> list[RunFolder]:
    trials = []
    for run in requests:
        shared = {name: value for name, value in run.parameters.items() if name != "trials"}
        numbers = range(run.parameters.get("trials", 0))
        trials += [RunFolder(run.folder / f"t{number}", shared | {"trial": number}) for number in numbers]
    return trials


def _is_current(kind: str, run: RunFolder) -> bool:
    config = (PretrainConfig if kind == "pretrain" else FinetuneConfig).from_mapping(run.parameters)
    return fingerprint.is_finished(run.folder, fingerprint.digest(kind, config))


def _compared(parameters: dict) -> dict:
    """What must be the same; the profile alone does not know where files lie, nor what is in the folders of data."""
    left_out = (*PLACES, "data_digest", "photographs_digest", "trials")
    return {name: value for name, value in parameters.items() if name not in left_out}
