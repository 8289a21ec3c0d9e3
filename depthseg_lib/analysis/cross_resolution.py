"""Fine-tuning at another resolution than that of the pre-training (section 4.2): which runs stand beside which."""

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from depthseg_lib.analysis.results import Results, rows_with
from depthseg_lib.settings import CROSSED

ROWS = (
    ("small", "none", "main", "none"),
    ("small", "classification", "main", "classification"),
    ("small", "depth", "main", "depth, from small"),
    ("small", "depth", "large-to-small", "depth, from large"),
    ("large", "none", "high", "none"),
    ("large", "classification", "high", "classification"),
    ("large", "depth", "high", "depth, from large"),
    ("large", "depth", "small-to-large", "depth, from small"),
)
"""What is compared: resolution of the fine-tuning, initialisation, experiment, and the name with the pre-training's."""


def rows_of(initialisations: Iterable[str]) -> tuple[tuple[str, str, str, str], ...]:
    """`ROWS`, with imagenet for classification where that one of the two was run."""
    known = set(map(str, initialisations))
    if "classification" in known or "imagenet" not in known:
        return ROWS
    return tuple(tuple(word.replace("classification", "imagenet") for word in row) for row in ROWS)


def crossed(results: Results) -> Results | None:
    """The runs that `ROWS` compares, with everything fine-tuned on the usual number of images; None when no run has two
    resolutions, so that there is nothing to compare."""
    usual = rows_with(results.metrics, {"setting": "full", "images": results.base_images})
    if not usual["experiment"].isin(CROSSED).any():
        return None
    wanted = {(experiment, name) for _, name, experiment, _ in rows_of(usual["initialisation"])}
    pairs = zip(usual["experiment"].astype(str), usual["initialisation"].astype(str), strict=True)
    return replace(results, metrics=usual[[pair in wanted for pair in pairs]].reset_index(drop=True))


def compared(results: Results) -> pd.DataFrame:
    """A row per run of `crossed` results: fine_tuned_at (small or large), row (its name in `ROWS`), encoder,
    initialisation, experiment, trial, miou_seven and accuracy (fractions, NaN of diverged runs) and diverged_at."""
    columns = ["encoder", "initialisation", "experiment", "trial", "miou_seven", "accuracy", "diverged_at"]
    parts = []
    for at, initialisation, experiment, name in rows_of(results.metrics["initialisation"]):
        chosen = rows_with(results.metrics, {"initialisation": initialisation, "experiment": experiment})
        parts.append(chosen[columns].assign(fine_tuned_at=at, row=name))
    return pd.concat(parts, ignore_index=True)


def not_run(rows: pd.DataFrame) -> str:
    """What a figure of `compared` rows says of those of `ROWS` that no run stands behind; empty when there are all."""
    there = set(zip(rows["fine_tuned_at"], rows["row"], strict=True))
    wanted = rows_of(rows["initialisation"])
    missing = [f"{name} at the {at} size" for at, _, _, name in wanted if (at, name) not in there]
    return f"Not run: {', '.join(missing)}." if missing else ""
