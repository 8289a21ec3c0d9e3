"""What a profile plans for a figure: at which image sizes, and which of it no finished run stands behind."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pandas as pd

from depthseg_lib.analysis.results import Results, compared, rows_with
from depthseg_lib.analysis.runs import RUN
from depthseg_lib.settings import EXPERIMENT_NAMES, encoder_name

_RUN = [name for name in RUN if name != "trial"]
_LENGTHS = dict(iterations="{} iterations", batch="batches of {}", streets="{} streets", frames="{} frames each")
"""Settings that say how long a pre-training run is, and on how much video, with their words."""


@dataclass(frozen=True, eq=False)
class Planned:
    """The runs of a plan."""

    finetune: pd.DataFrame
    """A row per fine-tuning run, which is all its trials: its settings, and trials."""
    pretrain: pd.DataFrame
    """A row per pre-training run: its name, the runs that it needs, and its settings."""

    @property
    def main(self) -> "Planned":
        """The main comparison, as `Results.main` has it."""
        return self.select(experiment="main", initialisation=compared(self.finetune["initialisation"]))

    def select(self, **wanted) -> "Planned":
        """Only the fine-tuning runs with these settings, as in `Results.select`; there may be none."""
        return replace(self, finetune=rows_with(self.finetune, wanted))

    @property
    def sizes(self) -> str:
        """Height and width of the images, such as `64x192`; empty where no run is known."""
        sizes = self.finetune[["height", "width"]].drop_duplicates().itertuples(index=False, name=None)
        return " and ".join(f"{height}x{width}" for height, width in sizes)

    @property
    def of_size(self) -> str:
        """The same as the end of a phrase: ` of 64x192 pixels`."""
        return f" of {self.sizes} pixels" if self.sizes else ""

    def counts(self, validation: int) -> str:
        """A sentence on each experiment: training and `validation` images, their size, and iterations."""
        columns, parts = ["experiment", "images", "iterations"], []
        for experiment, images, iterations in self.finetune[columns].drop_duplicates().itertuples(index=False):
            own = self.select(experiment=experiment).of_size
            scored = f"{images} training, {validation} validation images{own}"
            if experiment == "whole":  # as in figure 7
                scored = f"{images} training images{own}, scored on the same ones"
            named = f"{EXPERIMENT_NAMES.get(experiment, 'usual images')}: " if self._several("experiment") else ""
            parts.append(f"{named}{scored}, {iterations} iterations")
        text = "; ".join(parts)
        return f"{text[0].upper()}{text[1:]}." if text else ""

    def missing(self, found: Results, expected: Iterable[str] = ()) -> str:
        """Sentences for the caption of a figure of `found`: what is planned here and has no finished trial, and which
        of the `expected` initialisations the profile does not plan here; empty where all is there."""
        if self.finetune.empty:
            return ""
        there, asked = (pd.MultiIndex.from_frame(of[_RUN].astype(str)) for of in (found.metrics, self.finetune))
        lacking = self.finetune[~asked.isin(there)]
        several = [name for name in _RUN if name != "initialisation" and self._several(name)]
        parts, names, planned = [], [], self.finetune["initialisation"].value_counts()
        for name, rows in lacking.groupby("initialisation", sort=False):
            which = [", ".join(_word(column, row[column]) for column in several) for row in rows.to_dict("records")]
            names.append(_name(name) + (f" ({'; '.join(which)})" if len(rows) < planned[name] else ""))
        if names:
            parts.append(f"Not run: {', '.join(names)}.")
        known = {*self.finetune["initialisation"], *found.metrics["initialisation"]}
        left_out = [_name(name) for name in expected if name not in known]
        if left_out:
            parts.append(f"Not planned in this profile: {', '.join(left_out)}.")
        return " ".join(parts)

    def lengths(self) -> str:
        """A sentence on what differs between depth's pre-training at the usual and at the large size besides the size;
        empty where nothing does, or where one of the two is no run of the profile."""
        named = self.pretrain.set_index("name")
        names = [f"{encoder}-depth" for encoder in dict.fromkeys(self.pretrain["encoder"])]
        both = [name for name in names if {name, f"{name}-large"} <= set(named.index)]
        small, large = (named.loc[name] for name in (both[0], f"{both[0]}-large")) if both else ({}, {})
        differ = [name for name in _LENGTHS if both and small[name] != large[name]]
        if not differ:
            return ""
        words = [", ".join(_LENGTHS[name].format(run[name]) for name in differ) for run in (small, large)]
        return f"Pre-training at the two sizes differs in more than the size: small {words[0]}; large {words[1]}."

    def _several(self, column: str) -> bool:
        return self.finetune[column].nunique() > 1


def load(results: Results) -> Planned:
    """What the plan of these results asks for."""
    rows: dict[str, list[dict]] = {"finetune": [], "pretrain": []}
    for run in results.plan["runs"]:
        about = {"name": run["name"], "needs": ", ".join(run["needs"]), "trials": len(run["trials"])}
        rows[run["kind"]].append(about | run["parameters"])
    columns = {"finetune": [*_RUN, "trials", "height", "width", "iterations"], "pretrain": ["name", "needs", "encoder"]}
    return Planned(**{kind: pd.DataFrame(of, columns=None if of else columns[kind]) for kind, of in rows.items()})


def _word(column: str, value) -> str:
    if column == "images":
        return f"{value} images"
    return encoder_name(value) if column == "encoder" else EXPERIMENT_NAMES.get(value, str(value))


def _name(initialisation: str) -> str:
    """Its name in a sentence, where `none` alone would say that there is nothing."""
    return "none (random weights)" if initialisation == "none" else initialisation
