"""The profiles: how large the study is on which data. `make figures` reruns what a change here touches."""

from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from depthseg_lib.config import DataSettings, FinetuneConfig, PretrainConfig
from depthseg_lib.errors import InputError


@dataclass(frozen=True)
class Part:
    """Fine-tuning runs of one kind: every initialisation in every setting, in all trials."""

    settings: tuple[str, ...]
    """Fine-tuning settings."""
    initialisations: tuple[str, ...]
    """Initialisations to compare."""
    images: int
    """Training images."""
    experiment: str = "main"
    """Which comparison they belong to."""
    large: bool = False
    """Whether to fine-tune at the profile's large image size."""
    pretrained_large: bool = False
    """Whether depth was learned at that size."""
    finetune: dict = field(default_factory=dict)
    """Settings of `FinetuneConfig` besides the profile's."""


@dataclass(frozen=True)
class Profile:
    """One size of the study."""

    name: str
    """Name on the command line and in figures."""
    about: str
    """What it is for, in a line."""
    data: DataSettings
    """Images and their size."""
    encoders: tuple[str, ...]
    """Encoders to compare."""
    initialisations: tuple[str, ...]
    """Initialisations to compare."""
    settings: tuple[str, ...]
    """Fine-tuning settings."""
    trials: int
    """Trials per setting; they differ in fresh layers and order of batches, and are paired across initialisations."""
    sizes: tuple[int, ...]
    """Training-set sizes of figure 4; `images` is among them."""
    images: int
    """Training images everywhere else."""
    classification: dict = field(default_factory=dict)
    """Settings of `PretrainConfig` for classification."""
    depth: dict = field(default_factory=dict)
    """Settings of `PretrainConfig` for depth from video."""
    supervised: dict = field(default_factory=dict)
    """Settings of `PretrainConfig` for depth from measured depth (depth-supervised)."""
    flow: dict = field(default_factory=dict)
    """Settings of `PretrainConfig` for optical flow."""
    finetune: dict = field(default_factory=dict)
    """Settings of `FinetuneConfig`."""
    finetune_of: dict[str, dict] = field(default_factory=dict)
    """Settings of `FinetuneConfig` that an encoder has besides those, by its name."""
    with_imagenet: tuple[str, ...] = ("imagenet", "depth-imagenet")
    """Initialisations that ImageNet's weights add."""
    large: dict = field(default_factory=dict)
    """Settings of `DataSettings` at the large image size."""
    depth_large: dict = field(default_factory=dict)
    """Settings of `PretrainConfig` for depth at that size, besides those of `depth`."""
    parts: tuple[Part, ...] = ()
    """Runs besides the main comparison of `initialisations` in `settings` and over `sizes`."""
    compares_sizes: bool = True
    """Whether any class is a thing that the embedded world's photographs show too, whose sizes figure 10 compares."""
    step_seconds: float = 0.15
    """Rough seconds per fine-tuning step of the quarter-width network on a core, from which the first estimate of the
    study's length is made; runs for a GPU are estimated otherwise."""


_PRETRAINED = ("none", "classification", "depth", "depth-classification")
_PAPERS = dict(iterations=20000, batch=16, learning_rate=1e-5, evaluate_every=1000, precision="bf16-mixed")


