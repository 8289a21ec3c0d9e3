"""The grid: which runs a study needs, what each starts from, which figures they make; written to plan.json."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

from depthseg_lib import fingerprint
from depthseg_lib.data.labels import LABEL_SETS, LabelSet, photographed, to_mapping
from depthseg_lib.data.sets.own import Own
from depthseg_lib.errors import InputError
from depthseg_lib.files import PLAN, project_path, read_json, write_json
from depthseg_lib.models.published import ENCODERS, NONE, Published
from depthseg_lib.settings import (
    NEEDS_VIDEO,
    TASKS,
    TRAINED_HERE,
    FinetuneConfig,
    PretrainConfig,
    Settings,
    pretrained_name,
)
from depthseg_lib.study.profile import Profile
from depthseg_lib.study.profiles import PROFILES, finetune_config, fitted, get_profile, parts, pretrain_config

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
    "10_claims": ("claims", "paired_trials", "power"),
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
SIZE = 192 * 640
"""Pixels of the images that the rates are for."""
DEPTH_RATE = 18.4
"""Triplets per second of Monodepth2 with ResNet-18 at 192x640 on a Titan Xp (its paper's repository)."""
FINETUNE_RATE = 20_000 * 16 / (2.5 * 3600)
"""Images per second of the paper's fine-tuning: a trial of 20,000 steps of 16 took about 2.5 hours."""
COST = {"resnet18": 1.0, "resnet50": 30 / 19}
"""Cost of an encoder against ResNet-18: for ResNet-50 from the paper's pre-training on NYU-V2 (30 and 19 hours)."""
GPU_BASIS = (
    "An estimate for one GPU of the class of a Titan Xp (2017), a job at a time: no GPU has run this "
    "profile yet. They are iterations x batch over 18.4 triplets/s for depth and flow (Monodepth2, ResNet-18, 192x640) "
    "and 35.6 images/s for the rest (the paper's 2.5 h a trial), in proportion to pixels; ResNet-50 costs 1.6 times "
    "ResNet-18, as in the paper. A present GPU is several times as fast."
)
"""What an estimate of GPU hours rests on, in a paragraph."""


@dataclass(frozen=True)
class Run:
    """One run of the study."""

    kind: str
    """pretrain or finetune."""
    name: str
    """Name of its folder below `runs/<profile>/<kind>/`; a fine-tuning run has a folder per trial in there."""
    parameters: dict
    """Its settings as plain JSON values, but for those of a trial."""
    trials: tuple[dict, ...]
    """What each trial has of its own: its number, the fingerprint, and the file of the weights that it starts from."""
    needs: tuple[str, ...]
    """Names of the pre-training runs whose weights it starts from."""
    reads: str
    """Name of the data that it reads: one of `Plan.data`."""
    cost: float
    """Rough seconds, of one trial: on a core, or on a GPU such as `GPU_BASIS` names, as the encoder needs."""

    def settings(self) -> dict[str, dict]:
        """The settings of each trial by the name of its folder."""
        return {f"{self.name}/t{number}": self.parameters | own for number, own in enumerate(self.trials)}


@dataclass(frozen=True)
class Data:
    """What several runs read, made ready once before they start."""

    name: str
    """Such as video-64x192."""
    readers: tuple[str, ...]
    """Kind and name of a run of each task that reads it: what they read is made ready."""
    rendered: bool
    """Whether it is of the embedded world, which a GPU renders faster; real sets are decoded and resized."""
    cost: float
    """Rough seconds on a core."""


@dataclass(frozen=True)
class Plan:
    """Everything that `make figures` does for a profile."""

    profile: Profile
    """The profile, fitted to the user's data where it is on those."""
    label_set: LabelSet
    """The classes of the annotated images."""
    data: tuple[Data, ...]
    """What the runs read."""
    runs: tuple[Run, ...]
    """Pre-training first, then fine-tuning; a run comes after what it needs."""
    figures: dict[str, tuple[str, ...]]
    """Figures and tables by the notebook that draws them."""

    def to_mapping(self) -> dict:
        """What plan.json holds: profile, data_set, label_set, data, runs and figures, as plain values."""
        about = {"profile": self.profile.name, "data_set": self.profile.data.data_set}
        about |= {"label_set": to_mapping(self.label_set), "figures": {k: list(v) for k, v in self.figures.items()}}
        about |= {"data": [asdict(of) | {"readers": list(of.readers)} for of in self.data]}
        lists = ("needs", "trials")
        return about | {"runs": [asdict(run) | {of: list(getattr(run, of)) for of in lists} for run in self.runs]}


def plan(
    profile: str,
    data: str = "",
    runs: str | Path = "runs",
    published: Published = NONE,
    photographs: str = "",
    notebooks: str | Path = "notebooks",
    trials: int = 0,
    pretrainings: int = 0,
) -> Plan:
    """The study of a profile on the set in the folder `data`, with its runs below the folder `runs`.

    What has `published` weights is not trained. With `photographs`, classification is learned from that folder's. There
    are as many `trials` as asked for, else as many as the profile has; with `pretrainings` of 1 they share one.
    """
    chosen, label_set = _on_data(get_profile(profile, data, published, photographs))
    before = _planned_before(Path(runs) / chosen.name / PLAN)
    if trials and trials < before:
        raise InputError(
            f"TRIALS={trials}, but {before} trials are planned in {Path(runs, chosen.name)}: a study has no fewer once "
            f"its results can be seen; give TRIALS={before} or more, or another folder, RUNS="
        )
    trials = trials or max(before, chosen.trials)
    chosen = replace(chosen, trials=trials, pretrainings=pretrainings or chosen.pretrainings)
    # Runs on real images also depend on what their folder holds, and classification on its photographs.
    if photographs:
        from depthseg_lib.data.sets import image_folder

        digest = {"photographs_digest": image_folder.digest(image_folder.listed(photographs))}
        chosen = replace(chosen, classification=chosen.classification | digest)
    if data:
        from depthseg_lib.data import sources  # loads PyTorch: seconds that the embedded world does not need

        chosen = replace(chosen, data=chosen.data.changed(data_digest=sources.listed(chosen.data).digest))
    grid = _Grid(chosen, Path(runs) / chosen.name, published, notebooks)
    # A notebook of which nothing can be drawn is not run.
    figures = {notebook: tuple(name for name in names if _has_runs(grid, name)) for notebook, names in FIGURES.items()}
    figures = {notebook: names for notebook, names in figures.items() if names}
    every = (*grid.pretraining(), *grid.finetuning())
    return Plan(chosen, label_set, tuple(_data(every)), every, figures)


def _planned_before(file: Path) -> int:
    """How many trials the plan in this file has; 0 where there is none, or one that cannot be read."""
    with suppress(InputError, KeyError, TypeError):
        return max((len(run["trials"]) for run in read_json(file)["runs"]), default=0)
    return 0


def check(
    profile: str, data: str = "", published: Published = NONE, photographs: str = "", decode: bool = True
) -> None:
    """Raise `InputError` now, in seconds, for what would stop the study hours later: data and weights not there.

    A real set that was not read before is read now, and so are photographs that are not too many; what that takes is
    printed. Without `decode`, no image is read.
    """
    chosen, _ = _on_data(get_profile(profile, data, published, photographs))
    if photographs:
        from depthseg_lib.data.sets import image_folder

        found = image_folder.listed(photographs)
        if decode and len(found.files) <= image_folder.READ_FIRST:
            image_folder.photographs(found, PretrainConfig().photograph_size, print)
    if chosen.data.data_set != "streets":
        from depthseg_lib.data import sources  # loads PyTorch: seconds that the embedded world does not need

        sources.check(chosen.data, max(chosen.sizes), chosen.depth.get("frame_step", 1), print, decode=decode)
    if published.places:
        from depthseg_lib.models.weights import starting_weights

        for encoder, initialisation, place in published.wanted(chosen.encoders):
            starting_weights(encoder, initialisation, place)


def write(study: Plan, runs: str | Path) -> None:
    """Write plan.json and params.json of each run or trial, leaving alone what already says the same."""
    root = Path(runs) / study.profile.name
    each = ((run.kind, name, values) for run in study.runs for name, values in run.settings().items())
    contents = {root / kind / name / "params.json": values for kind, name, values in each}
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
    profile = fitted(profile, keys.image_size, keys.encoder, keys.frame_step, data.usable)
    return replace(profile, name=name, compares_sizes=bool(photographed(label_set))), label_set


class _Grid:
    """The runs of a profile, each made once; `made` has the fingerprints of the pre-trainings that were, by trial."""

    def __init__(self, profile: Profile, root: Path, published: Published, notebooks: str | Path):
        self.profile, self.root, self.published, self.notebooks = profile, root, published, notebooks
        self.made: dict[str, list[str]] = {}

    def pretraining(self) -> Iterator[Run]:
        """The runs that any part starts from, with those that they start from themselves; what others need first."""
        for encoder in self.profile.encoders:
            for initialisation, large in self.starts(encoder):
                start = self._start(encoder, TRAINED_HERE[initialisation], False)
                config = pretrain_config(self.profile, encoder, initialisation, large)
                name = pretrained_name(encoder, initialisation, large)
                count = self.profile.pretrainings or self.profile.trials
                trials = self._trials("pretrain", config, "seed", count, start)
                self.made[name] = [trial["fingerprint"] for trial in trials]
                cost = 8 + _seconds(self.profile, config)
                yield Run("pretrain", name, _shared(config, trials), trials, start.needs, _reads(config), cost)

    def finetuning(self) -> Iterator[Run]:
        """The runs of every part, for each encoder that can have the initialisation."""
        for encoder, part in product(self.profile.encoders, parts(self.profile)):
            for setting, initialisation in product(part.settings, part.initialisations):
                if initialisation not in ("none", *TRAINED_HERE) and encoder not in ENCODERS[initialisation]:
                    continue
                start = self._start(encoder, initialisation, part.pretrained_large)
                chosen = dict(encoder=encoder, initialisation=initialisation, setting=setting)
                config = finetune_config(self.profile, part, **chosen)
                name = f"{encoder}-{initialisation}-{setting}-n{config.images}"
                name += f"-{config.experiment}" if config.experiment != "main" else ""
                trials = self._trials("finetune", config, "trial", self.profile.trials, start)
                cost = 6 + _seconds(self.profile, config)
                yield Run("finetune", name, _shared(config, trials), trials, start.needs, _reads(config), cost)

    def starts(self, encoder: str) -> list[tuple[str, bool]]:
        """The pre-training runs of an encoder: initialisation, and whether at the large size."""
        asked = {(name, part.pretrained_large) for part in parts(self.profile) for name in part.initialisations}
        every = {(name, large and name in NEEDS_VIDEO) for name, large in asked}
        wanted = {one for one in every if self._is_trained(encoder, *one)}
        first = {(TRAINED_HERE[name], False) for name, _ in wanted}
        wanted |= {one for one in first if self._is_trained(encoder, *one)}
        return [(name, large) for large in (False, True) for name in TRAINED_HERE if (name, large) in wanted]

    def _is_trained(self, encoder: str, initialisation: str, large: bool) -> bool:
        """Whether a pre-training run makes it: what is published was learned at the usual size."""
        given = self.published.gives(encoder, initialisation) and not (large and initialisation in NEEDS_VIDEO)
        return initialisation in TRAINED_HERE and not given

    def _start(self, encoder: str, initialisation: str, large: bool) -> "_Start":
        if self._is_trained(encoder, initialisation, large):
            name = pretrained_name(encoder, initialisation, large)
            folder, made = self.root / "pretrain" / name, self.made[name]
            files = [str(folder / f"t{number}" / "weights.safetensors") for number in range(len(made))]
            return _Start(files, made, (name,))
        if not self.published.gives(encoder, initialisation):
            return _Start([""], [""])
        place = self.published.place(encoder, initialisation)
        return _Start([place], [_published(encoder, initialisation, place)])

    def _trials(self, kind: str, config: Settings, number: str, count: int, start: "_Start") -> tuple[dict, ...]:
        """What each of `count` trials has of its own: its `number`, where it starts from, its fingerprint."""
        found = []
        for trial in range(count):
            # each has a pre-training of its own, unless one is shared or published
            weights, origin = (of[trial if trial < len(of) else 0] for of in (start.weights, start.fingerprints))
            made = fingerprint.of_run(kind, config.changed(**{number: trial}), origin, self.notebooks)
            found.append({number: trial, "start_weights": weights, "fingerprint": made})
        return tuple(found)


@dataclass(frozen=True)
class _Start:
    """What a run starts from: weights and fingerprint of each pre-training, and the run that makes them."""

    weights: list[str]
    fingerprints: list[str]
    needs: tuple[str, ...] = ()


def _shared(config: Settings, trials: tuple[dict, ...]) -> dict:
    """The settings that trials have in common."""
    return {name: value for name, value in config.to_mapping().items() if name not in trials[0]}


def _reads(config: PretrainConfig | FinetuneConfig) -> str:
    """The name of the data that a run reads: equal names are equal data, within a study."""
    if isinstance(config, PretrainConfig) and config.task == "classification":
        return "photographs"
    what = "video" if isinstance(config, PretrainConfig) else "annotated"
    return f"{what}-{config.height}x{config.width}"


def _data(runs: Iterable[Run]) -> Iterator[Data]:
    """The data that these runs read."""
    readers: dict[str, dict[str, Run]] = {}
    for run in runs:
        task = TASKS[run.parameters["initialisation"]] if run.kind == "pretrain" else "segmentation"
        readers.setdefault(run.reads, {}).setdefault(task, run)
    for name, by_task in readers.items():
        asked = next(iter(by_task.values())).parameters
        rendered, pixels = asked["data_set"] == "streets", asked["height"] * asked["width"]
        count = asked["annotated"] + asked["validation"]
        if name.startswith("video"):
            count = asked["streets"] * asked["frames"]
        elif name == "photographs":
            rendered, pixels, count = not asked["photographs_folder"], asked["photograph_size"] ** 2, asked[name]
        cost = 4 + count * (0.01 + 0.7e-6 * pixels) if rendered else 60.0
        yield Data(name, tuple(f"{run.kind}/{run.name}" for run in by_task.values()), rendered, cost)


def _published(encoder: str, initialisation: str, place: str) -> str:
    """The fingerprint of published weights."""
    if initialisation == "imagenet":
        from depthseg_lib.models.weights import imagenet_file  # loads PyTorch

        place = imagenet_file(encoder, place)
    return fingerprint.of_weights(place)


def on_gpu(encoder: str) -> bool:
    """Whether a run with this encoder is one for a GPU; the quarter-width one is for a CPU."""
    return encoder != "resnet18-slim"


def gpu_seconds(run: PretrainConfig | FinetuneConfig) -> float:
    """Seconds of training, of one trial, on the GPU that `GPU_BASIS` names."""
    task = run.task if isinstance(run, PretrainConfig) else "segmentation"
    rate = DEPTH_RATE if task in ("depth", "flow") else FINETUNE_RATE
    pixels = run.photograph_size**2 if task == "classification" else run.height * run.width
    return _steps(run) * run.batch / rate * pixels / SIZE * COST[run.encoder]


def _steps(run: PretrainConfig | FinetuneConfig) -> float:
    """Optimiser steps as long as those of the whole network; a frozen encoder takes less."""
    return run.iterations * (0.7 if isinstance(run, FinetuneConfig) and run.setting == "frozen" else 1.0)


def _seconds(profile: Profile, run: PretrainConfig | FinetuneConfig) -> float:
    """Rough seconds of training, of one trial, where the encoder is trained."""
    if on_gpu(run.encoder):
        return gpu_seconds(run)
    task = run.task if isinstance(run, PretrainConfig) else "segmentation"
    costs = {"classification": 0.25, "supervised": 1.5, "flow": 3.0, "depth": 4.0, "segmentation": 1.0}[task]
    larger = run.height * run.width / (profile.data.height * profile.data.width)
    return costs * _steps(run) * profile.step_seconds * (1.0 if task == "classification" else larger)


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
    wanted = NEEDS.get(figure, {})
    return any(
        part.experiment == wanted.get("experiment", part.experiment)
        and wanted.get("setting", part.settings[0]) in part.settings
        and wanted.get("initialisation", part.initialisations[0]) in part.initialisations
        for part in parts(profile)
    )
