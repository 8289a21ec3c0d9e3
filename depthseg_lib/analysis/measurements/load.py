"""Where measurements behind figures come from: computed where the runs are, else read as they were committed.

PyTorch is imported by what measures: it takes seconds that stored measurements do not need.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from depthseg_lib import fingerprint
from depthseg_lib.analysis import runs as run_folders
from depthseg_lib.analysis import store
from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.runs import RUN, RunFolder
from depthseg_lib.analysis.store import Stored
from depthseg_lib.errors import InputError
from depthseg_lib.files import project_path
from depthseg_lib.settings import FinetuneConfig

if TYPE_CHECKING:
    from depthseg_lib.data.arrays import Labelled
    from depthseg_lib.models.networks import SegmentationNetwork

Runs = Mapping[str, RunFolder]
"""Runs of this machine by name."""
Tables, Arrays = dict[str, pd.DataFrame], dict[str, np.ndarray]
Compute = Callable[[Runs], tuple[Tables, dict[str, Arrays]]]
_COMPUTES = ("analysis/measurements/*.py", "losses/*.py", "data/resize.py", "data/photographs.py")
"""The sources of measurements; those of what is measured are part of the runs' fingerprints."""
WEIGHTS = "weights.safetensors"
SCORED = 72
"""Validation images that are scored: the last of the fixed order, which all training-set sizes share."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured, and where that came from."""

    source: str
    """Where these came from, as a sentence for the reader."""
    stored: Stored
    """The same as it is committed; its `about` has the measurement's name and what it was made from."""

    def save(self, figures: str | Path) -> None:
        """Keep it with the committed results, for machines without the runs."""
        store.write(_committed_in(self.stored.about["measurement"], figures), self.stored)


@dataclass(frozen=True, eq=False)
class OfRuns(Measured):
    """Measurements of fine-tuned networks: scores of every trial, and something to look at of the first."""

    scores: pd.DataFrame
    """Rows of a run: its name, its identity, and what was measured."""
    missing: tuple[str, ...]
    """Names of the runs that were asked for and have none."""

    @property
    def note(self) -> str:
        """What a figure says of runs that it lacks."""
        return f"No {self.stored.about['measurement']} of {', '.join(self.missing)}." if self.missing else ""

    @property
    def shown(self) -> dict[tuple[str, str], str]:
        """The run of which something to look at is kept, by encoder and initialisation."""
        kept = {name.partition(".")[0] for arrays in self.stored.arrays.values() for name in arrays}
        runs = self.scores[self.scores["name"].isin(kept)].drop_duplicates("name")
        return {(row.encoder, row.initialisation): row.name for row in runs.itertuples(index=False)}


def load_scores(name: str, results: Results, runs: str | Path, figures: str | Path, compute: Compute) -> dict:
    """`load`, cut down to the runs asked for: the fields of `OfRuns` by name."""
    stored, source = load(name, results, runs, figures, compute)
    table, wanted = stored.tables["scores"], asked_for(results)
    scores, known = table[table["name"].isin(wanted)].reset_index(drop=True), set(table["name"])
    missing = tuple(run for run in wanted if run not in known)
    return {"source": source, "stored": stored, "scores": scores, "missing": missing}


