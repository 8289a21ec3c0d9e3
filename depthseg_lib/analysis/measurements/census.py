"""The census of a profile's annotated images: taken where the images are, else the committed one."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from depthseg_lib import kept
from depthseg_lib.analysis.measurements import load as measuring
from depthseg_lib.analysis.measurements.load import Progress, Runs
from depthseg_lib.analysis.results import Results
from depthseg_lib.kept import Kept, Kind

_CODE = ("analysis/measurements/census.py", "data/census.py", "data/labels.py")
KIND = Kind("census", tables=("classes", "images"), arrays=(), code=_CODE)


@dataclass(frozen=True, eq=False)
class Census:
    """The classes of a profile's annotated images."""

    source: str
    """Where it came from, as a sentence for the reader."""
    classes: pd.DataFrame
    """`data.census.census` of the training and the validation images together."""
    images: int
    """How many images these are."""
    made_from: dict
    """The data's settings and hashes of the code."""


def load(results: Results, runs: str | Path = "runs", figures: str | Path = "", progress: Progress = print) -> Census:
    """The census of the images that these results' runs were trained and validated on.

    From where, and when it is taken anew, says `measuring.load`.
    """

    def compute(chosen: Runs) -> tuple[dict, dict]:
        classes, images = _count(chosen, progress)
        return {"classes": classes, "images": pd.DataFrame({"images": [images]})}, {}

    found, source = measuring.load(KIND, results, (runs, figures), measuring.annotated_data, compute)
    return Census(source, found.tables["classes"], int(found.tables["images"]["images"].iloc[0]), found.made_from)


def save(census: Census, profile: str, figures: str | Path) -> None:
    """Keep it with the committed results, for machines without the images."""
    tables = {"classes": census.classes, "images": pd.DataFrame({"images": [census.images]})}
    kept.write(measuring.store(KIND, figures), profile, Kept(tables, {}, census.made_from))


def _count(runs: Runs, progress: Progress) -> tuple[pd.DataFrame, int]:
    from depthseg_lib.analysis.measurements.networks import annotated
    from depthseg_lib.data.census import census  # these two load PyTorch, which a stored census does not need

    training, validation = annotated(runs, progress)
    labels = [*training.labels, *validation.labels]
    return census(labels, training.label_set), len(labels)
