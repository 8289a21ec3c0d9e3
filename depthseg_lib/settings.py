"""Settings of the study's runs, checked when they are built, and the names that the study gives its parts."""

import ast
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from depthseg_lib.errors import InputError

ENCODERS = {"resnet18": "ResNet-18", "resnet50": "ResNet-50", "resnet18-slim": "ResNet-18 slim (quarter width)"}
"""The encoders, and how figures name them."""
TRAINED_HERE = {
    "classification": "none",
    "depth": "none",
    "depth-imagenet": "imagenet",
    "depth-classification": "classification",
    "depth-supervised": "none",
    "flow": "none",
}
"""Initialisations that a pre-training run makes, and the initialisation which that run starts from."""
TASKS = dict.fromkeys(("depth", "depth-imagenet", "depth-classification"), "depth")
TASKS |= {"classification": "classification", "depth-supervised": "supervised", "flow": "flow"}
"""What each of them learns; `training.pretrain` knows how."""
NEEDS_VIDEO = tuple(name for name in TRAINED_HERE if name != "classification")
"""Those of them that are learned from video, at its resolution."""
APART = ("flow", "depth-supervised")
"""Those that the paper compares in figures of their own."""
SELF_SUPERVISED = ("moco-v2", "dino")
"""Those that others learned from photographs without labels."""
INITIALISATIONS = ("none", "imagenet", *SELF_SUPERVISED, *TRAINED_HERE)
"""Where an encoder's weights come from before fine-tuning."""
SETTINGS = ("full", "frozen", "encoder-only", "deeplab")
"""What fine-tuning keeps and trains: encoder and decoder, everything trained; the same, the decoder alone trained; the
encoder with a fresh decoder; the encoder with DeepLabV3's decoder."""
EXPERIMENT_NAMES = {
    "high": "large images",
    "whole": "large images, the whole annotated set",
    "large-to-small": "pre-trained at the large size",
    "small-to-large": "large images, pre-trained at the small size",
}
"""How figures name what is not the main comparison: fine-tuning at a high resolution, and there on the whole annotated
set; and fine-tuning at another resolution than that of the pre-training."""
EXPERIMENTS = ("main", *EXPERIMENT_NAMES)
CROSSED = ("large-to-small", "small-to-large")
"""The experiments in which pre-training and fine-tuning differ in resolution."""
FROM_LARGE = ("high", "whole", "large-to-small")
"""The experiments whose depth was learned at the large size."""
DATA_SETS = ("streets", "kitti", "nyu", "cityscapes", "folder")
PLACES = ("start_weights", "data_folder", "photographs_folder")
"""Settings that say where files are: they differ between machines and change no result."""
_EXPECTED = dict.fromkeys(("int_type", "int_from_float"), "a whole number")
_EXPECTED |= {"float_type": "a number", "string_type": "a text", "finite_number": "a finite number"}
"""What a setting's type is to a reader, by the name that pydantic gives the error."""


class Settings(BaseModel):
    """Plain values by name, of the types declared and no others; anything else raises `InputError` as one sentence."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **values):
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(_sentence(type(self), error)) from None

    @classmethod
    def of_notebook(cls, names: dict, **further) -> Self:
        """From a notebook's variables (`globals()`) that are settings by name, and `further` ones by name."""
        return cls(**{name: names[name] for name in cls.model_fields if name in names} | further)

    def changed(self, **values) -> Self:
        """The same with other `values`, checked again."""
        return type(self)(**self.to_mapping() | values)

    def to_mapping(self) -> dict:
        """Plain values by name, as JSON has them."""
        return self.model_dump()