def _other_parts(images: int, annotated: int, high: dict, whole: dict) -> tuple[Part, ...]:
    """What the paper has besides Figures 3 to 5; `high` and `whole` are settings of fine-tuning at the large size."""
    few = ("none", "classification", "depth")
    return (
        Part(("encoder-only",), ("depth", "depth-classification"), images),
        Part(("deeplab",), _PRETRAINED, images),
        Part(("full",), ("flow", "depth-supervised"), images),
        Part(("full",), few, images, "high", large=True, pretrained_large=True, finetune=high),
        Part(("deeplab",), few[1:], images, "high", large=True, pretrained_large=True, finetune=high),
        Part(("full",), few, annotated, "whole", large=True, pretrained_large=True, finetune=whole),
        Part(("full",), ("depth",), images, "large-to-small", pretrained_large=True),
        Part(("full",), ("depth",), images, "small-to-large", large=True, finetune=high),
    )


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="smoke",
            about="a few steps of everything on a tiny street world, for tests; its figures mean nothing",
            data=DataSettings(height=64, width=96, streets=4, frames=6, annotated=24, photographs=200),
            encoders=("resnet18-slim",),
            initialisations=("none", "classification", "depth"),
            settings=("full", "frozen"),
            trials=1,
            sizes=(4, 8),
            images=4,
            classification=dict(iterations=4, batch=8, learning_rate=1e-3, evaluate_every=2),
            depth=dict(iterations=4, batch=2, evaluate_every=2, evaluated=4),
            supervised=dict(iterations=4, batch=2, evaluate_every=2, evaluated=4),
            flow=dict(iterations=4, batch=2, evaluate_every=2, evaluated=4),
            finetune=dict(iterations=4, batch=2, evaluate_every=2, fresh_decoder="kaiming"),
            large=dict(height=96, width=128),
            parts=(
                Part(("encoder-only",), ("depth-classification",), 4),
                Part(("deeplab",), ("none", "depth"), 4),
                Part(("full",), ("flow", "depth-supervised"), 4),
                Part(("full", "deeplab"), ("depth",), 4, "high", large=True, pretrained_large=True),
                Part(("full",), ("none",), 24, "whole", large=True),
                Part(("full",), ("depth",), 4, "large-to-small", pretrained_large=True),
                Part(("full",), ("depth",), 4, "small-to-large", large=True),
            ),
            step_seconds=0.05,
        ),
        Profile(
            name="laptop",
            about="the study on the embedded street world, for two cores and no GPU",
            data=DataSettings(height=64, width=192, streets=60, frames=40, annotated=200, photographs=5000),
            encoders=("resnet18-slim",),
            initialisations=_PRETRAINED,
            settings=("full", "frozen"),
            trials=3,
            sizes=(8, 16, 32, 64, 128),
            images=16,
            classification=dict(iterations=1200, batch=32, learning_rate=1e-3, evaluate_every=200),
            depth=dict(iterations=1000, batch=8, learning_rate=5e-4, evaluate_every=200),
            supervised=dict(iterations=600, batch=8, learning_rate=5e-4, evaluate_every=200),
            flow=dict(iterations=500, batch=8, learning_rate=5e-4, evaluate_every=125),
            finetune=dict(iterations=320, batch=4, learning_rate=1e-3, evaluate_every=64, fresh_decoder="kaiming"),
            large=dict(height=96, width=288, streets=30),
            depth_large=dict(iterations=450, evaluate_every=150),
            parts=_other_parts(
                16, 200, dict(iterations=200, evaluate_every=40), dict(iterations=320, evaluate_every=64)
            ),
            step_seconds=0.1,
        ),
        Profile(
            name="gpu",
            about="the study on the embedded street world at the paper's image size, for one GPU",
            data=DataSettings(height=192, width=640, streets=200, frames=60, annotated=200, photographs=20000),
            encoders=("resnet18", "resnet50"),
            initialisations=_PRETRAINED,
            settings=("full", "frozen"),
            trials=4,
            sizes=(8, 16, 32, 64, 128),
            images=16,
            classification=dict(
                iterations=10000, batch=128, learning_rate=1e-3, evaluate_every=1000, precision="bf16-mixed"
            ),
            depth=dict(iterations=20000, batch=12, learning_rate=1e-4, evaluate_every=2000, precision="bf16-mixed"),
            supervised=dict(iterations=20000, batch=8, learning_rate=1e-4, evaluate_every=2000, precision="bf16-mixed"),
            flow=dict(iterations=20000, batch=8, learning_rate=5e-4, evaluate_every=2000, precision="bf16-mixed"),
            finetune=dict(iterations=4000, batch=16, learning_rate=1e-4, evaluate_every=250, precision="bf16-mixed"),
            large=dict(height=320, width=1024, streets=100),
            depth_large=dict(iterations=10000),
            parts=_other_parts(16, 200, {}, dict(iterations=10000, evaluate_every=500)),
        ),
        Profile(
            name="camvid",
            about="a check on small real sets: CamVid's 11 classes, depth from highway, KITTI and CamVid video",
            data=DataSettings(data_set="camvid", height=96, width=128),
            encoders=("resnet18-slim",),
            initialisations=("none", "classification", "depth"),
            settings=("full", "frozen"),
            trials=2,
            sizes=(16,),
            images=16,
            classification=dict(iterations=1200, batch=32, learning_rate=1e-3, evaluate_every=200),
            depth=dict(iterations=1200, batch=8, learning_rate=5e-4, evaluate_every=200),
            flow=dict(iterations=1200, batch=8, learning_rate=5e-4, evaluate_every=200),
            finetune=dict(iterations=400, batch=8, learning_rate=1e-3, evaluate_every=80),
        ),
        Profile(  # section 4.3; an epoch is all 407,024 frames of the raw dump, 50,878 steps
            name="nyu",
            about="the paper's NYU-V2: 13 classes indoors, depth from a depth camera, everything trained",
            data=DataSettings(data_set="nyu", height=384, width=448),
            encoders=("resnet18", "resnet50"),
            initialisations=("none", "depth-supervised"),
            with_imagenet=("imagenet",),
            settings=("full",),
            trials=4,
            sizes=(795,),
            images=795,
            supervised=_PAPERS | dict(iterations=508780, batch=8, learning_rate=1e-4, evaluate_every=10000),
            finetune=_PAPERS | dict(batch=32),
            finetune_of={"resnet50": dict(batch=16)},
            step_seconds=0.08,
        ),
        Profile(  # the paper's KITTI protocol; 125,000 steps are Monodepth2's 20 epochs of the training snippets
            name="cityscapes",
            about="Cityscapes as the paper does KITTI, and all its training images: depth from their video",
            data=DataSettings(data_set="cityscapes", height=512, width=512),
            encoders=("resnet18", "resnet50"),
            initialisations=("none", "depth"),
            settings=("full", "frozen"),
            trials=4,
            sizes=(8, 16, 32, 64, 128, 2975),
            images=16,
            depth=_PAPERS | dict(iterations=125000, batch=12, learning_rate=1e-4, evaluate_every=5000),
            finetune=_PAPERS,
            parts=(Part(("encoder-only",), ("depth",), 16), Part(("deeplab",), ("none", "depth"), 16)),
            step_seconds=0.06,
        ),
        Profile(
            name="folder",
            about="a user's own images, labels and video; image size and encoder stand in their dataset.json",
            data=DataSettings(data_set="folder", height=96, width=160),
            encoders=("resnet18-slim",),
            initialisations=("none", "classification", "depth"),
            settings=("full", "frozen"),
            trials=3,
            sizes=(8, 16, 32, 64, 128),
            images=16,
            classification=dict(iterations=1200, batch=32, learning_rate=1e-3, evaluate_every=200),
            depth=dict(iterations=1200, batch=8, learning_rate=5e-4, evaluate_every=200),
            finetune=dict(iterations=400, batch=8, learning_rate=1e-3, evaluate_every=80),
        ),
    )
}
"""The profiles by name."""


