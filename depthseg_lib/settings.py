"""Settings of the study's runs: frozen dataclasses of plain values, checked when they are built."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Self

from depthseg_lib.errors import InputError

ENCODERS = ("resnet18", "resnet50", "resnet18-slim")
"""Names of the encoders."""
STUDY_VERSION = 3
"""Raised when what a run does changes, so that stored results of another version are not mixed in."""
TRAINED_HERE = {
    "classification": "none",
    "depth": "none",
    "depth-imagenet": "imagenet",
    "depth-classification": "classification",
    "depth-supervised": "none",
    "flow": "none",
}
"""Initialisations that a pre-training run makes, and the initialisation which that run starts from."""
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
EXPERIMENTS = ("main", "high", "whole", "large-to-small", "small-to-large")
"""The main comparison; fine-tuning at a high resolution, and there on the whole annotated set; and fine-tuning at
another resolution than that of the pre-training."""
ENCODER_NAMES = {"resnet18": "ResNet-18", "resnet50": "ResNet-50", "resnet18-slim": "ResNet-18 slim (quarter width)"}
EXPERIMENT_NAMES = {
    "high": "large images",
    "whole": "large images, the whole annotated set",
    "large-to-small": "pre-trained at the large size",
    "small-to-large": "large images, pre-trained at the small size",
}
"""How figures name what is not the main comparison."""
CROSSED = ("large-to-small", "small-to-large")
"""The experiments in which pre-training and fine-tuning differ in resolution."""
DATA_SETS = ("streets", "camvid", "kitti", "nyu", "cityscapes", "folder")
PLACES = ("start_weights", "data_folder", "photographs_folder")
"""Settings that say where files are: they differ between machines and change no result."""


@dataclass(frozen=True)
class Settings:
    """What every run's settings can do: be made from plain values by name, and go back to them."""

    @classmethod
    def from_mapping(cls, values: Mapping) -> Self:
        """Build from JSON values; a misspelt or missing name, or a value of another type, raises `InputError`."""
        known = {f.name: f for f in fields(cls)}
        for name, value in values.items():
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}"
                raise InputError(f"{cls.__name__} has no setting '{name}'{hint}")
            _check_type(cls.__name__, name, value, known[name].type)
        return cls(**values)

    @classmethod
    def from_namespace(cls, namespace: Mapping) -> Self:
        """Build from the notebook's variables of the same names: what its parameters cell and papermill set."""
        missing = [f.name for f in fields(cls) if f.name not in namespace]
        if missing:
            raise InputError(f"the notebook's parameters cell lacks {', '.join(missing)}, which {cls.__name__} needs")
        return cls.from_mapping({f.name: namespace[f.name] for f in fields(cls)})

    def to_mapping(self) -> dict:
        """Plain values by name, as JSON has them."""
        return asdict(self)


@dataclass(frozen=True)
class DataSettings(Settings):
    """Which images a run sees, and at what size."""

    data_set: str = "streets"
    """streets (the embedded world), camvid (with highway and KITTI video), kitti (raw and semantics), nyu, cityscapes
    or folder (a user's own)."""
    data_folder: str = ""
    """Folder of the real set; empty for the embedded world."""
    data_digest: str = ""
    """Digest of the names and sizes of that folder's files, so that other data makes the runs anew."""
    height: int = 64
    """Image height in pixels, a multiple of 32, at least 64."""
    width: int = 192
    """Image width in pixels, a multiple of 32, at least 64."""
    streets: int = 60
    """Streets that the unlabelled video drives through."""
    frames: int = 40
    """Frames of video per street."""
    annotated: int = 200
    """Annotated images of the embedded world, for training and validation together."""
    photographs: int = 5000
    """Object photographs for classification."""
    world_seed: int = 0
    """Seed of the embedded world."""
    study: int = STUDY_VERSION
    """Version of the study that the run belongs to."""

    def __post_init__(self):
        if self.study != STUDY_VERSION:
            raise InputError(
                f"these settings are of version {self.study} of the study, but this is version {STUDY_VERSION}: "
                "run `make figures` to have them written anew"
            )
        _one_of("data_set", self.data_set, DATA_SETS)
        _positive(self, "height", "width", "streets", "frames", "annotated", "photographs")
        if self.height % 32 or self.width % 32 or min(self.height, self.width) < 64:
            size = f"{self.height}x{self.width}"  # below 64 the decoder has no neighbour to reflect at 1/32
            raise InputError(f"images of {size}: expected height and width in multiples of 32, 64 at least")


