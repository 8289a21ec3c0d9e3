"""The question, fixed before the answer: one contrast for each of the paper's fourteen claims, and how it is decided.

It was chosen when three trials that share one pre-training had been seen, and before any that have their own.
Nothing here may change once those are seen. Whoever changes it says so: `ASKED` has to be changed with it.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from math import log, nan

from depthseg_lib.analysis import paper as published_paper
from depthseg_lib.analysis.claims import effects
from depthseg_lib.analysis.claims.effects import ACCURACY, MIOU, NLL, OCCURRING
from depthseg_lib.errors import InputError

LOOKS, ALPHAS = (4, 8, 12), (0.002, 0.012, 0.038)
"""After how many repetitions the claims are judged, and what each look may spend of the 5 %."""
Q = 0.05
"""The false discovery rate of secondary statements (Benjamini & Hochberg 1995)."""
MARGINS = {"mIoU points": 2.0, "accuracy points": 2.0, "ratio of iterations": log(1.25), "nats per pixel": 0.05}
"""Differences that do not matter, by unit; of ratios the logarithm."""
STUCK = 0.10
"""A run is stuck that ends so far below the median of its arm, as a fraction of mIoU of the representative classes."""
TRIM = 0.25
"""The share that a trimmed mean leaves out at each end."""
BASE, EVERY, OVER, LARGEST = "base", "every", "over", "largest"
"""Training-set sizes of a statement: the study's usual one, each that was run (two at least), the mean over these, the
largest that was run."""


@dataclass(frozen=True)
class Side:
    """Runs that stand on one side of a comparison."""

    initialisation: str
    """As the paper has it: `imagenet` and `depth-imagenet` have stand-ins where they were not run."""
    setting: str = "full"
    experiment: str = "main"


@dataclass(frozen=True)
class Part:
    """One statement that can be measured: a claim's primary contrast, or a secondary one."""

    id: str
    """The claim's own id for its primary contrast; with a letter for the others."""
    sentence: str
    a: Side
    b: Side
    """What `a` is compared with."""
    expected: str = "above"
    """Where the claim has the effect: `above` or `below` the reference, `equal` (within the margin), or `several`."""
    effect: Callable = effects.final_gap
    """A function of `effects`."""
    metric: str = MIOU
    """What decides."""
    beside: tuple[str, ...] = ()
    """What the paper measured as well: secondary."""
    images: int | str = BASE
    """Training images: a number, or `BASE`, `EVERY`, `OVER`, `LARGEST`."""
    reference: float = 0.0
    """The effect of no difference, in the effect's unit."""
    printed: bool = True
    """Whether the paper's tables have the scores of both sides."""
    theirs: tuple[Side, Side] | None = None
    """What the paper compared, where that is not `a` with `b`."""
    paper: float = nan
    """The paper's effect where it is not a difference of scores in its tables."""
    onset: int = 0
    """Iterations that the paper's runs took to show the effect: shorter ones without it refute nothing."""
    data: str = "kitti"
    """The data set that the paper has it on."""
    remark: str = ""


NONE, IMAGENET, DEPTH, BOTH = (Side(name) for name in ("none", "imagenet", "depth", "depth-imagenet"))
SOONER = dict(effect=effects.iterations_ratio, expected="below", paper=published_paper.FASTER)
INDOORS = dict(data="nyu", printed=False)

NONE_FROZEN, IMAGENET_FROZEN, DEPTH_FROZEN = (Side(name, "frozen") for name in ("none", "imagenet", "depth"))
IMAGENET_DEEPLAB, DEPTH_DEEPLAB = (Side(name, "deeplab") for name in ("imagenet", "depth"))
IMAGENET_LARGE, DEPTH_LARGE = (Side(name, experiment="high") for name in ("imagenet", "depth"))
ENCODER_ALONE, DEPTH_FROM_LARGE = Side("depth", "encoder-only"), Side("depth", experiment="large-to-small")
FLOW, SUPERVISED = Side("flow"), Side("depth-supervised")
BEST_PRACTICE = "Best practice (depth on ImageNet, its decoder) beats common practice (ImageNet, DeepLabV3)"
AS_GOOD = "In DeepLabV3, depth's encoder is about as good as ImageNet's"
LESS_LEFT = "With the encoder frozen, depth leaves a lower validation NLL than ImageNet"
MORE_ACCURATE = dict(effect=effects.gap_at_equal_miou, metric=OCCURRING)
TOO = dict(beside=(ACCURACY,))

PRIMARY = (
    Part("C1", "Fine-tuned as a whole, depth ends above ImageNet", DEPTH, IMAGENET, **TOO),
    Part("C2", "Depth learned on top of ImageNet ends above ImageNet", BOTH, IMAGENET, **TOO),
    Part("C3", BEST_PRACTICE, BOTH, IMAGENET_DEEPLAB, **TOO),
    Part("C4", "With the encoder frozen, depth beats random weights", DEPTH_FROZEN, NONE_FROZEN, **TOO),
    Part("C5", "Depth needs fewer iterations than ImageNet", DEPTH, IMAGENET, **SOONER, reference=1.0),
    Part("C6", "In the mean over training-set sizes, depth on ImageNet beats ImageNet", BOTH, IMAGENET, images=OVER),
    Part("C7", "Depth's encoder with a fresh decoder beats ImageNet", ENCODER_ALONE, IMAGENET, **TOO),
    Part("C8", "Optical flow ends below random weights", FLOW, NONE, "below"),
    Part("C9", AS_GOOD, DEPTH_DEEPLAB, IMAGENET_DEEPLAB, "equal", **TOO),
    Part("C10", "At equal mIoU, depth has a higher pixel accuracy than ImageNet", DEPTH, IMAGENET, **MORE_ACCURATE),
    Part("C11", "Depth learned at a large resolution beats random weights on small images", DEPTH_FROM_LARGE, NONE),
    Part("C12", "On large images, depth beats ImageNet", DEPTH_LARGE, IMAGENET_LARGE),
    Part("C13", "Supervised depth (NYU-V2) beats ImageNet", SUPERVISED, IMAGENET, **INDOORS),
    Part("C14", LESS_LEFT, DEPTH_FROZEN, IMAGENET_FROZEN, "below", metric=NLL),
)
"""The contrast of each claim, in the paper's order: all that its verdict is about."""
ASKED = "33411c4c708f"
"""`digest` of the question as it was asked."""


def margin(part: Part) -> float:
    """The difference that does not matter, in the unit of the part's effect (of ratios the logarithm)."""
    return MARGINS[effects.unit(part.effect, part.metric)]


def digest() -> str:
    """Twelve letters that any change of what is asked, or of how it is decided, changes; comments and words do not."""
    named = ("id", "a", "b", "expected", "metric", "images", "reference", "data")
    asked = [{name: asdict(part)[name] for name in named} | {"effect": part.effect.__name__} for part in PRIMARY]
    content = [LOOKS, ALPHAS, Q, {unit: f"{of:.6g}" for unit, of in MARGINS.items()}, STUCK, TRIM, asked]
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def check() -> str:
    """The question's `digest`. Raises `InputError` where it is not the one that was asked."""
    if (now := digest()) != ASKED:
        raise InputError(
            f"the question was changed: it is {now} now, {ASKED} was asked. A question that is changed after runs were "
            "seen proves nothing: take the change back, or set question.ASKED to the new one before any run, and say so"
        )
    return now
