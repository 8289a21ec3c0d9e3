"""The profiles by name, and the settings of their runs. `make figures` reruns what a change here touches."""

from dataclasses import replace

from depthseg_lib.errors import InputError
from depthseg_lib.models.published import NONE, Published
from depthseg_lib.settings import NEEDS_VIDEO, TRAINED_HERE, DataSettings, FinetuneConfig, PretrainConfig, close_to
from depthseg_lib.study.profile import PRETRAINED, Part, Profile, other_parts, with_imagenet

_PAPERS = dict(iterations=20000, batch=16, learning_rate=1e-5, evaluate_every=1000, precision="bf16-mixed")
"""The paper's training (Appendix A) for as much as pre-training shares with fine-tuning."""
_PAPERS_FINETUNING = _PAPERS | dict(fresh_decoder="pytorch")
_CITYSCAPES_DEPTH = _PAPERS | dict(iterations=125000, batch=12, learning_rate=1e-4, evaluate_every=5000, unmasked=0)
_EPOCH = 3318
"""Iterations in which Monodepth2 sees the 39,810 triplets of the Eigen-Zhou split once, 12 at a time."""

EMBEDDED = (
    Profile(
        name="smoke",
        about="a few steps of everything on a tiny street world, for tests; its figures mean nothing",
        data=DataSettings(height=64, width=96, streets=4, frames=6, annotated=24, validation=20, photographs=200),
        encoders=("resnet18-slim",),
        initialisations=("none", "classification", "depth"),
        settings=("full",),
        trials=1,
        sizes=(4, 8),
        images=4,
        classification=dict(iterations=4, batch=8, learning_rate=1e-3, evaluate_every=2),
        depth=dict(iterations=4, batch=2, learning_rate=1e-4, evaluate_every=2, evaluated=4, unmasked=1),
        supervised=dict(iterations=4, batch=2, learning_rate=1e-4, evaluate_every=2, evaluated=4),
        flow=dict(iterations=4, batch=2, learning_rate=1e-4, evaluate_every=2, evaluated=4),
        finetune=dict(iterations=4, batch=2, evaluate_every=2, fresh_decoder="kaiming"),
        large=dict(height=96, width=128),
        parts=(
            Part(("encoder-only",), ("depth-classification",), 4),
            Part(("deeplab", "frozen"), ("depth",), 4),
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
        initialisations=PRETRAINED,
        classification=dict(iterations=1200, batch=32, learning_rate=1e-3, evaluate_every=200),
        depth=dict(iterations=450, batch=8, learning_rate=5e-4, evaluate_every=90),
        supervised=dict(iterations=600, batch=8, learning_rate=5e-4, evaluate_every=200),
        flow=dict(iterations=900, batch=8, learning_rate=5e-4, evaluate_every=225),
        finetune=dict(iterations=280, batch=4, learning_rate=1e-3, evaluate_every=56, fresh_decoder="kaiming"),
        other_sizes=dict(evaluate_every=280),
        large=dict(height=96, width=288, streets=30),
        parts=other_parts(16, 200, dict(iterations=200, evaluate_every=50), dict(iterations=350, evaluate_every=117)),
        step_seconds=0.1,
    ),
    Profile(
        name="gpu",
        about="the study on the embedded street world at the paper's image size, for one GPU",
        data=DataSettings(height=192, width=640, streets=200, frames=60, annotated=200, photographs=20000),
        initialisations=PRETRAINED,
        classification=_PAPERS | dict(iterations=10000, batch=128, learning_rate=1e-3),
        depth=_PAPERS | dict(batch=12, learning_rate=1e-4, evaluate_every=2000, unmasked=0),
        supervised=_PAPERS | dict(batch=8, learning_rate=1e-4, evaluate_every=2000),
        flow=_PAPERS | dict(batch=8, learning_rate=5e-4, evaluate_every=2000),
        finetune=_PAPERS_FINETUNING | dict(iterations=4000, learning_rate=1e-4, evaluate_every=250),
        large=dict(height=320, width=1024),
        parts=with_imagenet(other_parts(16, 200, {}, dict(iterations=10000, evaluate_every=500), large=PRETRAINED)),
    ),
)
"""In the order in which they are named."""

REAL = (
    Profile(
        name="kitti",
        about="the paper's own study on KITTI: depth from KITTI raw, KITTI semantics; ImageNet with IMAGENET=",
        pretrainings=1,
        data=DataSettings(data_set="kitti", height=192, width=640, annotated=200),
        # photographs of the embedded world, 64x64, would stand for nothing that the paper has: it has ImageNet
        initialisations=("none", "depth"),
        depth=_PAPERS
        | dict(iterations=30 * _EPOCH, batch=12, learning_rate=1e-4, evaluate_every=_EPOCH, evaluated=697, unmasked=0),
        depth_started=dict(iterations=20 * _EPOCH),
        # 50 epochs of 39,810 in batches of 8
        flow=_PAPERS | dict(iterations=50 * 4976, batch=8, learning_rate=5e-4, evaluate_every=4976),
        finetune=_PAPERS_FINETUNING,
        large=dict(height=320, width=1024),
        parts=with_imagenet(
            other_parts(16, 200, {}, dict(iterations=50000), tasks=("flow",), large=PRETRAINED), alone=True
        ),
        step_seconds=0.03,
    ),
    Profile(  # section 4.3; an epoch is all 407,024 frames of the raw dump, 50,878 steps
        name="nyu",
        about="the paper's NYU-V2: 13 classes indoors, depth from a depth camera, everything trained",
        pretrainings=1,
        data=DataSettings(data_set="nyu", height=384, width=448),
        initialisations=("none", "depth-supervised"),
        not_trained=("depth-imagenet",),
        settings=("full",),
        sizes=(795,),
        images=795,
        supervised=_PAPERS | dict(iterations=508780, batch=8, learning_rate=1e-4, evaluate_every=10000),
        finetune=_PAPERS_FINETUNING | dict(batch=32),
        finetune_of={"resnet50": dict(batch=16)},
        step_seconds=0.08,
    ),
    Profile(  # 125,000 steps are Monodepth2's 20 epochs of the training snippets
        name="cityscapes",
        about="Cityscapes by the released code: all training images, DeepLab, random crops; depth from its video",
        pretrainings=1,
        data=DataSettings(data_set="cityscapes", height=512, width=512),
        initialisations=("none", "depth"),
        settings=("deeplab",),
        sizes=(2975,),
        images=2975,
        depth=_CITYSCAPES_DEPTH,
        finetune=_PAPERS_FINETUNING  # crops of whole images, on which it is evaluated too
        | dict(height=1024, width=2048, protocol="cityscapes", iterations=50000, batch=32, learning_rate=0.01)
        | dict(evaluate_every=2500),
        step_seconds=0.06,
    ),
    Profile(
        name="cityscapes-as-kitti",
        about="Cityscapes as the paper does KITTI, and all its training images: depth from their video",
        pretrainings=1,
        data=DataSettings(data_set="cityscapes", height=512, width=512),
        initialisations=("none", "depth"),
        sizes=(8, 16, 32, 64, 128, 2975),
        depth=_CITYSCAPES_DEPTH,
        finetune=_PAPERS_FINETUNING,
        parts=with_imagenet(
            (Part(("encoder-only",), ("depth", "depth-classification"), 16), Part(("deeplab",), PRETRAINED, 16)),
            alone=True,
        ),
        step_seconds=0.06,
    ),
    Profile(
        name="folder",
        about="a user's own images, labels and video; image size and encoder stand in their dataset.json",
        data=DataSettings(data_set="folder", height=96, width=160),
        encoders=("resnet18-slim",),
        initialisations=("none", "classification", "depth"),
        classification=dict(iterations=1200, batch=32, learning_rate=1e-3, evaluate_every=200),
        depth=dict(iterations=1200, batch=8, learning_rate=5e-4, evaluate_every=200),
        finetune=dict(iterations=400, batch=8, learning_rate=1e-3, evaluate_every=80, fresh_decoder="kaiming"),
    ),
)
"""In the order in which they are named."""


PROFILES = {profile.name: profile for profile in (*EMBEDDED, *REAL)}
"""The profiles by name."""


def fitted(profile: Profile, size: tuple[int, int], encoder: str, frame_step: int, usable: int) -> Profile:
    """`profile` on a user's own data, by what these say: image height and width, encoder, frames between neighbours.

    No training set is larger than `usable`, which leaves images to validate on, and there is one at least. All encoders
    but resnet18-slim take the iterations, rates and trials of the profile `gpu`.
    """
    sizes = tuple(size for size in profile.sizes if size <= usable) or (usable,)
    usual = max((size for size in sizes if size <= profile.images), default=sizes[0])
    data = profile.data.changed(height=size[0], width=size[1])
    profile = replace(profile, data=data, sizes=sizes, images=usual)
    if encoder not in profile.encoders:
        gpu = PROFILES["gpu"]
        kept = {key: value for key, value in profile.classification.items() if key == "photographs_folder"}
        trained = dict(classification=gpu.classification | kept, depth=gpu.depth, finetune=gpu.finetune)
        profile = replace(profile, encoders=(encoder,), trials=gpu.trials, **trained)
    return replace(profile, depth=profile.depth | dict(frame_step=frame_step))


def get_profile(name: str, data_folder: str = "", published: Published = NONE, photographs: str = "") -> Profile:
    """The profile of this name on `data_folder`, which compares what is `published` besides.

    With `photographs`, classification is pre-trained on that folder's photographs.
    """
    if name not in PROFILES:
        expected = f"expected one of {', '.join(PROFILES)}{close_to(name, PROFILES)}"
        raise InputError(f"unknown profile '{name}': {expected}")
    profile = PROFILES[name]
    if data_folder and profile.data.data_set == "streets":
        raise InputError(
            f"the profile '{name}' runs on the embedded world and reads no DATA, but DATA={data_folder} was given: "
            "drop it, or name a profile for real images, such as PROFILE=folder"
        )
    if photographs and (profile.data.data_set == "streets" or not profile.classification):
        lacks = "runs on the embedded world" if profile.classification else "pre-trains no classification"
        raise InputError(
            f"the profile '{name}' {lacks} and reads no PHOTOGRAPHS, but PHOTOGRAPHS={photographs} was given: drop "
            "it, or name a profile for real images that does, such as PROFILE=folder"
        )
    if photographs:
        profile = replace(profile, classification=profile.classification | {"photographs_folder": photographs})
    added = (n for n in published.initialisations if n in published.places or n not in profile.not_trained)
    initialisations = tuple(dict.fromkeys((*profile.initialisations, *added)))
    known, parts = ("none", *initialisations), []
    for part in profile.parts:  # depth at the large size is trained here even where it is given at the usual one
        needs = {n: TRAINED_HERE.get(n, "none") if part.pretrained_large else n for n in part.imagenet}
        joins = (n for n, need in needs.items() if n in known and need in known)
        parts.append(replace(part, initialisations=(*part.initialisations, *joins)))
    data = profile.data.changed(data_folder=data_folder)
    return replace(profile, initialisations=initialisations, data=data, parts=tuple(parts))


def parts(profile: Profile) -> tuple[Part, ...]:
    """All fine-tuning runs: every setting at the usual number of images, `full` at the others, and the rest."""
    usual = Part(profile.settings, profile.initialisations, profile.images)
    sizes = (size for size in profile.sizes if size != profile.images)
    others = (Part(("full",), profile.initialisations, size, finetune=profile.other_sizes) for size in sizes)
    return (usual, *others, *profile.parts)


def pretrain_config(profile: Profile, encoder: str, initialisation: str, large: bool = False) -> PretrainConfig:
    """The settings of one pre-training run of a profile, at its image size or at the large one."""
    other = {"classification": profile.classification, "depth-supervised": profile.supervised, "flow": profile.flow}
    chosen = {**other.get(initialisation, profile.depth), **(profile.depth_large if large else {})}
    if initialisation in NEEDS_VIDEO and TRAINED_HERE[initialisation] != "none":
        chosen |= profile.depth_started
    return PretrainConfig(**_data(profile, large), **chosen, encoder=encoder, initialisation=initialisation)


def finetune_config(profile: Profile, part: Part, **run) -> FinetuneConfig:
    """The settings of one fine-tuning run of a part of a profile."""
    own = {**profile.finetune, **profile.finetune_of.get(run.get("encoder", ""), {})}
    chosen = {**own, **part.finetune, "experiment": part.experiment, "images": part.images}
    return FinetuneConfig(**_data(profile, part.large) | chosen | run)


def _data(profile: Profile, large: bool) -> dict:
    return profile.data.to_mapping() | (profile.large if large else {})