@dataclass(frozen=True)
class PretrainConfig(DataSettings):
    """One pre-training run."""

    encoder: str = "resnet18-slim"
    """resnet18, resnet50 or resnet18-slim."""
    initialisation: str = "depth"
    """What this run makes: a name of `TRAINED_HERE`, such as classification, depth or depth-classification."""
    start_weights: str = ""
    """Weights file to start from, for depth-classification (that run's) and depth-imagenet (empty: torchvision's)."""
    photographs_folder: str = ""
    """Folder of photographs for classification, with a folder per class; empty for the embedded world's."""
    photographs_digest: str = ""
    """Digest of the names and sizes of that folder's files, so that other photographs make the run anew."""
    photograph_size: int = 64
    """Height and width in pixels of that folder's photographs; the embedded world's have 64."""
    iterations: int = 1500
    """Optimiser steps."""
    batch: int = 8
    """Triplets, pairs, images or photographs per step."""
    learning_rate: float = 1e-4
    """Adam's first step size, which the task lowers: for depth to a tenth in the last quarter, as Monodepth2 does."""
    frame_step: int = 1
    """Frames between the neighbours of a triplet or pair, for slow video."""
    evaluate_every: int = 250
    """Iterations between evaluations."""
    evaluated: int = 64
    """Frames held out of training on which depth or flow is evaluated."""
    seed: int = 0
    """Seed of weights, batches and augmentation."""
    precision: str = "32-true"
    """Lightning Fabric's precision of the networks; pose, warp and losses are float32 always."""

    def __post_init__(self):
        super().__post_init__()
        _one_of("encoder", self.encoder, ENCODERS)
        _one_of("initialisation of a pre-training run", self.initialisation, tuple(TRAINED_HERE))
        _positive(self, "iterations", "batch", "frame_step", "evaluate_every", "evaluated", "learning_rate")
        if self.photograph_size < 32:  # an encoder halves an image five times
            raise InputError(f"photograph_size = {self.photograph_size}: expected 32 pixels at least")
        _one_of("precision", self.precision, ("32-true", "bf16-mixed"))

    @property
    def task(self) -> str:
        """classification, flow, supervised (measured depth) or depth (from video)."""
        if self.initialisation in ("classification", "flow"):
            return self.initialisation
        return "supervised" if self.initialisation == "depth-supervised" else "depth"

    @property
    def starts_from(self) -> str:
        """The initialisation of this run itself."""
        return TRAINED_HERE[self.initialisation]


@dataclass(frozen=True)
class Protocol:
    """How fine-tuning and its evaluation are done where the paper's text and its released code differ."""

    name: str
    """Name in figures and tables."""
    follow_normalisation: bool = True
    """Images are normalised as in the pre-training (Appendix A)."""
    flip: bool = True
    """Horizontal flips, the paper's only augmentation (section 4.2)."""


PROTOCOLS = {"paper": Protocol("paper")}
"""The protocols by name."""


@dataclass(frozen=True)
class FinetuneConfig(DataSettings):
    """One fine-tuning run."""

    encoder: str = "resnet18-slim"
    """resnet18, resnet50 or resnet18-slim."""
    initialisation: str = "depth"
    """Where the weights come from: a name of `INITIALISATIONS`, such as none, imagenet, classification or depth."""
    start_weights: str = ""
    """Weights file of the pre-training, or published weights; empty for none, and for imagenet: torchvision's own."""
    experiment: str = "main"
    """Which comparison the run belongs to: main, high, whole, large-to-small or small-to-large."""
    setting: str = "full"
    """full, frozen (the decoder alone is trained), encoder-only (with a fresh decoder) or deeplab (DeepLabV3's)."""
    protocol: str = "paper"
    """Name of the protocol."""
    images: int = 16
    """Training images; when these are all that are annotated, the run is validated on them too, as in figure 7."""
    trial: int = 0
    """Number of the trial: the seed of the fresh layers and of the order of batches; the images stay the same."""
    iterations: int = 400
    """Optimiser steps."""
    batch: int = 8
    """Images per step."""
    learning_rate: float = 1e-3
    """Adam's first step size; a cosine takes it to zero, per iteration (Appendix A)."""
    fresh_decoder: str = "pytorch"
    """How a decoder that comes from no pre-training is drawn: pytorch (its default, as in Monodepth2) or kaiming."""
    evaluate_every: int = 50
    """Iterations between evaluations."""
    precision: str = "32-true"
    """Lightning Fabric's precision of the network; the loss is float32 always."""

    def __post_init__(self):
        super().__post_init__()
        _one_of("encoder", self.encoder, ENCODERS)
        _one_of("initialisation", self.initialisation, INITIALISATIONS)
        _one_of("setting", self.setting, SETTINGS)
        _one_of("experiment", self.experiment, EXPERIMENTS)
        _one_of("protocol", self.protocol, tuple(PROTOCOLS))
        _one_of("fresh_decoder", self.fresh_decoder, ("pytorch", "kaiming"))
        _one_of("precision", self.precision, ("32-true", "bf16-mixed"))
        _positive(self, "images", "iterations", "batch", "evaluate_every", "learning_rate")
        if self.data_set == "streets" and self.images > self.annotated:
            raise InputError(f"images = {self.images}, but only {self.annotated} are annotated: ask for fewer")


def _check_type(owner: str, name: str, value, wanted: type) -> None:
    fits = isinstance(value, wanted) and not (isinstance(value, bool) and wanted is not bool)
    if not fits and not (wanted is float and type(value) is int):
        raise InputError(f"{owner}: {name} = {value!r} is a {type(value).__name__}, expected {wanted.__name__}")


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        close = get_close_matches(value, known, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise InputError(f"unknown {what} '{value}': expected one of {', '.join(known)}{hint}")


def _positive(settings: Settings, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise InputError(f"{name} = {getattr(settings, name)}: expected more than zero")


def encoder_name(encoder: str) -> str:
    """The encoder's name for readers; the slim one is always named as such."""
    return ENCODER_NAMES.get(encoder, encoder)
