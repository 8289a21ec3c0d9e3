"""The committed form of a profile's results: small parquet tables and palette PNG strips, all within 5 MiB."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype
from PIL import Image

from depthseg_lib.data.labels import CAMVID, KITTI, LabelSet, from_mapping
from depthseg_lib.errors import InputError
from depthseg_lib.files import read_json, replacing, write_json

STUDY_VERSION = 3

FRAMES = ("metrics", "history", "confusion", "pretrain")
"""Tables of the results, by field name."""
_CENTIMETRES = 100
"""Depth is stored in 16-bit centimetres: 0.01 to 655 m, 0 for no depth."""


@dataclass(frozen=True)
class Examples:
    """Validation images with truth and predictions."""

    indices: tuple[int, ...]
    """Their places in the annotated set."""
    images: np.ndarray
    """(K, 3, H, W) uint8 RGB."""
    truth: np.ndarray
    """(K, H, W) uint8 class indices, 255 for void."""
    predictions: dict[str, np.ndarray]
    """(K, H, W) uint8 class indices by run name."""


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


@dataclass(frozen=True)
class Contents:
    """What a results folder holds."""

    about: dict
    """profile and data_set by name, and label_set as `labels.to_mapping` has it."""
    frames: dict[str, pd.DataFrame]
    """The tables of `FRAMES`."""
    examples: Examples
    depth_examples: dict[str, DepthExamples]
    flow_examples: dict[str, FlowExamples]


def label_set(of: dict | str) -> LabelSet:
    """The label set of `Contents.about`; results that were committed before it stood there have its name."""
    if isinstance(of, dict):
        return from_mapping(of)
    known, name = {labels.name: labels for labels in (KITTI, CAMVID)}, of
    if name not in known:
        raise InputError(f"unknown label set '{name}': expected one of {', '.join(known)}")
    return known[name]


def exists(folder: Path) -> bool:
    """Whether `folder` holds committed results; about.json is written last."""
    return (folder / "about.json").is_file()


def write(folder: Path, contents: Contents) -> None:
    """Write `contents`, one confusion table per setting and size, and remove what an earlier writing left besides."""
    (folder / "about.json").unlink(missing_ok=True)
    files = _write_frames(folder, contents.frames) | _write_examples(folder, contents)
    files |= _write_flow(folder / "flow", contents.flow_examples)
    for old in [*folder.glob("*.parquet"), *folder.rglob("*.png"), *folder.glob("flow/*.npz")]:
        if old not in files:
            old.unlink()
    depth = {name: len(run.images) for name, run in contents.depth_examples.items()}
    indices = list(contents.examples.indices)
    kept = {"study": STUDY_VERSION, "examples": indices, "depth": depth}
    write_json(folder / "about.json", contents.about | kept)


def read(folder: Path) -> Contents:
    """Read what `write` wrote; a missing or broken file raises `InputError`."""
    about = read_json(folder / "about.json")
    if about.get("study") != STUDY_VERSION:
        raise InputError(
            f"{folder} holds results of version {about.get('study', 'unknown')} of the study, but this is version "
            f"{STUDY_VERSION}: run `make figures` for new ones, or take the code that made them"
        )
    try:
        parts = [pd.read_parquet(path) for path in sorted(folder.glob("confusion-*.parquet"))]
        frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in FRAMES if name != "confusion"}
        frames["confusion"] = _join(parts)
        examples = _read_examples(folder, about, frames["metrics"])
        return Contents(about, frames, examples, _read_depth(folder, about), _read_flow(folder))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder}: the committed results are incomplete ({error}): restore this folder with git"
        ) from error


def _join(parts: list[pd.DataFrame]) -> pd.DataFrame:
    if not parts:
        raise ValueError("no confusion-*.parquet")
    joined = {}
    for name in parts[0].columns:
        columns = [part[name] for part in parts]
        categorical = isinstance(columns[0].dtype, pd.CategoricalDtype)
        joined[name] = pd.api.types.union_categoricals(columns) if categorical else np.concatenate(columns)
    return pd.DataFrame(joined)


def _write_frames(folder: Path, frames: dict[str, pd.DataFrame]) -> set[Path]:
    tables = {name: frame for name, frame in frames.items() if name != "confusion"}
    for (setting, images), part in frames["confusion"].groupby(["setting", "images"], observed=True):
        small = part.assign(images=part["images"].astype(np.int16), trial=part["trial"].astype(np.int8))
        tables[f"confusion-{setting}-n{images}"] = small
    for name, frame in tables.items():
        with replacing(folder / f"{name}.parquet") as scratch:
            frame.to_parquet(scratch, index=False, compression="zstd", compression_level=19)
    return {folder / f"{name}.parquet" for name in tables}


def _write_examples(folder: Path, contents: Contents) -> set[Path]:
    examples, palette = contents.examples, label_set(contents.about["label_set"])
    pictures = {"examples": _rgb_strip(examples.images), "examples_truth": _palette_strip(examples.truth, palette)}
    for name, prediction in examples.predictions.items():
        pictures[f"predictions/{name}"] = _palette_strip(prediction, palette)
    for name, depth in contents.depth_examples.items():
        pictures[f"depth/{name}-image"] = _rgb_strip(depth.images)
        pictures[f"depth/{name}-truth"] = _depth_strip(depth.truth)
        pictures[f"depth/{name}-prediction"] = _depth_strip(depth.prediction)
    for name, picture in pictures.items():
        with replacing(folder / f"{name}.png") as scratch:
            picture.save(scratch, format="png", optimize=True)
    return {folder / f"{name}.png" for name in pictures}


def _write_flow(folder: Path, examples: dict[str, FlowExamples]) -> set[Path]:
    files = {name: folder / f"{name}.npz" for name in examples}
    for name, of in examples.items():
        arrays = {"images": of.images, "flow": of.flow, "true_flow": of.true_flow}
        small = {n: a if n == "images" else a.astype(np.float16) for n, a in arrays.items() if a is not None}
        with replacing(files[name]) as scratch, scratch.open("wb") as file:
            np.savez_compressed(file, **small)
    return set(files.values())


def _read_flow(folder: Path) -> dict[str, FlowExamples]:
    return {path.stem: flow_examples(path) for path in sorted(folder.glob("flow/*.npz"))}


def flow_examples(path: Path) -> FlowExamples:
    """The examples in a file of a flow run, or in a stored one."""
    with path.open("rb") as file, np.load(file) as arrays:
        known = arrays["true_flow"].astype(np.float32) if "true_flow" in arrays else None
        return FlowExamples(arrays["images"], arrays["flow"].astype(np.float32), known)


def _read_examples(folder: Path, about: dict, metrics: pd.DataFrame) -> Examples:
    count = len(about["examples"])
    images = _unstack(folder / "examples.png", count).transpose(0, 3, 1, 2)
    truth = _unstack(folder / "examples_truth.png", count)
    first = metrics[(metrics["experiment"] == "main") & (metrics["trial"] == metrics["trial"].min())]
    predictions = {name: _unstack(folder / "predictions" / f"{name}.png", count) for name in first["name"]}
    return Examples(tuple(about["examples"]), images, truth, predictions)


def _read_depth(folder: Path, about: dict) -> dict[str, DepthExamples]:
    return {name: _read_depth_run(folder / "depth", name, count) for name, count in about["depth"].items()}


def _read_depth_run(folder: Path, name: str, count: int) -> DepthExamples:
    images, truth, prediction = (
        _unstack(folder / f"{name}-{part}.png", count) for part in ("image", "truth", "prediction")
    )
    return DepthExamples(images.transpose(0, 3, 1, 2), truth / _CENTIMETRES, prediction / _CENTIMETRES)


def _rgb_strip(images: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(images.transpose(0, 2, 3, 1)).reshape(-1, images.shape[3], 3))


def _palette_strip(labels: np.ndarray, palette: LabelSet) -> Image.Image:
    picture = Image.fromarray(labels.reshape(-1, labels.shape[2]).astype(np.uint8), mode="P")
    picture.putpalette(palette.colour(np.arange(256, dtype=np.uint8)).tobytes())
    return picture


def _depth_strip(depth: np.ndarray) -> Image.Image:
    centimetres = np.clip(np.nan_to_num(depth) * _CENTIMETRES, 0, 65535).round().astype(np.uint16)
    return Image.fromarray(centimetres.reshape(-1, depth.shape[2]))


def _unstack(path: Path, count: int) -> np.ndarray:
    strip = np.asarray(Image.open(path))
    return strip.reshape(count, -1, *strip.shape[1:])


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


def has_measurements(folder: Path) -> bool:
    """Whether `folder` holds measurements; about.json is written last."""
    return (folder / "about.json").is_file()


def is_made_from(folder: Path, made_from: dict) -> bool:
    """Whether `folder` holds measurements that were computed from exactly this."""
    return has_measurements(folder) and read_json(folder / "about.json").get("made_from") == made_from


def write_measurements(folder: Path, profile: str, kept: Kept) -> None:
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


def read_measurements(kind: Kind, folder: Path, profile: str) -> Kept:
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
