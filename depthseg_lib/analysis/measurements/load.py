"""Where measurements behind figures come from: computed where the runs are, else read as they were committed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from depthseg_lib import fingerprint
from depthseg_lib.analysis import runs as run_folders
from depthseg_lib.analysis import store as stores
from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.runs import RunFolder
from depthseg_lib.analysis.store import Kept, Kind
from depthseg_lib.errors import InputError
from depthseg_lib.files import project_path
from depthseg_lib.fingerprint import source_hash
from depthseg_lib.settings import PLACES, DataSettings

Progress = Callable[[str], None]
Runs = Mapping[str, RunFolder]
"""Runs of this machine by name."""
_SHARED = ("analysis/measurements/load.py", "analysis/store.py", "analysis/measurements/networks.py")
"""Library files that every measurement goes through."""


@dataclass(frozen=True, eq=False)
class OfRuns:
    """Measurements of fine-tuned networks: scores of every trial, and something to look at of the first."""

    kind: ClassVar[Kind]
    """What is measured."""
    source: str
    """Where these came from, as a sentence for the reader."""
    scores: pd.DataFrame
    """Rows of a run: its name, its identity, and what was measured."""
    missing: tuple[str, ...]
    """Names of the runs that were asked for and have none."""
    made_from: dict
    """Hashes of the code and of the weights that they were computed from."""

    @property
    def note(self) -> str:
        """What a figure says of runs that it lacks."""
        return f"No {self.kind.name} of {', '.join(self.missing)}." if self.missing else ""

    def first_runs(self, names) -> dict[tuple[str, str], str]:
        """Which of the runs `names` stands for an encoder and initialisation."""
        runs = self.scores[self.scores["name"].isin(list(names))].drop_duplicates("name")
        return {(row.encoder, row.initialisation): row.name for row in runs.itertuples(index=False)}


def load_scores(kind: Kind, results: Results, places, made_from, compute) -> tuple[dict, dict]:
    """`load`, cut down to the runs asked for: the fields of `OfRuns` by name, and the other arrays."""
    found, source = load(kind, results, places, made_from, compute)
    table, wanted = found.tables["scores"], asked_for(results)
    known = set(table["name"])
    fields = {"scores": table[table["name"].isin(wanted)].reset_index(drop=True), "source": source}
    fields |= {"missing": tuple(name for name in wanted if name not in known), "made_from": found.made_from}
    return fields, found.arrays


def load(
    kind: Kind,
    results: Results,
    places: tuple[str | Path, str | Path],
    made_from: Callable[[Runs], dict],
    compute: Callable[[Runs], tuple[dict, dict]],
) -> tuple[Kept, str]:
    """Measurements of `results` (select first) and where they came from, as a sentence for the reader.

    `places` are the folders of the runs and of the profile's figures (`figures/<profile>` when empty). Results of this
    machine's runs are measured by `compute`, which gives tables and arrays, and kept in `runs/<profile>/measured` for
    as long as the code and what `made_from` says stay the same; else the committed ones are read from
    `<figures>/data`. Raises `InputError`, saying what to run, when there are neither.
    """
    runs, figures = places
    if not results.of_this_machine:
        return _committed(kind, results.profile, store(kind, figures or f"figures/{results.profile}"))
    chosen = _this_machines(results, project_path(runs) / results.profile)
    made = {"code": source_hash(*(fingerprint.LIBRARY / name for name in (*_SHARED, *kind.code))), **made_from(chosen)}
    cache = project_path(runs) / results.profile / "measured" / kind.folder
    if not stores.is_made_from(cache, made):
        stores.write_measurements(cache, results.profile, Kept(*compute(chosen), made))
    return stores.read_measurements(
        kind, cache, results.profile
    ), f"{kind.name} from {len(chosen)} runs of this machine"


def store(kind: Kind, figures: str | Path) -> Path:
    """The folder of the committed ones."""
    return project_path(figures) / "data" / kind.folder


def weights_file(run: RunFolder) -> Path:
    """The weights that a run left."""
    return run.folder / "weights.safetensors"


def weights_hashes(runs: Runs) -> dict[str, str]:
    """SHA-256 of the runs' weights by name."""
    return {name: fingerprint.sha256(weights_file(run)) for name, run in sorted(runs.items())}


def annotated_data(runs: Runs) -> dict:
    """What the images of `runs` are made from: the data's settings, which they share, and the embedded world's code."""
    parameters = next(iter(runs.values())).parameters
    names = [name for name in DataSettings.model_fields if name not in (*PLACES, "fingerprint")]
    world = sorted((fingerprint.LIBRARY / "world").glob("*.py"))
    return {"world": source_hash(*world), "data": {name: parameters[name] for name in names}}


def asked_for(results: Results) -> list[str]:
    """The runs that can be measured: those that did not diverge."""
    return list(results.metrics.loc[results.metrics["diverged_at"].isna(), "name"])


def _committed(kind: Kind, profile: str, folder: Path) -> tuple[Kept, str]:
    if not stores.has_measurements(folder):
        raise InputError(
            f"{folder}: there are no committed {kind.name}, and no runs to compute them from: run "
            f"`make figures PROFILE={profile}`"
        )
    return stores.read_measurements(kind, folder, profile), f"committed {kind.name} under {'/'.join(folder.parts[-4:])}"


def _this_machines(results: Results, folder: Path) -> dict[str, RunFolder]:
    """Those of the runs asked for that have their weights here."""
    found, wanted = {run.name: run for run in run_folders.find(folder).finetune}, asked_for(results)
    chosen = {name: found[name] for name in wanted if name in found and weights_file(found[name]).is_file()}
    if not chosen:
        raise InputError(
            f"{folder}: none of the {len(wanted)} runs has its weights.safetensors, from which measurements are "
            f"made: remove the runs' folders and run `make figures PROFILE={results.profile}`"
        )
    return chosen
