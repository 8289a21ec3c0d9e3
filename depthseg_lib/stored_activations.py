"""The stored form of activations: a parquet table, an npz of small uint8 maps, and a json that says whose they are."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from depthseg_lib.config import STUDY_VERSION
from depthseg_lib.errors import InputError
from depthseg_lib.files import read_json, replacing, write_json

Maps = dict[str, dict[str, np.ndarray]]
"""By run name and layer: K h w uint8."""
SHARES = ("energy", "area", "edges")
"""Columns of the table that are stored with 32 bits."""


def exists(folder: Path) -> bool:
    """Whether `folder` holds activations; about.json is written last."""
    return (folder / "about.json").is_file()


def is_made_from(folder: Path, made_from: dict) -> bool:
    """Whether `folder` holds activations that were computed from exactly this."""
    return exists(folder) and read_json(folder / "about.json").get("made_from") == made_from


def write(folder: Path, profile: str, scores: pd.DataFrame, maps: Maps, made_from: dict) -> None:
    """Write scores and maps of a profile, and what they were made from."""
    (folder / "about.json").unlink(missing_ok=True)
    words = {name: "category" for name in scores if not is_numeric_dtype(scores[name])}
    small = scores.astype(words | dict.fromkeys(SHARES, np.float32))
    with replacing(folder / "scores.parquet") as scratch:
        small.to_parquet(scratch, index=False, compression="zstd", compression_level=19)
    arrays = {f"{name}.{layer}": of for name, layers in maps.items() for layer, of in layers.items()}
    with replacing(folder / "maps.npz") as scratch, scratch.open("wb") as file:
        np.savez_compressed(file, **arrays)
    write_json(folder / "about.json", {"profile": profile, "study": STUDY_VERSION, "made_from": made_from})


def read(folder: Path, profile: str) -> tuple[pd.DataFrame, Maps, dict]:
    """Scores, maps and what they were made from; other profiles and versions and broken files raise `InputError`."""
    about = read_json(folder / "about.json")
    found = about.get("profile"), about.get("study")
    if found != (profile, STUDY_VERSION):
        raise InputError(
            f"{folder} holds activations of profile '{found[0]}', version {found[1]} of the study, expected "
            f"'{profile}', version {STUDY_VERSION}: run `make figures PROFILE={profile}`"
        )
    try:
        scores = pd.read_parquet(folder / "scores.parquet")
        with (folder / "maps.npz").open("rb") as file, np.load(file) as archive:
            arrays = dict(archive)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{folder}: the activations cannot be read ({error}): restore this folder with git, or remove it and run "
            f"`make figures PROFILE={profile}`"
        ) from error
    words = {name: str for name in scores if isinstance(scores[name].dtype, pd.CategoricalDtype)}
    return scores.astype(words), _by_run(arrays), about["made_from"]


def _by_run(arrays: dict[str, np.ndarray]) -> Maps:
    maps: Maps = {}
    for key, array in arrays.items():
        name, _, layer = key.rpartition(".")
        maps.setdefault(name, {})[layer] = array
    return maps
