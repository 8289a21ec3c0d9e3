"""The grid: which runs a study needs, what each starts from, which figures they make; written to plan.json."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

from depthseg_lib import fingerprint
from depthseg_lib.data.labels import LABEL_SETS, LabelSet, photographed, to_mapping
from depthseg_lib.data.sets.own import Own
from depthseg_lib.errors import InputError
from depthseg_lib.files import PLAN, project_path, read_json, write_json
from depthseg_lib.models.published import ENCODERS, NONE, Published
from depthseg_lib.settings import NEEDS_VIDEO, TRAINED_HERE, PretrainConfig, Settings, pretrained_name
from depthseg_lib.study import estimate
from depthseg_lib.study.profiles import (
    PROFILES,
    Fit,
    Profile,
    finetune_config,
    fitted,
    get_profile,
    parts,
    pretrain_config,
)

FIGURES = {
    "00_overview": ("fig01_question", "fig02_setups", "census"),
    "03_results": (
        *("fig03_curves", "fig05_frozen", "table1", "table2", "depth", "flow", "predictions"),
        *("fig07_high_resolution", "fig08_deeplab_high_resolution", "fig11_flow", "fig12_supervised_depth"),
    ),
    "04_training_size": ("fig04_training_size",),
    "05_activations": ("fig06_activations", "fig06_boundary_score"),
    "06_scale_mismatch": ("fig10_scale_mismatch", "resize_factor", "cross_resolution"),
    "07_miou_vs_accuracy": ("fig09_miou_vs_accuracy", "class_curves"),
    "10_claims": ("claims",),
}
"""Figures and tables by the notebook that draws them."""
NEEDS = {
    "fig05_frozen": dict(setting="frozen"),
    "table2": dict(setting="encoder-only"),
    "fig07_high_resolution": dict(experiment="high", setting="full"),
    "fig08_deeplab_high_resolution": dict(experiment="high", setting="deeplab"),
    "flow": dict(initialisation="flow"),
    "fig11_flow": dict(initialisation="flow"),
    "fig12_supervised_depth": dict(initialisation="depth-supervised"),
    "cross_resolution": dict(experiment="large-to-small"),
}
"""Runs without which a figure is not drawn, where not every profile has them."""
INDOORS = ("nyu",)
"""Data sets with none of the things that the photographs show: sizes (figure 10) cannot be compared."""


@dataclass(frozen=True)
class Run:
    """One run of the study."""

    kind: str
    """pretrain or finetune."""
    name: str
    """Name of its folder below `runs/<profile>/<kind>/`; a fine-tuning run has a folder per trial in there."""
    parameters: dict
    """Its settings as plain JSON values, the number of trials among them, and its fingerprint."""
    needs: tuple[str, ...]
    """Names of the pre-training runs whose weights it starts from."""
    cost: float
    """Rough seconds: on a core, or on a GPU such as `estimate.BASIS` names, as the encoder needs."""


@dataclass(frozen=True)
class Plan:
    """Everything that `make figures` does for a profile."""

    profile: Profile
    """The profile, fitted to the user's data where it is on those."""
    label_set: LabelSet
    """The classes of the annotated images."""
    runs: tuple[Run, ...]
    """Pre-training first, then fine-tuning; a run comes after what it needs."""
    figures: dict[str, tuple[str, ...]]
    """Figures and tables by the notebook that draws them."""

    def to_mapping(self) -> dict:
        """What plan.json holds: profile, data_set, label_set, runs and figures, as plain values."""
        about = {"profile": self.profile.name, "data_set": self.profile.data.data_set}
        about |= {"label_set": to_mapping(self.label_set), "figures": {k: list(v) for k, v in self.figures.items()}}
        return about | {"runs": [asdict(run) | {"needs": list(run.needs)} for run in self.runs]}


def plan(
    profile: str,
    data: str = "",
    runs: str | Path = "runs",
    published: Published = NONE,
    photographs: str = "",
    notebooks: str | Path = "notebooks",
) -> Plan:
    """The study of a profile on the set in the folder `data`, with its runs below the folder `runs`.

    Where there are `published` weights for an initialisation, none are trained. With `photographs`, classification is
    learned from those in that folder.
    """
    chosen, label_set = _on_data(get_profile(profile, data, published, photographs))
    grid = _Grid(_with_digest(chosen), Path(runs) / chosen.name, published, notebooks)
    return Plan(grid.profile, label_set, (*grid.pretraining(), *grid.finetuning()), _figures(grid))


