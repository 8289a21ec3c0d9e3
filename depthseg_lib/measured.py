"""Activations behind figure 6: computed from the weights of this machine's runs, else the committed ones."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from depthseg_lib import finished, inputs, stored_activations
from depthseg_lib.config import FinetuneConfig
from depthseg_lib.data.cache import source_hash
from depthseg_lib.errors import InputError
from depthseg_lib.finished import RUN, RunFolder
from depthseg_lib.project import project_path
from depthseg_lib.results import Results

SHOWN = 4
"""Example images whose maps are kept: the first of `Results.examples`."""
_CODE = ("activations.py", "activation_scores.py", "boundaries.py", "measured.py")
_COLUMNS = ["name", *RUN, "layer", "image", *stored_activations.SHARES]
Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Activations:
    """Grad-CAM of fine-tuned networks: boundary scores of every trial, maps of each initialisation's first."""

    source: str
    """Where these came from, as a sentence for the reader."""
    scores: pd.DataFrame
    """A row per run, layer and image: name, the run's identity, layer, image and three shares within the border band,
    0..1: `energy` of the map, `area` of the labelled pixels, `edges` of the image's own gradient."""
    maps: stored_activations.Maps
    """By run name and layer: maps of the first examples, K h w uint8 of the layer's size, each up to its own 255."""
    missing: tuple[str, ...]
    """Names of the runs that were asked for and have no activations."""
    made_from: dict
    """Hashes of the code and of the weights that they were computed from."""

    @property
    def note(self) -> str:
        """What a figure says of runs that it lacks."""
        return f"No activations of {', '.join(self.missing)}." if self.missing else ""

    @property
    def shown(self) -> dict[tuple[str, str], str]:
        """The run whose maps are kept, by encoder and initialisation."""
        runs = self.scores[self.scores["name"].isin(list(self.maps))].drop_duplicates("name")
        return {(row.encoder, row.initialisation): row.name for row in runs.itertuples(index=False)}

    def boundary_scores(self) -> pd.DataFrame:
        """A row per run and layer with means over images of energy share over area share: `ratio` that of the map.

        1 is a map that is indifferent to borders, `highest` (one over the area share) one with nothing elsewhere;
        `edges` is that of the images' own gradient. Images without a border, and of `ratio` maps of zeros, are in no
        mean; `scored` counts the images that are in that of `ratio`.
        """
        highest = 1 / self.scores["area"]
        shares = {"ratio": self.scores["energy"] * highest, "edges": self.scores["edges"] * highest}
        groups = self.scores.assign(**shares, highest=highest).groupby(
            ["name", *RUN, "layer"], sort=False, observed=True
        )
        means = groups[["ratio", "edges", "highest"]].mean()
        return means.assign(scored=groups["ratio"].count()).reset_index()


def load(
    results: Results, runs: str | Path = "runs", figures: str | Path = "", progress: Progress = print
) -> Activations:
    """The activations of exactly these results' runs (select first), diverged ones left out.

    Where `results` are of this machine's runs they are computed from the weights, and kept in `runs/<profile>/measured`
    for as long as weights and code stay the same; else the committed ones are read from `<figures>/data/activations`.
    Raises `InputError`, saying what to run, when there are neither.
    """
    wanted = list(results.metrics.loc[results.metrics["diverged_at"].isna(), "name"])
    if results.of_this_machine:
        return _of_this_machine(results, wanted, project_path(runs) / results.profile, progress)
    store = _store(figures or f"figures/{results.profile}")
    if not stored_activations.exists(store):
        raise InputError(
            f"{store}: there are no committed activations, and no weights to compute them from: run "
            f"`make figures PROFILE={results.profile}`"
        )
    return _read(store, results.profile, wanted, f"committed activations under {'/'.join(store.parts[-4:])}")


def save(activations: Activations, profile: str, figures: str | Path) -> None:
    """Keep them with the committed results, for machines without the weights."""
    stored_activations.write(_store(figures), profile, activations.scores, activations.maps, activations.made_from)


def _store(figures: str | Path) -> Path:
    return project_path(figures) / "data" / "activations"


def _of_this_machine(results: Results, wanted: list[str], folder: Path, progress: Progress) -> Activations:
    found = {run.name: run for run in finished.find(folder, results.profile).finetune}
    chosen = {name: found[name] for name in wanted if name in found and _weights(found[name]).is_file()}
    if not chosen:
        raise InputError(
            f"{folder}: none of the {len(wanted)} runs has its weights.safetensors, from which activations are "
            f"computed: remove the runs' folders and run `make figures PROFILE={results.profile}`"
        )
    cache, made_from = folder / "measured", _made_from(chosen)
    if not stored_activations.is_made_from(cache, made_from):
        stored_activations.write(cache, results.profile, *_compute(results, chosen, progress), made_from)
    return _read(cache, results.profile, wanted, f"activations of {len(chosen)} runs of this machine")


def _read(folder: Path, profile: str, wanted: list[str], source: str) -> Activations:
    scores, maps, made_from = stored_activations.read(folder, profile)
    scores = scores[scores["name"].isin(wanted)].reset_index(drop=True)
    known = set(scores["name"])
    missing = tuple(name for name in wanted if name not in known)
    return Activations(source, scores, {name: of for name, of in maps.items() if name in known}, missing, made_from)


def _weights(run: RunFolder) -> Path:
    return run.folder / "weights.safetensors"


def _made_from(runs: dict[str, RunFolder]) -> dict:
    code = source_hash(*(Path(__file__).with_name(name) for name in _CODE))
    files = {name: inputs.sha256(_weights(run)) for name, run in sorted(runs.items())}
    return {"code": code, "grad-cam": version("grad-cam"), "weights": files}


def _compute(
    results: Results, runs: dict[str, RunFolder], progress: Progress
) -> tuple[pd.DataFrame, stored_activations.Maps]:
    """Scores of all `runs`, which share their data, and maps of each initialisation's first."""
    from depthseg_lib import activation_scores as compute  # loads PyTorch: seconds that stored ones do not need
    from depthseg_lib.data.sources import load_annotated

    configs = {name: FinetuneConfig.from_mapping(run.parameters) for name, run in runs.items()}
    first = next(iter(configs.values()))
    seen = compute.scenes(load_annotated(first, first.images, progress)[1])
    per_image = {"area": seen.area, "edges": compute.edge_shares(seen)}
    scores, maps, shown = [], {}, set()
    for name, config in configs.items():
        start = time.monotonic()
        network = compute.fine_tuned(config, _weights(runs[name]), len(results.label_set.classes))
        rows = compute.shares(network, seen)
        identity = {"name": name} | {column: runs[name].parameters[column] for column in RUN}
        same = {column: np.tile(of, len(rows) // len(of)) for column, of in per_image.items()}
        scores.append(rows.assign(**identity, **same)[_COLUMNS])
        if (config.encoder, config.initialisation) not in shown:
            shown.add((config.encoder, config.initialisation))
            maps[name] = compute.example_maps(network, results.examples.images[:SHOWN])
        progress(f"activations of {name}: {len(seen.names)} images, {time.monotonic() - start:.1f} s")
    return pd.concat(scores, ignore_index=True), maps
