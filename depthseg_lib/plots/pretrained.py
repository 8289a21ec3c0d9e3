"""What the pre-training runs predict for held-out frames, encoder under encoder, so that one figure holds them all."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from depthseg_lib.analysis.results import Results
from depthseg_lib.plots import style

FEW = 2
"""Frames of each encoder where there are several."""
_FLOW = {"trained": "epe", "no flow": "epe_zero", "mean flow": "epe_mean_map"}


@dataclass(frozen=True, eq=False)
class Pretrained:
    """Pictures of several runs, a row each; those of one encoder lie together."""

    runs: pd.DataFrame
    """The rows of `Results.pretrain` that are shown."""
    rows: tuple[str, ...]
    """The encoder of each row, for readers; empty where there is one alone."""
    images: np.ndarray
    """K 3 H W uint8 frames, or K 2 3 H W pairs of them."""
    truth: np.ndarray | None
    """True depth K H W in metres, or exact flow K 2 H W in pixels; None where there is none."""
    predicted: dict[str, np.ndarray]
    """The same as predicted, by initialisation; NaN where an encoder has no such run."""

    @property
    def depth_errors(self) -> str:
        """A sentence with each run's abs-rel beside that of the mean depth map; empty where no truth is known."""
        known = self.runs.reindex(columns=["encoder", "initialisation", "evaluated", "abs_rel", "abs_rel_mean_map"])
        known = known.dropna(subset=["abs_rel"])
        if known.empty:
            return ""
        several = known["encoder"].nunique() > 1
        parts = [
            f"{style.encoder_name(run.encoder) + ', ' if several else ''}{run.initialisation} {run.abs_rel:.2f}"
            for run in known.itertuples(index=False)
        ]
        count, map_error = known["evaluated"].max(), known["abs_rel_mean_map"].max()
        parts += [f"the mean depth map {map_error:.2f}"] if map_error == map_error else []
        frames = f"{count:.0f} held-out frames" if count == count else "held-out frames"
        return f"Abs-rel on {frames}: {', '.join(parts)}."

    @property
    def flow_errors(self) -> dict[str, float]:
        """End-point errors in pixels by what they are of; empty where no exact flow is known, as on real sets."""
        known = self.runs.set_index("encoder").reindex(columns=list(_FLOW.values()))
        trained = known["epe"].dropna().to_dict()
        if self.rows:
            named = {style.encoder_name(encoder): error for encoder, error in trained.items()}
        else:
            named = dict(zip(["trained"], trained.values(), strict=False))
        baselines = {name: known[column].max() for name, column in _FLOW.items() if name != "trained"}
        return {name: float(error) for name, error in (named | baselines).items() if error == error}


def depth(results: Results) -> Pretrained | None:
    """Frames with true and predicted depth of every run at the usual size; None where no depth was learned."""
    runs, parts = _chosen(results, results.depth_examples), []
    names = list(dict.fromkeys(runs["initialisation"]))
    for _, own in runs.groupby("encoder", sort=False):
        of = {run.initialisation: results.depth_examples[run.name] for run in own.itertuples(index=False)}
        first = next(iter(of.values()))
        blank = np.full_like(first.truth, np.nan)
        parts.append((first.images, first.truth, {n: of[n].prediction if n in of else blank for n in names}))
    return _stacked(runs, parts)


def flow(results: Results) -> Pretrained | None:
    """Pairs of frames with exact and predicted flow of every encoder; None where no flow was learned."""
    runs = _chosen(results, results.flow_examples)
    found = [results.flow_examples[name] for name in runs["name"]]
    return _stacked(runs, [(one.images, one.true_flow, {"flow": one.flow}) for one in found])


def _chosen(results: Results, examples: Collection[str]) -> pd.DataFrame:
    """The runs with examples, without those at the large size."""
    runs = results.pretrain
    usual = runs["name"] == runs["encoder"].astype(str) + "-" + runs["initialisation"].astype(str)
    return runs[usual & runs["name"].isin(list(examples))]


def _stacked(runs: pd.DataFrame, parts: list[tuple]) -> Pretrained | None:
    """One under another what each encoder has: images, truth and predictions by name."""
    if not parts:
        return None
    encoders = [style.encoder_name(name) for name in dict.fromkeys(runs["encoder"])]
    count = FEW if len(parts) > 1 else None
    images, truths, predictions = zip(*parts, strict=True)
    rows = [name for name, of in zip(encoders, images, strict=True) for _ in of[:count]] if len(parts) > 1 else []
    truth = None if any(of is None for of in truths) else np.concatenate([of[:count] for of in truths])
    predicted = {name: np.concatenate([of[name][:count] for of in predictions]) for name in predictions[0]}
    return Pretrained(runs, tuple(rows), np.concatenate([of[:count] for of in images]), truth, predicted)