def check(
    profile: str, data: str = "", published: Published = NONE, photographs: str = "", decode: bool = True
) -> None:
    """Raise `InputError` now, in seconds, for what would stop the study hours later: data and weights not there.

    A real set that was not read before is read now, and what that takes is printed; without `decode`, no image is read.
    """
    chosen, _ = _on_data(get_profile(profile, data, published, photographs))
    if photographs:
        from depthseg_lib.data.sets import image_folder

        image_folder.listed(photographs)
    if chosen.data.data_set != "streets":
        from depthseg_lib.data import arrays, sources  # loads PyTorch: seconds that the embedded world does not need

        sources.check(chosen.data, max(chosen.sizes), print, decode=decode)
        if decode and sources.REAL_SETS[chosen.data.data_set].READ_FIRST:
            arrays.split_triplets(sources.load_video(chosen.data), chosen.depth.get("frame_step", 1))
    if published.places:
        from depthseg_lib.models.weights import starting_weights

        for encoder, initialisation, place in published.wanted(chosen.encoders):
            starting_weights(encoder, initialisation, place)


def write(study: Plan, runs: str | Path) -> None:
    """Write plan.json and each run's params.json, leaving alone what already says the same."""
    root = Path(runs) / study.profile.name
    contents = {root / run.kind / run.name / "params.json": run.parameters for run in study.runs}
    for path, content in {**contents, root / PLAN: study.to_mapping()}.items():
        if not path.is_file() or read_json(path) != content:
            write_json(path, content)


def _on_data(profile: Profile) -> tuple[Profile, LabelSet]:
    """The profile with what a user's own data say of it, under their name, and the classes."""
    if profile.data.data_set != "folder":
        return profile, LABEL_SETS[profile.data.data_set]
    if not profile.data.data_folder:
        raise InputError(f"the profile '{profile.name}' needs DATA=folder, {Own.LAYOUT}; none was given")
    data = Own(project_path(profile.data.data_folder))
    data.check()
    keys, label_set = data.description.keys, data.label_set
    name = re.sub(r"\W+", "-", label_set.name).strip("-").lower() or profile.name
    if name in PROFILES and name != profile.name:
        raise InputError(
            f"{data.description.file}: the name '{label_set.name}' is that of a profile: give the data another"
        )
    fit = Fit(*keys.image_size, keys.encoder, keys.frame_step, data.usable, bool(photographed(label_set)))
    return replace(fitted(profile, fit), name=name), label_set


def _with_digest(profile: Profile) -> Profile:
    """Runs on real images also depend on what their folder holds, and classification on its photographs."""
    if photographs := profile.classification.get("photographs_folder"):
        from depthseg_lib.data.sets import image_folder

        digest = {"photographs_digest": image_folder.digest(photographs)}
        profile = replace(profile, classification=profile.classification | digest)
    if not profile.data.data_folder:
        return profile
    from depthseg_lib.data import sources  # loads PyTorch: seconds that the embedded world does not need

    return replace(profile, data=profile.data.changed(data_digest=sources.digest(profile.data)))


