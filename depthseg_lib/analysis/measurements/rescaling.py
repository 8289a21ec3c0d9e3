"""Predictions of rescaled images behind notebook 06: computed from the runs' weights, else the committed ones."""

import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from depthseg_lib.analysis.measurements import load as measuring
from depthseg_lib.analysis.measurements.load import Arrays, Progress, Runs
from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.runs import RUN

SHOWN = 4
"""Example images whose predictions are kept: the first of `Results.examples`."""


@dataclass(frozen=True, eq=False)
class Rescaling(measuring.OfRuns):
    """How fine-tuned networks predict images at other scales: scores of every trial, predictions of the first.

    `scores` has a row per run and factor: name, the run's identity, factor, miou_seven, miou, accuracy as fractions
    0..1, and `scored`, the number of images.
    """

    predictions: Arrays
    """By run name: predicted classes of the first examples (F K H W uint8) at each of `factors`."""

    @property
    def factors(self) -> list[float]:
        """The resize factors, smallest first."""
        return sorted(float(factor) for factor in self.scores["factor"].unique())

    @property
    def shown(self) -> dict[tuple[str, str], str]:
        """The run whose predictions are kept, by encoder and initialisation."""
        return self.first_runs(self.predictions)

    def losses(self) -> pd.DataFrame:
        """The scores with those of factor 1 taken off, run by run, without factor 1 itself."""
        metrics = ["miou_seven", "miou", "accuracy"]
        plain = self.scores[self.scores["factor"] == 1].set_index("name")[metrics]
        others = self.scores[self.scores["factor"] != 1]
        return others.assign(**{name: others[name] - others["name"].map(plain[name]) for name in metrics})


def load(
    results: Results, runs: str | Path = "runs", figures: str | Path = "", progress: Progress = print
) -> Rescaling:
    """Predictions of rescaled images by exactly these results' runs (select first), diverged ones left out.

    From where, and when they are computed anew, says `measuring.load`.
    """

    fields = measuring.load_scores(
        "rescaled predictions", results, (runs, figures), lambda chosen: _compute(results, chosen, progress)
    )
    known = set(fields["scores"]["name"])
    predictions = {name: of for name, of in fields["stored"].arrays["predictions"].items() if name in known}
    return Rescaling(**fields, predictions=predictions)


def _compute(results: Results, runs: Runs, progress: Progress) -> tuple[dict, dict]:
    """Scores of all `runs`, which share their data, and predictions of each initialisation's first."""
    from depthseg_lib.analysis.measurements import rescaled as compute
    from depthseg_lib.analysis.measurements.networks import annotated, networks, scored_images

    truth = scored_images(annotated(runs, progress)[1])
    images = compute.at_all_factors(truth.images)
    examples = compute.at_all_factors(results.examples.images[:SHOWN])
    rows, predictions = [], {}
    for identity, network, first in networks(runs, len(results.label_set.classes)):
        start, name = time.monotonic(), identity["name"]
        rows += [identity | row | {"scored": len(truth.images)} for row in compute.scores(network, images, truth)]
        if first:
            predictions[name] = compute.example_predictions(network, examples)
        progress(f"rescaled predictions of {name}: {len(truth.images)} images, {time.monotonic() - start:.1f} s")
    columns = ["name", *RUN, "factor", *compute.METRICS, "scored"]
    return {"scores": pd.DataFrame(rows)[columns]}, {"predictions": predictions}
