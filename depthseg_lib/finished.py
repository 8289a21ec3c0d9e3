"""Finished runs on disk: which of them belong to the profile as it is now."""

from dataclasses import dataclass
from pathlib import Path

from depthseg_lib.config import TRAINED_HERE, Settings
from depthseg_lib.files import read_json
from depthseg_lib.profiles import Profile, finetune_config, pretrain_config

RUN = ("encoder", "initialisation", "setting", "images", "trial")
"""Settings that tell one fine-tuning run from another; `name` joins them as the run's folder does."""
_PLACES = ("start_weights", "data_folder")
"""Settings that say where files are: they differ between machines and change no result."""


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
    wanted, found = (
        {k: v for k, v in values.items() if k not in _PLACES} for values in (config.to_mapping(), run.parameters)
    )
    return wanted == found