class _Grid:
    """The runs of a profile, each made once; `made` has the fingerprints of the pre-trainings that were."""

    def __init__(self, profile: Profile, root: Path, published: Published, notebooks: str | Path):
        self.profile, self.root, self.published, self.notebooks = profile, root, published, notebooks
        self.made: dict[str, str] = {}

    def pretraining(self) -> Iterator[Run]:
        """The runs that any part starts from, with those that they start from themselves; what others need first."""
        for encoder in self.profile.encoders:
            for initialisation, large in self.starts(encoder):
                start = self._start(encoder, TRAINED_HERE[initialisation], False)
                config = pretrain_config(self.profile, encoder, initialisation, large, start["weights"])
                name = pretrained_name(encoder, initialisation, large)
                parameters = self._parameters("pretrain", config, start)
                self.made[name] = parameters["fingerprint"]
                yield Run("pretrain", name, parameters, start["needs"], _pretraining_cost(self.profile, config))

    def finetuning(self) -> Iterator[Run]:
        """The runs of every part, for each encoder that can have the initialisation."""
        trials = self.profile.trials
        for encoder, part in product(self.profile.encoders, parts(self.profile)):
            for setting, initialisation in product(part.settings, part.initialisations):
                if initialisation not in ("none", *TRAINED_HERE) and encoder not in ENCODERS[initialisation]:
                    continue
                start = self._start(encoder, initialisation, part.pretrained_large)
                chosen = dict(encoder=encoder, initialisation=initialisation, setting=setting)
                config = finetune_config(self.profile, part, **chosen, start_weights=start["weights"])
                name = f"{encoder}-{initialisation}-{setting}-n{config.images}"
                name += f"-{config.experiment}" if config.experiment != "main" else ""
                parameters = self._parameters("finetune", config, start) | {"trials": trials}
                cost = 8 + 4 * trials + _finetuning_cost(self.profile, parameters)
                yield Run("finetune", name, parameters, start["needs"], cost)

    def starts(self, encoder: str) -> list[tuple[str, bool]]:
        """The pre-training runs of an encoder: initialisation, and whether at the large size."""
        every = [
            (name, part.pretrained_large and name in NEEDS_VIDEO)
            for part in parts(self.profile)
            for name in part.initialisations
        ]
        wanted = {one for one in every if self._is_trained(encoder, *one)}
        first = {(TRAINED_HERE[name], False) for name, _ in wanted}
        wanted |= {one for one in first if self._is_trained(encoder, *one)}
        return [(name, large) for large in (False, True) for name in TRAINED_HERE if (name, large) in wanted]

    def _is_trained(self, encoder: str, initialisation: str, large: bool) -> bool:
        """Whether a pre-training run makes it: what is published was learned at the usual size, not at the large one."""
        given = self.published.gives(encoder, initialisation) and not (large and initialisation in NEEDS_VIDEO)
        return initialisation in TRAINED_HERE and not given

    def _start(self, encoder: str, initialisation: str, large: bool) -> dict:
        """What a run starts from: the file of its weights, their fingerprint, and the names of the runs that make them."""
        if self._is_trained(encoder, initialisation, large):
            name = pretrained_name(encoder, initialisation, large)
            weights = str(self.root / "pretrain" / name / "weights.safetensors")
            return {"weights": weights, "fingerprint": self.made[name], "needs": (name,)}
        if not self.published.gives(encoder, initialisation):
            return {"weights": "", "fingerprint": "", "needs": ()}
        place = self.published.place(encoder, initialisation)
        return {"weights": place, "fingerprint": _published(encoder, initialisation, place), "needs": ()}

    def _parameters(self, kind: str, config: Settings, start: Mapping) -> dict:
        known = fingerprint.of_run(kind, config, start["fingerprint"], self.notebooks)
        return config.to_mapping() | {"fingerprint": known}


def _published(encoder: str, initialisation: str, place: str) -> str:
    """The fingerprint of published weights."""
    if initialisation == "imagenet":
        from depthseg_lib.models.weights import imagenet_file  # loads PyTorch

        place = imagenet_file(encoder, place)
    return fingerprint.of_weights(place)


def _finetuning_cost(profile: Profile, run: dict) -> float:
    if estimate.on_gpu(run["encoder"]):
        return estimate.gpu_seconds("finetune", run)
    share = 0.7 if run["setting"] == "frozen" else 1.0
    larger = run["height"] * run["width"] / (profile.data.height * profile.data.width)
    return profile.trials * run["iterations"] * share * profile.step_seconds * larger


def _pretraining_cost(profile: Profile, config: PretrainConfig) -> float:
    if estimate.on_gpu(config.encoder):
        return 20 + estimate.gpu_seconds("pretrain", config.to_mapping())
    steps = {"classification": 0.25, "supervised": 1.5, "flow": 3.0, "depth": 4.0}[config.task]
    larger = (
        1.0
        if config.task == "classification"
        else config.height * config.width / (profile.data.height * profile.data.width)
    )
    return 20 + steps * config.iterations * profile.step_seconds * larger


def _figures(grid: _Grid) -> dict[str, tuple[str, ...]]:
    """What the profile's runs suffice for; a notebook of which nothing can be drawn is not run."""
    chosen = {notebook: tuple(name for name in names if _has_runs(grid, name)) for notebook, names in FIGURES.items()}
    return {notebook: names for notebook, names in chosen.items() if names}


def _has_runs(grid: _Grid, figure: str) -> bool:
    """Whether some part of the profile has what only this figure needs."""
    profile = grid.profile
    if figure == "depth":
        return any(name.startswith("depth") and not large for name, large in grid.starts(profile.encoders[0]))
    if figure == "fig04_training_size":
        return len(profile.sizes) > 1
    if figure == "fig10_scale_mismatch":  # the sizes that it compares are measured in the embedded photographs
        compared = profile.compares_sizes and profile.data.data_set not in INDOORS
        return compared and not profile.classification.get("photographs_folder")
    if figure not in NEEDS:
        return True
    wanted = NEEDS[figure]
    return any(
        part.experiment == wanted.get("experiment", part.experiment)
        and wanted.get("setting", part.settings[0]) in part.settings
        and wanted.get("initialisation", part.initialisations[0]) in part.initialisations
        for part in parts(profile)
    )
