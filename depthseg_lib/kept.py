"""Measurements in a folder: parquet tables, npz files of small arrays, and a json that says whose they are."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

from depthseg_lib.errors import InputError
from depthseg_lib.files import read_json, replacing, write_json
from depthseg_lib.settings import STUDY_VERSION

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Kind:
    """One kind of measurement."""

    name: str
    """What it is called; with `_` for spaces, also the name of its folder."""
    tables: tuple[str, ...]
    """Its tables, a parquet file each."""
    arrays: tuple[str, ...]
    """Its groups of arrays, an npz file each."""
    code: tuple[str, ...]
    """Library files that compute it: a change there makes it anew."""

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return self.name.replace(" ", "_")


@dataclass(frozen=True, eq=False)
class Kept:
    """What was measured, as it is stored."""

    tables: dict[str, pd.DataFrame]
    """By the names of `Kind.tables`; floats have 32 bits once they were stored."""
    arrays: dict[str, Arrays]
    """By the names of `Kind.arrays`, then by a name of their own."""
    made_from: dict
    """Hashes of the code and of everything else that it was computed from."""


def exists(folder: Path) -> bool:
    """Whether `folder` holds measurements; about.json is written last."""
    return (folder / "about.json").is_file()


def is_made_from(folder: Path, made_from: dict) -> bool:
    """Whether `folder` holds measurements that were computed from exactly this."""
    return exists(folder) and read_json(folder / "about.json").get("made_from") == made_from


def write(folder: Path, profile: str, kept: Kept) -> None:
    """Write a profile's measurements."""
    (folder / "about.json").unlink(missing_ok=True)
    for name, table in kept.tables.items():
        words = {column: "category" for column in table if not is_numeric_dtype(table[column])}
        small = {column: np.float32 for column in table if is_float_dtype(table[column])}
        with replacing(folder / f"{name}.parquet") as scratch:
            table.astype(words | small).to_parquet(scratch, index=False, compression="zstd", compression_level=19)
    for name, arrays in kept.arrays.items():
        with replacing(folder / f"{name}.npz") as scratch, scratch.open("wb") as file:
            np.savez_compressed(file, **arrays)
    write_json(folder / "about.json", {"profile": profile, "study": STUDY_VERSION, "made_from": kept.made_from})


def read(kind: Kind, folder: Path, profile: str) -> Kept:
    """What `write` wrote; other profiles and versions of the study, and broken files, raise `InputError`."""
    about = read_json(folder / "about.json")
    found = about.get("profile"), about.get("study")
    if found != (profile, STUDY_VERSION):
        raise InputError(
            f"{folder} holds {kind.name} of profile '{found[0]}', version {found[1]} of the study, expected "
            f"'{profile}', version {STUDY_VERSION}: run `make figures PROFILE={profile}`"
        )
    try:
        tables = {name: _table(folder / f"{name}.parquet") for name in kind.tables}
        return Kept(tables, {name: _arrays(folder / f"{name}.npz") for name in kind.arrays}, about["made_from"])
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{folder}: the {kind.name} cannot be read ({error}): restore this folder with git, or remove it and run "
            f"`make figures PROFILE={profile}`"
        ) from error


def _table(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path)
    return table.astype({name: str for name in table if isinstance(table[name].dtype, pd.CategoricalDtype)})


def _arrays(path: Path) -> Arrays:
    with path.open("rb") as file, np.load(file) as archive:
        return dict(archive)
