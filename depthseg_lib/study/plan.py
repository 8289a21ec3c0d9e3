"""The grid: which runs a profile needs, what each starts from, and which figures they make."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

from depthseg_lib.data import labels
from depthseg_lib.data.labels import photographed
from depthseg_lib.data.sets import description as descriptions
from depthseg_lib.data.sets import own
from depthseg_lib.files import project_path, read_json, write_json
from depthseg_lib.models.published import ENCODERS, NONE, Published
from depthseg_lib.settings import NEEDS_VIDEO, TRAINED_HERE, DataSettings, FinetuneConfig, PretrainConfig
from depthseg_lib.study import estimate
from depthseg_lib.study.profiles import Fit, Profile, finetune_config, fitted, get_profile, parts, pretrain_config

DATA_SET = "folder"
KEPT = "data.json"
"""The file beside the runs by which they can be read and drawn where the data are not."""


def fitted_profile(profile: Profile, root: Path | None = None) -> Profile:
    """`profile`, with what the user's data say of it; without the data, what is kept in `root`, the runs' folder.

    Other profiles stay as they are, and so does this one where there are neither. Raises `InputError` where the
    description is wrong.
    """
    if profile.data.data_set != DATA_SET:
        return profile
    if profile.data.data_folder:
        return fitted(profile, _fit(_description(profile)))
    if root and (root / KEPT).is_file():
        return fitted(profile, Fit(**read_json(root / KEPT)["fit"]))
    return profile


def remember(profile: Profile, root: Path) -> None:
    """Keep in `root`, the folder of a profile's runs, what reading them needs of the user's data."""
    if profile.data.data_set != DATA_SET or not profile.data.data_folder:
        return
    description = _description(profile)
    content = {"fit": asdict(_fit(description)), "label_set": labels.to_mapping(description.label_set)}
    if not (root / KEPT).is_file() or read_json(root / KEPT) != content:
        write_json(root / KEPT, content)


def label_set(root: Path) -> labels.LabelSet:
    """The classes of the runs in `root`; raises `InputError` where nothing was kept."""
    return labels.from_mapping(read_json(root / KEPT)["label_set"])


def _description(profile: Profile) -> descriptions.Description:
    folder = project_path(profile.data.data_folder)
    own.check(folder)
    return descriptions.read(folder)


def _fit(description: descriptions.Description) -> Fit:
    return Fit(
        description.height,
        description.width,
        description.encoder,
        description.frame_step,
        own.usable(description),
        bool(photographed(description.label_set)),
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
    """The notebook's parameters, plain JSON values."""
    needs: tuple[str, ...]
    """Names of the pre-training runs whose weights it starts from."""
    cost: float
    """Rough seconds: on a core, or on a GPU such as `estimate.BASIS` names, as the encoder needs."""


@dataclass(frozen=True)
class Plan:
    """Everything that `make figures` does for a profile."""

    profile: Profile
    """The profile."""
    runs: tuple[Run, ...]
    """Pre-training first, then fine-tuning; a run comes after what it needs."""
    figures: dict[str, tuple[str, ...]]
    """Figures and tables by the notebook that draws them."""


def plan(profile: str, data: str = "", runs: str = "runs", published: Published = NONE, photographs: str = "") -> Plan:
    """The study of a profile on the set in the folder `data`, with its runs below the folder `runs`.

    Where there are `published` weights for an initialisation, none are trained. With `photographs`, classification is
    learned from those in that folder.
    """
    root = Path(runs) / profile
    chosen = _with_digest(fitted_profile(get_profile(profile, data, published, photographs), root))
    listed = (*_pretraining(chosen, root, published), *_finetuning(chosen, root, published))
    return Plan(chosen, listed, _figures(chosen, published))


def check(
    profile: str, data: str = "", published: Published = NONE, photographs: str = "", decode: bool = True
) -> None:
    """Raise `InputError` now, in seconds, for what would stop the study hours later: data and weights not there.

    A real set that was not read before is read now, and what that takes is printed; without `decode`, no image is read.
    """
    chosen = fitted_profile(get_profile(profile, data, published, photographs))
    if photographs:
        from depthseg_lib.data.sets import image_folder

        image_folder.listed(photographs)
    if chosen.data.data_set != "streets":
        from depthseg_lib.data import (
            arrays,
            sources,  # loads PyTorch: seconds that the embedded world does not need
        )

        sources.check(chosen.data, max(chosen.sizes), print, decode=decode)
        if decode and sources.REAL_SETS[chosen.data.data_set].READ_FIRST:
            arrays.split_triplets(sources.load_video(chosen.data), chosen.depth.get("frame_step", 1))
    if published.places:
        from depthseg_lib.models.weights import starting_weights

        for encoder, initialisation, place in published.wanted(chosen.encoders):
            starting_weights(encoder, initialisation, place)


def write_requests(study: Plan, runs: str | Path) -> None:
    """Write each run's `params.json`, leaving alone one that already says the same, so that it looks unchanged."""
    for run in study.runs:
        path = run_folder(runs, study.profile.name, run) / "params.json"
        if not path.exists() or json.loads(path.read_text()) != run.parameters:
            write_json(path, run.parameters)
    remember(study.profile, Path(runs) / study.profile.name)


def run_folder(runs: str | Path, profile: str, run: Run) -> Path:
    """The folder of a run."""
    return Path(runs) / profile / run.kind / run.name


def _pretraining(profile: Profile, root: Path, published: Published) -> Iterator[Run]:
    """The runs that any part starts from, with those that they start from themselves; each once, in order."""
    for encoder in profile.encoders:
        for initialisation, large in _starts(profile, encoder, published):
            yield _pretraining_run(profile, root, published, encoder, initialisation, large)


