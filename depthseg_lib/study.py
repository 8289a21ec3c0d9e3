"""The grid: which runs a profile needs, what each starts from, and which figures they make."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from depthseg_lib.config import TRAINED_HERE, PretrainConfig
from depthseg_lib.errors import InputError
from depthseg_lib.files import write_json
from depthseg_lib.profiles import Profile, finetune_config, get_profile, pretrain_config

FIGURES = {
    "00_overview": ("fig01_question", "fig02_setups"),
    "03_results": ("fig03_curves", "fig05_frozen", "table1", "depth", "predictions"),
    "04_training_size": ("fig04_training_size",),
}
"""Figures and tables by the notebook that draws them."""


@dataclass(frozen=True)
class Run:
    """One run of the study."""

    kind: str
    """pretrain or finetune."""
    name: str
    """Name of its folder below `runs/<profile>/<kind>/`."""
    parameters: dict
    """The notebook's parameters, plain JSON values."""
    needs: tuple[str, ...]
    """Names of the pre-training runs whose weights it starts from."""
    cost: float
    """Rough seconds on the machine that the profile is for."""


@dataclass(frozen=True)
class Plan:
    """Everything that `make figures` does for a profile."""

    profile: Profile
    """The profile."""
    runs: tuple[Run, ...]
    """Pre-training first, then fine-tuning; a run comes after what it needs."""
    figures: dict[str, tuple[str, ...]]
    """Figures and tables by the notebook that draws them."""


def plan(profile: str, data: str = "", runs: str = "runs", imagenet: str = "") -> Plan:
    """The study of a profile on the set in the folder `data`, with its runs below the folder `runs`."""
    chosen = get_profile(profile, data, imagenet)
    root = Path(runs) / profile
    return Plan(chosen, (*_pretraining(chosen, root, imagenet), *_finetuning(chosen, root, imagenet)), _figures(chosen))


def check(profile: str, data: str = "", imagenet: str = "") -> None:
    """Raise `InputError` now, in seconds, for what would stop the study hours later: data and weights not there."""
    chosen = get_profile(profile, data, imagenet)
    if chosen.data.data_set != "streets":
        from depthseg_lib.data import sources  # loads PyTorch: seconds that the embedded world does not need

        sources.check(chosen.data, max(chosen.sizes))
    if imagenet:
        from depthseg_lib.models.weights import imagenet_file

        for encoder in chosen.encoders:
            imagenet_file(encoder, imagenet)


def write_requests(study: Plan, runs: str | Path) -> None:
    """Write each run's `params.json`, leaving alone one that already says the same, so that it looks unchanged."""
    for run in study.runs:
        path = run_folder(runs, study.profile.name, run) / "params.json"
        if not path.exists() or json.loads(path.read_text()) != run.parameters:
            write_json(path, run.parameters)


def run_folder(runs: str | Path, profile: str, run: Run) -> Path:
    """The folder of a run."""
    return Path(runs) / profile / run.kind / run.name


def _pretraining(profile: Profile, root: Path, imagenet: str) -> Iterator[Run]:
    for encoder in profile.encoders:
        for initialisation in (i for i in TRAINED_HERE if i in profile.initialisations):
            start = TRAINED_HERE[initialisation]
            needs = (f"{encoder}-{start}",) if start in TRAINED_HERE else ()
            weights = _weights(root, encoder, start, imagenet)
            config = pretrain_config(profile, encoder, initialisation, weights)
            yield Run(
                "pretrain",
                f"{encoder}-{initialisation}",
                config.to_mapping(),
                needs,
                _pretraining_cost(profile, config),
            )


def _finetuning(profile: Profile, root: Path, imagenet: str) -> Iterator[Run]:
    for encoder in profile.encoders:
        for setting, images in _grid(profile):
            for initialisation in profile.initialisations:
                for trial in range(profile.trials):
                    yield _finetuning_run(profile, root, imagenet, encoder, setting, images, initialisation, trial)


def _grid(profile: Profile) -> list[tuple[str, int]]:
    """Settings and training-set sizes: every setting at the usual size, `full` at all of them."""
    usual = [(setting, profile.images) for setting in profile.settings]
    return usual + [("full", size) for size in profile.sizes if size != profile.images]


def _finetuning_run(profile, root, imagenet, encoder, setting, images, initialisation, trial) -> Run:
    config = finetune_config(
        profile,
        encoder=encoder,
        initialisation=initialisation,
        start_weights=_weights(root, encoder, initialisation, imagenet),
        setting=setting,
        images=images,
        trial=trial,
    )
    name = f"{encoder}-{initialisation}-{setting}-n{images}-t{trial}"
    needs = (f"{encoder}-{initialisation}",) if initialisation in TRAINED_HERE else ()
    share = 1.0 if setting == "full" else 0.7
    return Run("finetune", name, config.to_mapping(), needs, 8 + share * config.iterations * profile.step_seconds)


def _weights(root: Path, encoder: str, initialisation: str, imagenet: str) -> str:
    if initialisation in TRAINED_HERE:
        return str(root / "pretrain" / f"{encoder}-{initialisation}" / "weights.safetensors")
    return imagenet if initialisation == "imagenet" else ""


def _pretraining_cost(profile: Profile, config: PretrainConfig) -> float:
    steps = {"classification": 0.25, "supervised": 1.5, "flow": 3.0, "depth": 4.0}[config.task]
    return 20 + steps * config.iterations * profile.step_seconds


def _figures(profile: Profile) -> dict[str, tuple[str, ...]]:
    """Figure 4 needs more than one training-set size."""
    return {n: names for n, names in FIGURES.items() if n != "04_training_size" or len(profile.sizes) > 1}


def main() -> int:
    """`python -m depthseg_lib.study PROFILE`: write the requests of all runs of a profile."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("profile")
    parser.add_argument("--data", default="", help="folder of the real set")
    parser.add_argument("--runs", default="runs", help="folder of the runs")
    parser.add_argument("--imagenet", default="", help="folder of torchvision's ImageNet weights, or 'download'")
    given = parser.parse_args()
    try:
        write_requests(plan(given.profile, given.data, given.runs, given.imagenet), given.runs)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
