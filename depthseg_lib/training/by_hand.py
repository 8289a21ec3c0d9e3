"""Runs by hand: each set of settings has a folder of its own, so that no run replaces another."""

from pathlib import Path

from depthseg_lib import fingerprint
from depthseg_lib.errors import InputError
from depthseg_lib.files import project_path, read_json
from depthseg_lib.settings import PLACES, FinetuneConfig, Settings, pretrained_name

FOLDER = "runs/by-hand"
"""Where they are, from the project's root: a folder for each kind, and in there one for each set of settings."""
_NO_DIFFERENCE = {*PLACES, "fingerprint", "trial", "trials"}


def place(kind: str, config: Settings, folder: str | Path = "") -> Path:
    """The folder of a run of `kind` (pretrain or finetune): the one given, else its own below `FOLDER`.

    Raises `InputError` where the one given holds a finished run of another fingerprint. A run of a plan, whose settings
    have their fingerprint, may replace what is stale in its planned folder.
    """
    made = fingerprint.of(kind, config)
    if not folder:
        name = pretrained_name(config.encoder, config.initialisation)
        name += f"-{config.setting}-n{config.images}" if isinstance(config, FinetuneConfig) else ""
        return project_path(FOLDER) / kind / f"{name}-{made[:6]}"
    folder = project_path(folder)
    for part in () if config.fingerprint else (folder, *sorted(folder.glob("t*"))):
        if fingerprint.left_by(part) in ("", made):
            continue
        about = part / "environment.json"
        found = differing(read_json(about)["settings"], config.to_mapping()) if about.is_file() else {}
        said = ", ".join(f"{name} = {value!r}" for name, (value, _) in found.items())
        raise InputError(
            f"{part} holds a finished run {f'with {said}' if said else 'made by other code or from other weights'}, "
            'which this one would replace: expected its own folder; set folder = "", which gives each set of '
            "parameters one, or remove that run"
        )
    return folder


def differing(settings: dict, others: dict) -> dict[str, tuple]:
    """The settings that two runs have otherwise, as pairs of values by name; where files lie is none."""
    names = [name for name in settings if name not in _NO_DIFFERENCE and name in others]
    return {name: (settings[name], others[name]) for name in names if settings[name] != others[name]}