class DataSettings(Settings):
    """Which images a run sees, and at what size."""

    data_set: Literal[DATA_SETS] = "streets"
    """streets (the embedded world), kitti (raw and semantics), nyu, cityscapes or folder (a user's own)."""
    data_folder: str = ""
    """Folder of the real set; empty for the embedded world."""
    data_digest: str = ""
    """Digest of the names and sizes of that folder's files, so that other data makes the runs anew."""
    height: int = 64
    """Image height in pixels, a multiple of 32, at least 64."""
    width: int = 192
    """Image width in pixels, a multiple of 32, at least 64."""
    streets: PositiveInt = 60
    """Streets that the unlabelled video drives through."""
    frames: PositiveInt = 40
    """Frames of video per street."""
    annotated: PositiveInt = 200
    """Annotated images of the embedded world from which training sets are drawn."""
    validation: PositiveInt = 184
    """Further ones, on which all are validated."""
    photographs: PositiveInt = 5000
    """Object photographs for classification."""
    world_seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the embedded world."""
    fingerprint: str = ""
    """What makes the run the same, as the plan has it (see `fingerprint`); empty for a run by hand."""

    @model_validator(mode="after")
    def _fits_the_networks(self) -> Self:
        if self.height % 32 or self.width % 32 or min(self.height, self.width) < 64:
            size = f"{self.height}x{self.width}"  # below 64 the decoder has no neighbour to reflect at 1/32
            raise InputError(f"images of {size}: expected height and width in multiples of 32, 64 at least")
        return self


class PretrainConfig(DataSettings):
    """One pre-training run; the defaults are the laptop study's of depth."""

    encoder: Literal[tuple(ENCODERS)] = "resnet18-slim"
    """resnet18, resnet50 or resnet18-slim."""
    initialisation: Literal[tuple(TRAINED_HERE)] = "depth"
    """What this run makes: a name of `TRAINED_HERE`, such as classification, depth or depth-classification."""
    start_weights: str = ""
    """Weights file to start from, for depth-classification (that run's) and depth-imagenet (empty: torchvision's)."""
    photographs_folder: str = ""
    """Folder of photographs for classification, with a folder per class; empty for the embedded world's."""
    photographs_digest: str = ""
    """Digest of the names and sizes of that folder's files, so that other photographs make the run anew."""
    photograph_size: Annotated[int, Field(ge=32)] = 64  # an encoder halves an image five times
    """Height and width in pixels of that folder's photographs; the embedded world's have 64."""
    iterations: PositiveInt = 450
    """Optimiser steps."""
    batch: PositiveInt = 8
    """Triplets, pairs, images or photographs per step."""
    learning_rate: PositiveFloat = 5e-4
    """Adam's first step size, which the task lowers: for depth to a tenth as Monodepth2 does, after half of the
    iterations from scratch and after three quarters from other weights."""
    unmasked: Annotated[int, Field(ge=0)] = 100
    """Iterations at the start in which depth from video has no auto-mask; 0 for Monodepth2's training."""
    frame_step: PositiveInt = 1
    """Frames between the neighbours of a triplet or pair, for slow video."""
    evaluate_every: PositiveInt = 90
    """Iterations between evaluations."""
    evaluated: PositiveInt = 64
    """Frames held out of training on which depth or flow is evaluated."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of weights, batches and augmentation: in a study the number of the trial."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Lightning Fabric's precision of the networks; pose, warp and losses are float32 always."""

    @property
    def task(self) -> str:
        """classification, flow, supervised (measured depth) or depth (from video)."""
        return TASKS[self.initialisation]

    @property
    def starts_from(self) -> str:
        """The initialisation of this run itself."""
        return TRAINED_HERE[self.initialisation]


class Protocol(Settings):
    """How fine-tuning is done, where studies differ."""

    optimiser: Literal["adam", "sgd"] = "adam"
    """Adam, or stochastic gradient descent with a momentum of 0.9."""
    schedule: Literal["cosine", "poly"] = "cosine"
    """How the step size falls to zero, per iteration: along half a cosine, or as (1 - progress) to the power of 0.9."""
    crop: Annotated[int, Field(ge=0)] = 0
    """Side in pixels of the squares that are cropped at random from the training images; 0 for whole images."""
    output_stride: Literal[8, 16] = 8
    """How much coarser than the image the maps are that DeepLab's head sees."""


PROTOCOLS = {"paper": Protocol(), "cityscapes": Protocol(optimiser="sgd", schedule="poly", crop=512, output_stride=16)}
"""The protocols by name: the paper's on KITTI, and that of its released code on Cityscapes."""