def _starts(profile: Profile, encoder: str, published: Published) -> list[tuple[str, bool]]:
    """The pre-training runs of an encoder: initialisation, and whether at the large size; what others need first."""
    wanted = {(name, _is_large(name, p.pretrained_large)) for p in parts(profile) for name in p.initialisations}
    wanted = {one for one in wanted if _is_trained(published, encoder, *one)}
    first = {(TRAINED_HERE[name], False) for name, _ in wanted}
    wanted |= {one for one in first if _is_trained(published, encoder, *one)}
    return [(name, large) for large in (False, True) for name in TRAINED_HERE if (name, large) in wanted]


def _is_trained(published: Published, encoder: str, initialisation: str, large: bool) -> bool:
    """Whether a pre-training run makes it: what is published was learned at the usual size, not at the large one."""
    given = published.gives(encoder, initialisation) and not _is_large(initialisation, large)
    return initialisation in TRAINED_HERE and not given


def _is_large(initialisation: str, large: bool) -> bool:
    """Photographs have one size, whatever that of the video."""
    return large and initialisation in NEEDS_VIDEO


def _pretraining_run(profile, root, published, encoder, initialisation, large) -> Run:
    weights, needs = _start(root, published, encoder, TRAINED_HERE[initialisation], False)
    config = pretrain_config(profile, encoder, initialisation, large, weights)
    name = pretrained_name(encoder, initialisation, large)
    return Run("pretrain", name, config.to_mapping(), needs, _pretraining_cost(profile, config))


def _with_digest(profile: Profile) -> Profile:
    """Runs on real images also depend on what their folder holds, and classification on its photographs."""
    if photographs := profile.classification.get("photographs_folder"):
        from depthseg_lib.data.sets import image_folder

        digest = {"photographs_digest": image_folder.digest(photographs)}
        profile = replace(profile, classification=profile.classification | digest)
    if not profile.data.data_folder:
        return profile
    from depthseg_lib.data import sources  # loads PyTorch: seconds that the embedded world does not need

    return replace(profile, data=replace(profile.data, data_digest=sources.digest(profile.data)))


def _finetuning(profile: Profile, root: Path, published: Published) -> Iterator[Run]:
    for encoder, part in product(profile.encoders, parts(profile)):
        for setting, initialisation in product(part.settings, part.initialisations):
            if not _exists(encoder, initialisation):
                continue
            weights, needs = _start(root, published, encoder, initialisation, part.pretrained_large)
            chosen = dict(encoder=encoder, initialisation=initialisation, setting=setting)
            yield _finetuning_run(profile, finetune_config(profile, part, **chosen, start_weights=weights), needs)


def _exists(encoder: str, initialisation: str) -> bool:
    """Whether an encoder can have it: not all encoders have published weights of every kind."""
    return initialisation in ("none", *TRAINED_HERE) or encoder in ENCODERS[initialisation]


def _finetuning_run(profile: Profile, config: FinetuneConfig, needs: tuple[str, ...]) -> Run:
    name = f"{config.encoder}-{config.initialisation}-{config.setting}-n{config.images}"
    name += f"-{config.experiment}" if config.experiment != "main" else ""
    parameters = config.to_mapping() | {"trials": profile.trials}
    return Run("finetune", name, parameters, needs, 8 + 4 * profile.trials + _finetuning_cost(profile, parameters))


def _pixels(data: DataSettings) -> int:
    return data.height * data.width


def pretrained_name(encoder: str, initialisation: str, large: bool) -> str:
    """The name of a pre-training run."""
    return f"{encoder}-{initialisation}" + ("-large" if _is_large(initialisation, large) else "")


def _start(root: Path, published: Published, encoder: str, initialisation: str, large: bool) -> tuple[str, tuple]:
    """The weights that a run starts from, and the names of the runs that make them."""
    if _is_trained(published, encoder, initialisation, large):
        name = pretrained_name(encoder, initialisation, large)
        return str(root / "pretrain" / name / "weights.safetensors"), (name,)
    return (published.place(encoder, initialisation) if published.gives(encoder, initialisation) else ""), ()


def _finetuning_cost(profile: Profile, run: dict) -> float:
    if estimate.on_gpu(run["encoder"]):
        return estimate.gpu_seconds("finetune", run)
    share = 0.7 if run["setting"] == "frozen" else 1.0
    larger = run["height"] * run["width"] / _pixels(profile.data)
    return profile.trials * run["iterations"] * share * profile.step_seconds * larger


def _pretraining_cost(profile: Profile, config: PretrainConfig) -> float:
    if estimate.on_gpu(config.encoder):
        return 20 + estimate.gpu_seconds("pretrain", config.to_mapping())
    steps = {"classification": 0.25, "supervised": 1.5, "flow": 3.0, "depth": 4.0}[config.task]
    larger = 1.0 if config.task == "classification" else _pixels(config) / _pixels(profile.data)
    return 20 + steps * config.iterations * profile.step_seconds * larger


def _figures(profile: Profile, published: Published) -> dict[str, tuple[str, ...]]:
    """What the profile's runs suffice for; a notebook of which nothing can be drawn is not run."""
    chosen = {
        notebook: tuple(n for n in names if _has_runs(profile, published, n)) for notebook, names in FIGURES.items()
    }
    return {notebook: names for notebook, names in chosen.items() if names}


def _has_runs(profile: Profile, published: Published, figure: str) -> bool:
    """Whether some part of the profile has what only this figure needs."""
    if figure == "depth":
        trained = _starts(profile, profile.encoders[0], published)
        return any(name.startswith("depth") and not large for name, large in trained)
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
