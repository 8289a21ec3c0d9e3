"""Activations behind figure 6: computed from the weights of this machine's runs, else the committed ones."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from depthseg_lib.analysis.measurements import load as measuring
from depthseg_lib.analysis.measurements.load import Runs
from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.runs import RUN
from depthseg_lib.data.labels import VOID
from depthseg_lib.errors import InputError

SHOWN = 4
"""Example images whose maps are kept: the first of `Results.examples`."""
Maps = dict[str, dict[str, np.ndarray]]
"""By run name and layer: K h w uint8."""


@dataclass(frozen=True, eq=False)
class Activations(measuring.OfRuns):
    """Grad-CAM of fine-tuned networks: boundary scores of every trial, maps of each initialisation's first.

    `scores` has a row per run, layer and image: name, the run's identity, layer, image and three shares within the
    border band, 0..1: `energy` of the map, `area` of the labelled pixels, `edges` of the image's own gradient.
    """

    maps: Maps
    """By run name and layer: maps of the first examples, K h w uint8 of the layer's size, each up to its own 255."""

    def boundary_scores(self) -> pd.DataFrame:
        """A row per run and layer with means over images of energy share over area share: `ratio` that of the map.

        1 is a map that is indifferent to borders, `highest` (one over the area share) one with nothing elsewhere;
        `edges` is that of the images' own gradient. Images without a border, and of `ratio` maps of zeros, are in no
        mean; `scored` counts the images that are in that of `ratio`.
        """
        highest = 1 / self.scores["area"]
        shares = {"ratio": self.scores["energy"] * highest, "edges": self.scores["edges"] * highest}
        scores, by = self.scores.assign(**shares, highest=highest), ["name", *RUN, "layer"]
        groups = scores.groupby(by, sort=False, observed=True)
        return groups[["ratio", "edges", "highest"]].mean().assign(scored=groups["ratio"].count()).reset_index()


def load(results: Results, runs: str | Path = "runs", figures: str | Path = "") -> Activations:
    """The activations of exactly these results' runs (select first), diverged ones left out; see `measuring.load`."""
    fields = measuring.load_scores("activations", results, runs, figures, partial(_compute, results))
    maps: Maps = {}
    for key, array in fields["stored"].arrays["maps"].items():
        name, _, layer = key.rpartition(".")
        maps.setdefault(name, {})[layer] = array
    known = set(fields["scores"]["name"])
    return Activations(**fields, maps={name: of for name, of in maps.items() if name in known})


def _compute(results: Results, runs: Runs) -> tuple[dict, dict]:
    """Scores of all `runs`, and maps of each initialisation's first."""
    from depthseg_lib.analysis.measurements import grad_cam as compute  # loads PyTorch

    known = None
    scores, maps, columns = [], {}, ["name", *RUN, "layer", "image", "energy", "area", "edges"]
    for identity, network, seen, first in measuring.networks(runs, len(results.label_set.classes)):
        start, name = time.monotonic(), identity["name"]
        if seen is not known:
            known, bands = seen, compute.border_bands(seen)
            per_image = compute.image_shares(seen, bands)
        rows = compute.shares(network, seen, bands)
        same = {column: np.tile(of, len(rows) // len(of)) for column, of in per_image.items()}
        scores.append(rows.assign(**identity, **same)[columns])
        if first:
            shown = compute.example_maps(network, results.examples.images[:SHOWN])
            maps |= {f"{name}.{layer}": of for layer, of in shown.items()}
        print(f"activations of {name}: {len(seen.names)} images, {time.monotonic() - start:.1f} s")
    return {"scores": pd.concat(scores, ignore_index=True)}, {"maps": maps}


def label_borders(labels: np.ndarray) -> np.ndarray:
    """Pixels (H W bool) of which one of the four neighbours has another label; void borders on nothing."""
    border = np.zeros(labels.shape, bool)
    for of, along in ((labels, border), (labels.T, border.T)):  # views: what is set in `border.T` is set in `border`
        differ = (of[:-1] != of[1:]) & (of[:-1] != VOID) & (of[1:] != VOID)
        along[:-1] |= differ
        along[1:] |= differ
    return border


def border_band(labels: np.ndarray, reach: float) -> np.ndarray:
    """Labelled pixels (H W bool) at most `reach` pixels (Euclidean) from a border pixel, which are at 0 themselves.

    Both sides of a border are border pixels, so a straight border and a reach of 2 make a band of six pixels.
    """
    from scipy.ndimage import distance_transform_edt  # takes half a second, which drawing does not need

    border = label_borders(labels)
    if not border.any():
        return border
    return (distance_transform_edt(~border) <= reach) & (labels != VOID)


def border_reach(height: int) -> float:
    """The reach of the border band in pixels, for images of this height: 2 at 64, 6 at 192."""
    return 2 / 64 * height


def energy_share(energy: np.ndarray, band: np.ndarray, labelled: np.ndarray) -> float:
    """The share of a map's sum over the `labelled` pixels that lies in `band` (all H W); NaN for a map of zeros there.

    Of a map that is the same everywhere this is the band's share of the area. Raises `InputError` for a map with a
    negative value or of another size than the labels.
    """
    if energy.shape != labelled.shape or (energy < 0).any():
        raise InputError(
            f"a map of shape {energy.shape} with least value {energy.min()}: expected one of shape {labelled.shape} "
            "without negative values; enlarge it to the labels' size first"
        )
    total = energy[labelled].sum(dtype=np.float64)
    return float(energy[band & labelled].sum(dtype=np.float64) / total) if total > 0 else np.nan


def boundary_score(activation: np.ndarray, labels: np.ndarray) -> float:
    """The boundary score of one map (h w uint8) of an image with these labels (H W); NaN without borders."""
    band, labelled = border_band(labels, border_reach(len(labels))), labels != VOID
    share = energy_share(enlarged(activation, *labels.shape), band, labelled)
    return share * labelled.sum() / band.sum() if band.any() else np.nan


def image_gradient(image: np.ndarray) -> np.ndarray:
    """Strength of the brightness edges (H W) of an image (3 H W, uint8): what knows edges and nothing of meaning.

    Brightness is the luma of ITU-R BT.601, smoothed by a Gaussian of a 64th of the image's height.
    """
    from scipy.ndimage import gaussian_gradient_magnitude

    grey = np.tensordot((0.299, 0.587, 0.114), image.astype(np.float32) / 255, axes=1)
    return gaussian_gradient_magnitude(grey, len(grey) / 64, mode="nearest")


def enlarged(energy: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map (h w) at an image's size (H W float32), linear between its pixels' centres."""
    shown = Image.fromarray(np.ascontiguousarray(energy, np.float32))
    return np.asarray(shown.resize((width, height), Image.Resampling.BILINEAR))
