"""What a profile is: how large the study is, on which data, and which runs it has."""

from dataclasses import dataclass, field, replace

from depthseg_lib.settings import APART, DataSettings

PRETRAINED = ("none", "classification", "depth", "depth-classification")
"""The initialisations of the main comparison on the embedded world."""
Names = tuple[str, ...]


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
    imagenet: tuple[str, ...] = ()
    """Initialisations to compare besides, where ImageNet's weights are given."""


@dataclass(frozen=True)
class Profile:
    """One size of the study; what it does not say is as in the paper."""

    name: str
    """Name on the command line and in figures."""
    about: str
    """What it is for, in a line."""
    data: DataSettings
    """Images and their size."""
    initialisations: tuple[str, ...]
    """Initialisations to compare."""
    encoders: tuple[str, ...] = ("resnet18", "resnet50")
    """Encoders to compare."""
    settings: tuple[str, ...] = ("full", "frozen")
    """Fine-tuning settings."""
    trials: int = 4
    """Repetitions of the study: each has pre-trainings, annotated images, fresh layers and an order of batches of its
    own; the last three are the same for all its initialisations."""
    pretrainings: int = 0
    """1 where all trials share one pre-training of each kind, which costs too much to be repeated; 0 for one each."""
    sizes: tuple[int, ...] = (8, 16, 32, 64, 128)
    """Training-set sizes of figure 4; `images` is among them."""
    images: int = 16
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
    other_sizes: dict = field(default_factory=dict)
    """Settings of `FinetuneConfig` for the other training-set sizes, of which only the end is drawn."""
    finetune_of: dict[str, dict] = field(default_factory=dict)
    """Settings of `FinetuneConfig` that an encoder has besides those, by its name."""
    not_trained: tuple[str, ...] = ()
    """Initialisations that ImageNet's weights would add, but that this study does not train."""
    large: dict = field(default_factory=dict)
    """Settings of `DataSettings` at the large image size."""
    depth_large: dict = field(default_factory=dict)
    """Settings of `PretrainConfig` for depth at that size, besides those of `depth`."""
    depth_started: dict = field(default_factory=dict)
    """Settings of `PretrainConfig` for depth that starts from another pre-training, besides those of `depth`."""
    parts: tuple[Part, ...] = ()
    """Runs besides the main comparison of `initialisations` in `settings` and over `sizes`."""
    compares_sizes: bool = True
    """Whether the photographs show things that the annotated images have as classes, for figure 10."""
    step_seconds: float = 0.15
    """Rough seconds per fine-tuning step of the quarter-width network on a core, from which the first estimate of the
    study's length is made; runs for a GPU are estimated otherwise."""


def other_parts(
    images: int, annotated: int, high: dict, whole: dict, tasks: Names = APART, large: Names = PRETRAINED[:3]
) -> tuple[Part, ...]:
    """What the paper has besides Figures 3 to 5; `high` and `whole` are settings of fine-tuning at the large size,
    `tasks` the initialisations that it compares apart, `large` those at the large size (DeepLab without the first)."""
    at_large = dict(large=True, pretrained_large=True)
    return (
        Part(("encoder-only",), ("depth", "depth-classification"), images),
        Part(("deeplab",), PRETRAINED, images),
        Part(("full",), tasks, images),
        Part(("full",), large, images, "high", **at_large, finetune=high),
        Part(("deeplab",), large[1:], images, "high", **at_large, finetune=high),
        Part(("full",), large, annotated, "whole", **at_large, finetune=whole),
        Part(("full",), ("depth",), images, "large-to-small", pretrained_large=True),
        Part(("full",), ("depth",), images, "small-to-large", large=True, finetune=high),
    )


def with_imagenet(parts: tuple[Part, ...], alone: bool = False) -> tuple[Part, ...]:
    """The same with ImageNet's weights, where given, besides a classification that is trained here, or `alone`."""
    counterparts = {"classification": "imagenet", "depth-classification": "depth-imagenet"}
    return tuple(
        replace(
            part,
            initialisations=tuple(n for n in part.initialisations if not (alone and n in counterparts)),
            imagenet=tuple(counterparts[n] for n in part.initialisations if n in counterparts),
        )
        for part in parts
    )
