"""Activations behind figure 6: computed from the weights of this machine's runs, else the committed ones."""

import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from depthseg_lib import kept
from depthseg_lib.analysis.measurements import load as measuring
from depthseg_lib.analysis.measurements.load import Progress, Runs
from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.runs import RUN
from depthseg_lib.kept import Arrays, Kept, Kind

SHOWN = 4
"""Example images whose maps are kept: the first of `Results.examples`."""
_CODE = ("analysis/measurements/activations.py", "analysis/measurements/grad_cam.py", "activation_scores.py", "boundaries.py")
KIND = Kind("activations", tables=("scores",), arrays=("maps",), code=_CODE)
Maps = dict[str, dict[str, np.ndarray]]
"""By run name and layer: K h w uint8."""
_COLUMNS = ["name", *RUN, "layer", "image", "energy", "area", "edges"]


@dataclass(frozen=True, eq=False)
class Activations(measuring.OfRuns):
    """Grad-CAM of fine-tuned networks: boundary scores of every trial, maps of each initialisation's first.

    `scores` has a row per run, layer and image: name, the run's identity, layer, image and three shares within the
    border band, 0..1: `energy` of the map, `area` of the labelled pixels, `edges` of the image's own gradient.
    """

    kind = KIND
    maps: Maps
    """By run name and layer: maps of the first examples, K h w uint8 of the layer's size, each up to its own 255."""

    @property
    def shown(self) -> dict[tuple[str, str], str]:
        """The run whose maps are kept, by encoder and initialisation."""
        return self.first_runs(self.maps)

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

    From where, and when they are computed anew, says `measuring.load`.
    """

    def compute(chosen: Runs) -> tuple[dict, dict]:
        return _compute(results, chosen, progress)

    fields, arrays = measuring.load_scores(KIND, results, (runs, figures), _made_from, compute)
    known, maps = set(fields["scores"]["name"]), _by_run(arrays["maps"])
    return Activations(**fields, maps={name: of for name, of in maps.items() if name in known})


def save(activations: Activations, profile: str, figures: str | Path) -> None:
    """Keep them with the committed results, for machines without the weights."""
    arrays = {"maps": _flat(activations.maps)}
    content = Kept({"scores": activations.scores}, arrays, activations.made_from)
    kept.write(measuring.store(KIND, figures), profile, content)


def _made_from(runs: Runs) -> dict:
    return {"grad-cam": version("grad-cam"), "weights": measuring.weights_hashes(runs)}


def _compute(results: Results, runs: Runs, progress: Progress) -> tuple[dict, dict]:
    """Scores of all `runs`, which share their data, and maps of each initialisation's first."""
    from depthseg_lib import activation_scores as compute  # loads PyTorch: seconds that stored ones do not need
    from depthseg_lib.analysis.measurements.networks import annotated, networks

    seen = compute.scenes(annotated(runs, progress)[1])
    per_image = {"area": seen.area, "edges": compute.edge_shares(seen)}
    scores, maps = [], {}
    for identity, network, first in networks(runs, len(results.label_set.classes)):
        start, name = time.monotonic(), identity["name"]
        rows = compute.shares(network, seen)
        same = {column: np.tile(of, len(rows) // len(of)) for column, of in per_image.items()}
        scores.append(rows.assign(**identity, **same)[_COLUMNS])
        if first:
            maps[name] = compute.example_maps(network, results.examples.images[:SHOWN])
        progress(f"activations of {name}: {len(seen.names)} images, {time.monotonic() - start:.1f} s")
    return {"scores": pd.concat(scores, ignore_index=True)}, {"maps": _flat(maps)}


def _flat(maps: Maps) -> Arrays:
    return {f"{name}.{layer}": of for name, layers in maps.items() for layer, of in layers.items()}


def _by_run(arrays: Arrays) -> Maps:
    maps: Maps = {}
    for key, array in arrays.items():
        name, _, layer = key.rpartition(".")
        maps.setdefault(name, {})[layer] = array
    return maps