@dataclass(frozen=True)
class Fit:
    """What a user's own data say about the study on them."""

    height: int
    """Image height."""
    width: int
    """Image width."""
    encoder: str
    """The encoder; all but resnet18-slim take the iterations, rates and trials of the profile `gpu`."""
    frame_step: int
    """Frames between the neighbours of a triplet."""
    usable: int
    """The largest training set that leaves images to validate on."""
    compares_sizes: bool = True
    """As in `Profile`."""


def fitted(profile: Profile, fit: Fit) -> Profile:
    """`profile` on data of this kind: no training set is larger than they allow, and there is one at least."""
    sizes = tuple(size for size in profile.sizes if size <= fit.usable) or (fit.usable,)
    usual = max((size for size in sizes if size <= profile.images), default=sizes[0])
    data = replace(profile.data, height=fit.height, width=fit.width)
    profile = replace(profile, data=data, sizes=sizes, images=usual)
    if fit.encoder not in profile.encoders:
        gpu = PROFILES["gpu"]
        kept = {key: value for key, value in profile.classification.items() if key == "photographs_folder"}
        trained = dict(classification=gpu.classification | kept, depth=gpu.depth, finetune=gpu.finetune)
        profile = replace(profile, encoders=(fit.encoder,), trials=gpu.trials, **trained)
    depth = profile.depth | dict(frame_step=fit.frame_step)
    return replace(profile, depth=depth, compares_sizes=fit.compares_sizes)