class FinetuneConfig(DataSettings):
    """One fine-tuning run; the defaults are the laptop study's of random weights."""

    encoder: Literal[tuple(ENCODERS)] = "resnet18-slim"
    """resnet18, resnet50 or resnet18-slim."""
    initialisation: Literal[INITIALISATIONS] = "none"
    """Where the weights come from: a name of `INITIALISATIONS`, such as none, imagenet, classification or depth."""
    start_weights: str = ""
    """Weights file of the pre-training, or published weights; empty for none, and for imagenet: torchvision's own."""
    experiment: Literal[EXPERIMENTS] = "main"
    """Which comparison the run belongs to: main, high, whole, large-to-small or small-to-large."""
    setting: Literal[SETTINGS] = "full"
    """full, frozen (the decoder alone is trained), encoder-only (with a fresh decoder) or deeplab (DeepLabV3's)."""
    protocol: Literal[tuple(PROTOCOLS)] = "paper"
    """Images are normalised as in the pre-training (Appendix A), and flips are the only augmentation (section 4.2)."""
    images: PositiveInt = 16
    """Training images; when these are all that are annotated, the run is validated on them too, as in figure 7."""
    trial: Annotated[int, Field(ge=0)] = 0
    """Number of the trial: the seed of the draw of training images, of the fresh layers and of the order of batches."""
    iterations: PositiveInt = 280
    """Optimiser steps."""
    batch: PositiveInt = 4
    """Images per step."""
    learning_rate: PositiveFloat = 1e-3
    """The optimiser's first step size; the protocol's schedule takes it to zero, per iteration (Appendix A)."""
    fresh_decoder: Literal["pytorch", "kaiming"] = "kaiming"
    """How a decoder that comes from no pre-training is drawn: pytorch (its default, as in Monodepth2) or kaiming."""
    evaluate_every: PositiveInt = 56
    """Iterations between evaluations."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Lightning Fabric's precision of the network; the loss is float32 always."""

    @model_validator(mode="after")
    def _has_enough_images_that_hold_the_crop(self) -> Self:
        if self.data_set == "streets" and self.images > self.annotated:
            raise InputError(f"images = {self.images}, but only {self.annotated} are annotated: ask for fewer")
        if (side := PROTOCOLS[self.protocol].crop) > min(self.height, self.width):
            raise InputError(
                f"images of {self.height}x{self.width} are smaller than the crops of {side}x{side} of the protocol "
                f"'{self.protocol}': expected larger images, or another protocol"
            )
        return self


def encoder_name(encoder: str) -> str:
    """The encoder's name for readers; the slim one is always named as such."""
    return ENCODERS.get(encoder, encoder)


def pretrained_name(encoder: str, initialisation: str, large: bool = False) -> str:
    """The name of a pre-training run, at the usual image size or at the large one (photographs have but one size)."""
    return f"{encoder}-{initialisation}" + ("-large" if large and initialisation in NEEDS_VIDEO else "")


def check_parameters(cells: Iterable[str]) -> None:
    """Raise `InputError` for a parameter that papermill was given and that the notebook does not have.

    `cells` are the texts of the cells that were run, IPython's `In`: papermill puts what it is given into one of its
    own, after that of the parameters, and says nothing of names that stand there alone.
    """
    known: set[str] = set()
    for text in cells:
        injected = text.startswith("# Parameters\n")
        try:
            targets = [
                target for node in ast.parse(text).body if isinstance(node, ast.Assign) for target in node.targets
            ]
        except SyntaxError:  # a cell with a magic
            continue
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        for name in names:
            if injected and name not in known:
                hint = close_to(name, known) or f"; it has: {', '.join(sorted(known))}"
                raise InputError(f"the notebook has no parameter '{name}'{hint}")
        known |= set(names)


def close_to(name: object, known: Iterable[str]) -> str:
    """A hint at the one of `known` that was probably meant; empty where none is close."""
    close = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _sentence(settings: type[Settings], error: ValidationError) -> str:
    """The first thing that is wrong: which setting, what it is and what was expected."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":  # one of the sentences above
        return str(first["ctx"]["error"])
    name, value, known = first["loc"][0], first["input"], settings.model_fields
    if name not in known:
        hint = close_to(name, known) or f"; known: {', '.join(known)}"
        return f"{settings.__name__} has no setting '{name}'{hint}"
    if first["type"] == "literal_error":
        choices = get_args(known[name].annotation)
        expected = f"expected one of {', '.join(choices)}{close_to(value, choices)}"
    elif first["type"] in _EXPECTED:
        expected = f"expected {_EXPECTED[first['type']]}, found {type(value).__name__}"
    else:
        expected = first["msg"].replace("Input should be", "expected")
    return f"{settings.__name__}: {name} = {value!r}: {expected}"
