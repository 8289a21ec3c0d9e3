"""The committed form of results and measurements: a folder of small tables, arrays and pictures with its about.json."""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from depthseg_lib.errors import InputError
from depthseg_lib.files import read_json, replacing, write_json

ABOUT = "about.json"
"""The file that says what a folder holds; it is written last, so that what was left half-written is not there."""
_SUFFIX = {"tables": "parquet", "arrays": "npz", "pictures": "png"}


@dataclass(frozen=True, eq=False)
class Stored:
    """What a folder holds, each part in a file of its name, which may lead into a folder below (`depth/first`)."""

    about: dict
    """`profile`, and whatever else says what it is, as plain values."""
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    arrays: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    """Groups of arrays, a file for each group."""
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    """Pictures of one size and kind, in one file under one another: K H W 3 (uint8), or K H W (uint8 or uint16)."""
    palette: np.ndarray | None = None
    """The colours (256 3, uint8) in which viewers show the pictures of single bytes."""


def exists(folder: Path) -> bool:
    """Whether `folder` holds anything."""
    return (folder / ABOUT).is_file()


def write(folder: Path, stored: Stored) -> None:
    """Write all of `stored`, and remove what an earlier writing left besides."""
    earlier = _files(folder, read_json(folder / ABOUT)) if exists(folder) else set()
    (folder / ABOUT).unlink(missing_ok=True)
    held = {"tables": list(stored.tables), "arrays": list(stored.arrays)}
    held["pictures"] = {name: len(pictures) for name, pictures in stored.pictures.items()}
    for name, table in stored.tables.items():
        with replacing(folder / f"{name}.parquet") as scratch:
            table.to_parquet(scratch, index=False, compression="zstd", compression_level=19)
    for name, arrays in stored.arrays.items():
        with replacing(folder / f"{name}.npz") as scratch, scratch.open("wb") as file:
            np.savez_compressed(file, **arrays)
    for name, pictures in stored.pictures.items():
        strip = Image.fromarray(np.ascontiguousarray(pictures).reshape(-1, *pictures.shape[2:]))
        if stored.palette is not None and strip.mode == "L":
            strip.putpalette(stored.palette.tobytes())
        with replacing(folder / f"{name}.png") as scratch:
            strip.save(scratch, format="png", optimize=True)
    for file in earlier - _files(folder, held):
        file.unlink(missing_ok=True)
    write_json(folder / ABOUT, stored.about | held)


def read(folder: Path, profile: str) -> Stored:
    """What `write` wrote; what is of another profile, missing or broken raises `InputError`."""
    about = read_json(folder / ABOUT)
    if about.get("profile") != profile:
        raise InputError(
            f"{folder}: these results are of profile '{about.get('profile')}', expected '{profile}': check the folder"
        )
    try:
        tables, arrays, pictures = (about.pop(kind) for kind in _SUFFIX)
        strips = {name: np.asarray(Image.open(folder / f"{name}.png")) for name in pictures}
        return Stored(
            about,
            {name: pd.read_parquet(folder / f"{name}.parquet") for name in tables},
            {name: read_arrays(folder / f"{name}.npz") for name in arrays},
            {name: strip.reshape(pictures[name], -1, *strip.shape[1:]) for name, strip in strips.items()},
        )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{folder}: what is stored here is incomplete ({error}): restore this folder with git, or remove it and "
            f"run `make figures PROFILE={profile}`"
        ) from error


def _files(folder: Path, held: dict) -> set[Path]:
    return {folder / f"{name}.{suffix}" for kind, suffix in _SUFFIX.items() for name in held.get(kind, ())}


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file by name."""
    with path.open("rb") as file, np.load(file) as archive:
        return dict(archive)
