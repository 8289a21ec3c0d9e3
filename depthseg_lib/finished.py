"""Finished runs on disk: which of them belong to the profile as it is now."""

from dataclasses import dataclass
from pathlib import Path

from depthseg_lib import identity
from depthseg_lib.config import PLACES, TRAINED_HERE, FinetuneConfig, PretrainConfig, Settings
from depthseg_lib.files import read_json
from depthseg_lib.profiles import Profile, finetune_config, pretrain_config

RUN = ("encoder", "initialisation", "setting", "images", "trial")
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


def find(folder: Path, profile: Profile) -> Found:
    """The finished runs under `folder` that the profile would make today; no others stand in its figures.

    Settings, starting weights and the code that made them must be the same: what `identity.digest` says.
    """
    everything = {"pretrain": _requests(folder / "pretrain"), "finetune": _trials(_requests(folder / "finetune"))}
    fits = {
        "pretrain": [run for run in everything["pretrain"] if _is_pretraining_of(profile, run)],
        "finetune": [run for run in everything["finetune"] if _is_finetuning_of(profile, run)],
    }
    used = {kind: tuple(run for run in of if _is_current(kind, run)) for kind, of in fits.items()}
    finished = sum((run.folder / "metrics.json").is_file() for of in everything.values() for run in of)
    left_out = finished - len(used["finetune"]) - len(used["pretrain"])
    return Found(used["finetune"], used["pretrain"], len(fits["finetune"]), left_out)


def _requests(folder: Path) -> list[RunFolder]:
    return [RunFolder(path.parent, read_json(path)) for path in sorted(folder.glob("*/params.json"))]


def _trials(requests: list[RunFolder]) -> list[RunFolder]:
    trials = []
    for run in requests:
        shared = {name: value for name, value in run.parameters.items() if name != "trials"}
        numbers = range(run.parameters.get("trials", 0))
        trials += [RunFolder(run.folder / f"t{number}", shared | {"trial": number}) for number in numbers]
    return trials


def _is_current(kind: str, run: RunFolder) -> bool:
    config = (PretrainConfig if kind == "pretrain" else FinetuneConfig).from_mapping(run.parameters)
    return identity.is_finished(run.folder, identity.digest(kind, config))


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
    aside = (*PLACES, "data_digest")  # the profile alone does not know the data
    wanted, found = (
        {k: v for k, v in values.items() if k not in aside} for values in (config.to_mapping(), run.parameters)
    )
    return wanted == found