def get_profile(name: str, data_folder: str = "", imagenet: str = "", photographs: str = "") -> Profile:
    """The profile of this name on `data_folder`; `imagenet` (a folder, `download`) adds ImageNet's initialisations.

    With `photographs`, classification is pre-trained on that folder's photographs.
    """
    if name not in PROFILES:
        close = get_close_matches(name, PROFILES, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise InputError(f"unknown profile '{name}': expected one of {', '.join(PROFILES)}{hint}")
    profile = PROFILES[name]
    if data_folder and profile.data.data_set == "streets":
        raise InputError(
            f"the profile '{name}' runs on the embedded world and reads no DATA, but DATA={data_folder} was given: "
            "drop it, or name a profile for real images, such as PROFILE=camvid"
        )
    if photographs:
        profile = replace(profile, classification=profile.classification | _photographs(profile, photographs))
    if imagenet:
        profile = replace(profile, initialisations=(*profile.initialisations, *profile.with_imagenet))
    return replace(profile, data=replace(profile.data, data_folder=data_folder))


def _photographs(profile: Profile, folder: str) -> dict:
    """The settings of `PretrainConfig` by which classification is pre-trained on a folder of photographs."""
    if profile.data.data_set == "streets" or not profile.classification:
        lacks = "runs on the embedded world" if profile.classification else "pre-trains no classification"
        raise InputError(
            f"the profile '{profile.name}' {lacks} and reads no PHOTOGRAPHS, but PHOTOGRAPHS={folder} was given: drop "
            "it, or name a profile for real images that does, such as PROFILE=camvid"
        )
    return {"photographs_folder": folder}


def parts(profile: Profile) -> tuple[Part, ...]:
    """All fine-tuning runs: every setting at the usual number of images, `full` at the others, and the rest."""
    usual = Part(profile.settings, profile.initialisations, profile.images)
    others = (Part(("full",), profile.initialisations, size) for size in profile.sizes if size != profile.images)
    return (usual, *others, *profile.parts)


def pretrain_config(
    profile: Profile, encoder: str, initialisation: str, large: bool = False, start_weights: str = ""
) -> PretrainConfig:
    """The settings of one pre-training run of a profile, at its image size or at the large one."""
    other = {"classification": profile.classification, "depth-supervised": profile.supervised, "flow": profile.flow}
    chosen = {**other.get(initialisation, profile.depth), **(profile.depth_large if large else {})}
    names = dict(encoder=encoder, initialisation=initialisation, start_weights=start_weights)
    return PretrainConfig(**_data(profile, large), **chosen, **names)


def finetune_config(profile: Profile, part: Part, **run) -> FinetuneConfig:
    """The settings of one fine-tuning run of a part of a profile."""
    own = {**profile.finetune, **profile.finetune_of.get(run.get("encoder", ""), {})}
    chosen = {**own, **part.finetune, "experiment": part.experiment, "images": part.images}
    return FinetuneConfig(**_data(profile, part.large), **chosen, **run)


def _data(profile: Profile, large: bool) -> dict:
    return profile.data.to_mapping() | (profile.large if large else {})