def load(name: str, results: Results, runs: str | Path, figures: str | Path, compute: Compute) -> tuple[Stored, str]:
    """Measurements of `results` (select first) and where they came from, as a sentence for the reader.

    `runs` is the folder of the runs, `figures` the profile's figure folder (`figures/<profile>` when empty). Results of
    this machine's runs are measured by `compute`, which gives tables and groups of arrays, and kept in
    `runs/<profile>/measured` for as long as what they were made from stays the same; else the committed ones are read
    from `<figures>/data`. Raises `InputError`, saying what to run, when there are neither.
    """
    if not results.of_this_machine:
        committed = _committed_in(name, figures or f"figures/{results.profile}")
        if not store.exists(committed):
            raise InputError(
                f"{committed}: there are no committed {name}, and no runs to compute them from: run "
                f"`make figures PROFILE={results.profile}`"
            )
        return _read(committed, results.profile), f"committed {name} under {'/'.join(committed.parts[-4:])}"
    folder, wanted = project_path(runs) / results.profile, asked_for(results)
    found = {run.name: run for run in run_folders.find(folder).finetune}
    chosen = {run: found[run] for run in wanted if run in found and (found[run].folder / WEIGHTS).is_file()}
    if not chosen:
        raise InputError(
            f"{folder}: none of the {len(wanted)} runs has its {WEIGHTS}, from which measurements are "
            f"made: remove the runs' folders and run `make figures PROFILE={results.profile}`"
        )
    sources = sorted(file for pattern in _COMPUTES for file in fingerprint.LIBRARY.glob(pattern))
    made_from = {"code": fingerprint.source_hash(*sources), "grad-cam": version("grad-cam")}
    made_from["runs"] = {run: of.parameters["fingerprint"] for run, of in sorted(chosen.items())}
    about = {"profile": results.profile, "measurement": name, "made_from": made_from}
    cache = folder / "measured" / name.replace(" ", "_")
    if not (store.exists(cache) and store.read(cache, results.profile).about == about):
        tables, arrays = compute(chosen)
        store.write(cache, Stored(about, {part: _small(table) for part, table in tables.items()}, arrays))
    return _read(cache, results.profile), f"{name} from {len(chosen)} runs of this machine"


def asked_for(results: Results) -> list[str]:
    """The runs that can be measured: those that did not diverge."""
    return list(results.metrics.loc[results.metrics["diverged_at"].isna(), "name"])


def networks(runs: Runs, classes: int) -> Iterator[tuple[dict, "SegmentationNetwork", "Labelled", bool]]:
    """Each run's identity (name and `runs.RUN`), its network as the run left it, in evaluation mode and on the GPU if
    any, the validation images that it is scored on, the last `SCORED`, and whether it is its initialisation's first
    trial. Trials come one after another; those that share their validation images get the same object."""
    import torch

    from depthseg_lib.models.weights import load_weights
    from depthseg_lib.training.finetune import make_network

    seen, images, of = set(), None, None
    for name, run in sorted(runs.items(), key=lambda item: item[1].parameters["trial"]):
        config = FinetuneConfig(**run.parameters)
        draws = 0 if config.data_set == "streets" else config.trial  # of the images that it does not train on
        if draws != of:
            validation, of = annotated({name: run})[1], draws
            images = validation.subset(np.arange(len(validation.images))[-SCORED:])
        network = make_network(config, classes)
        network.load_state_dict(load_weights(run.folder / WEIGHTS, config.encoder, config.initialisation))
        network = network.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        first = (config.encoder, config.initialisation) not in seen
        seen.add((config.encoder, config.initialisation))
        yield {"name": name} | {column: run.parameters[column] for column in RUN}, network, images, first


def annotated(runs: Runs) -> tuple["Labelled", "Labelled"]:
    """Training and validation images of the first of `runs`."""
    from depthseg_lib.data.sources import load_annotated

    config = FinetuneConfig(**next(iter(runs.values())).parameters)
    return load_annotated(config, config.images, print, config.trial)


def _committed_in(name: str, figures: str | Path) -> Path:
    return project_path(figures) / "data" / name.replace(" ", "_")


def _small(table: pd.DataFrame) -> pd.DataFrame:
    """The table with 32-bit floats and its texts as categories."""
    words = dict.fromkeys(table.select_dtypes(exclude=["number", "bool"]), "category")
    return table.astype(words | dict.fromkeys(table.select_dtypes("floating"), np.float32))


def _read(folder: Path, profile: str) -> Stored:
    """What is stored there, with categories as the texts that they were."""
    found = store.read(folder, profile)
    for name, table in found.tables.items():
        found.tables[name] = table.astype(dict.fromkeys(table.select_dtypes("category"), str))
    return found
