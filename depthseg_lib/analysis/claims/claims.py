"""The paper's fourteen claims, each as the parts that can be measured; the initialisations have the paper's names."""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from string import ascii_lowercase

from depthseg_lib.analysis import paper as published_paper
from depthseg_lib.analysis.claims import effects
from depthseg_lib.analysis.claims.effects import ACCURACY, MIOU, NLL, OCCURRING

BASE, EVERY, LARGEST = "base", "every", "largest"
"""Training-set sizes of a part: the study's usual one, each that was run (two at least), the largest that was run."""
MARGIN = 1.0
"""Points of mIoU within which two initialisations count as about equal."""


@dataclass(frozen=True)
class Side:
    """Runs that stand on one side of a comparison."""

    initialisation: str
    """As the paper has it: `imagenet` and `depth-imagenet` have stand-ins where they were not run."""
    setting: str = "full"
    experiment: str = "main"


@dataclass(frozen=True)
class Part:
    """One measurable statement."""

    id: str
    """The claim's id, with a letter where it has several parts."""
    sentence: str
    a: Side
    b: Side
    """What `a` is compared with."""
    expected: str = "above"
    """Where the claim has the effect: `above` or `below` the reference, `equal` (within `MARGIN`), `several` trials."""
    effect: Callable = effects.final_gap
    """A function of `effects`."""
    metrics: tuple[str, ...] = (MIOU,)
    """What decides."""
    beside: tuple[str, ...] = ()
    """What the paper measured as well: shown and judged, without deciding the claim."""
    images: int | str = BASE
    """Training images: a number, or `BASE`, `EVERY`, `LARGEST`."""
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


@dataclass(frozen=True)
class Claim:
    """One of the paper's claims."""

    sentence: str
    parts: tuple[Part, ...]

    @property
    def id(self) -> str:
        """Its id, as in those of its parts."""
        return claim_of(self.parts[0].id)


def claim_of(part: str) -> str:
    """The id of the claim that a part belongs to, by its own: C12 for C12d."""
    return part.rstrip(ascii_lowercase)


def _claim(sentence: str, *parts: Part) -> Claim:
    return Claim(sentence, parts)


_NONE, _IMAGENET, _DEPTH, _BOTH = (Side(name) for name in ("none", "imagenet", "depth", "depth-imagenet"))
_ICE_NONE, _ICE_IMAGENET, _ICE_DEPTH = (Side(name, "frozen") for name in ("none", "imagenet", "depth"))
_LAB_IMAGENET, _LAB_DEPTH, _LAB_BOTH = (Side(name, "deeplab") for name in ("imagenet", "depth", "depth-imagenet"))
_HIGH_NONE, _HIGH_IMAGENET, _HIGH_DEPTH, _HIGH_BOTH = (
    Side(name, experiment="high") for name in ("none", "imagenet", "depth", "depth-imagenet")
)
_HIGH_LAB_IMAGENET, _HIGH_LAB_DEPTH = (Side(name, "deeplab", "high") for name in ("imagenet", "depth"))
_WHOLE_NONE, _WHOLE_IMAGENET, _WHOLE_DEPTH = (Side(name, experiment="whole") for name in ("none", "imagenet", "depth"))
_SUPERVISED = Side("depth-supervised")
_FRESH = Side("depth", "encoder-only")
_TO_SMALL, _TO_LARGE = Side("depth", experiment="large-to-small"), Side("depth", experiment="small-to-large")
_MORE_ACCURATE = dict(effect=effects.gap_at_equal_miou, metrics=(OCCURRING,))
_SOONER = dict(effect=effects.iterations_ratio, expected="below")
_DIVERGES = dict(effect=effects.diverged_share, expected="several", onset=published_paper.ITERATIONS)
_UNSTABLE = dict(
    effect=effects.diverged_share, expected="several", onset=published_paper.DIVERGES_AFTER, images=LARGEST
)
_AS_LONG = dict(effect=effects.gap_until_it_diverges, images=LARGEST)
_INDOORS = dict(data="nyu")
_SOONER_INDOORS = dict(**_SOONER, **_INDOORS, reference=1.0)
_THIRD = published_paper.FASTER
_MIXED = "the paper's Table 2 sets depth on ImageNet against depth's encoder alone; ours are both depth"
_FIGURE_8 = "by the paper's Figure 8; its text has both at the same level in the end, and depth ahead before"
_BY_FIGURE_8 = dict(beside=(ACCURACY,), remark=_FIGURE_8)

CLAIMS = (
    _claim(
        "Fine-tuned as a whole, a network from depth ends above one from ImageNet.",
        Part("C1", "depth ends above ImageNet", _DEPTH, _IMAGENET, beside=(ACCURACY,)),
    ),
    _claim(
        "Depth learned on top of ImageNet ends above ImageNet, in mIoU and in pixel accuracy.",
        Part("C2", "depth on ImageNet ends above ImageNet", _BOTH, _IMAGENET, metrics=(MIOU, ACCURACY)),
    ),
    _claim(
        "The paper's best practice (depth on ImageNet, depth's decoder) beats common practice (ImageNet, DeepLabV3).",
        Part("C3", "best practice beats common practice", _BOTH, _LAB_IMAGENET, metrics=(MIOU, ACCURACY)),
    ),
    _claim(
        "With the encoder frozen, depth's features are better than random ones and ImageNet's are worse.",
        Part("C4a", "frozen, depth beats random", _ICE_DEPTH, _ICE_NONE, beside=(ACCURACY,)),
        Part("C4b", "frozen, ImageNet is worse", _ICE_IMAGENET, _ICE_NONE, "below", beside=(ACCURACY,)),
    ),
    _claim(
        "Depth arrives where ImageNet ends in a third of the iterations.",
        Part("C5a", "depth arrives sooner", _DEPTH, _IMAGENET, **_SOONER, reference=1.0, paper=_THIRD),
        Part("C5b", "in less than a third", _DEPTH, _IMAGENET, **_SOONER, reference=_THIRD, paper=_THIRD),
    ),
    _claim(
        "Depth on ImageNet beats ImageNet at every training-set size; with 128 images depth and ImageNet are close to "
        "random weights.",
        Part("C6a", "depth on ImageNet beats ImageNet at every size", _BOTH, _IMAGENET, images=EVERY),
        Part("C6b", "with 128 images depth is close to random", _DEPTH, _NONE, "equal", images=128),
        Part("C6c", "with 128 images ImageNet is close to random", _IMAGENET, _NONE, "equal", images=128),
    ),
    _claim(
        "Depth's encoder with a fresh decoder still beats ImageNet, and depth's decoder adds to it.",
        Part("C7a", "depth's encoder alone beats ImageNet", _FRESH, _IMAGENET, beside=(ACCURACY,)),
        Part("C7b", "its decoder adds", _DEPTH, _FRESH, beside=(ACCURACY,), theirs=(_BOTH, _FRESH), remark=_MIXED),
    ),
    _claim(
        "Optical flow is a worse start than random weights.",
        Part("C8", "flow ends below random", Side("flow"), _NONE, "below"),
    ),
    _claim(
        "Moved into DeepLabV3, depth's encoder is about as good as ImageNet's, and that of depth on ImageNet better.",
        Part("C9a", "depth about equals ImageNet", _LAB_DEPTH, _LAB_IMAGENET, "equal", beside=(ACCURACY,)),
        Part("C9b", "depth on ImageNet is better", _LAB_BOTH, _LAB_IMAGENET, beside=(ACCURACY,)),
    ),
    _claim(
        "At the same mIoU, a network from depth has the higher pixel accuracy: it learns the large classes first.",
        Part("C10a", "more accurate at equal mIoU", _DEPTH, _IMAGENET, **_MORE_ACCURATE),
        Part("C10b", "in DeepLab too", _LAB_DEPTH, _LAB_IMAGENET, **_MORE_ACCURATE),
    ),
    _claim(
        "Depth learned at a large resolution serves small images; the reverse diverges in several trials.",
        Part("C11a", "depth from large images beats ImageNet on small ones", _TO_SMALL, _IMAGENET),
        Part("C11b", "and random weights", _TO_SMALL, _NONE),
        Part("C11c", "depth from small images on large ones: several diverge", _TO_LARGE, _TO_LARGE, **_DIVERGES),
    ),
    _claim(
        "The order holds at a high resolution and with all annotated images, where random weights are unstable.",
        Part("C12a", "on large images depth beats ImageNet", _HIGH_DEPTH, _HIGH_IMAGENET),
        Part("C12b", "and depth on ImageNet beats it", _HIGH_BOTH, _HIGH_IMAGENET),
        Part("C12c", "with all images depth beats ImageNet", _WHOLE_DEPTH, _WHOLE_IMAGENET, images=LARGEST),
        Part("C12d", "and random weights are unstable: several diverge", _WHOLE_NONE, _WHOLE_NONE, **_UNSTABLE),
        Part("C12e", "on large images, in DeepLab too", _HIGH_LAB_DEPTH, _HIGH_LAB_IMAGENET, **_BY_FIGURE_8),
        Part("C12f", "on large images depth beats random weights", _HIGH_DEPTH, _HIGH_NONE),
        Part("C12g", "with all images too, as long as those train", _WHOLE_DEPTH, _WHOLE_NONE, **_AS_LONG),
    ),
    _claim(
        "Where depth is supervised (NYU-V2), it beats ImageNet, ImageNet beats random weights, and depth is sooner.",
        Part("C13a", "supervised depth beats ImageNet", _SUPERVISED, _IMAGENET, **_INDOORS),
        Part("C13b", "ImageNet beats random", _IMAGENET, _NONE, printed=False, **_INDOORS),
        Part("C13c", "supervised depth arrives sooner", _SUPERVISED, _IMAGENET, **_SOONER_INDOORS),
        Part("C13d", "supervised depth beats random", _SUPERVISED, _NONE, **_INDOORS),
    ),
    _claim(
        "Depth leaves less residual information: a lower validation NLL than ImageNet (equations 11 and 12).",
        Part("C14a", "of the frozen encoder", _ICE_DEPTH, _ICE_IMAGENET, "below", metrics=(NLL,)),
        Part("C14b", "of the whole network", _DEPTH, _IMAGENET, "below", metrics=(NLL,)),
    ),
)
"""All claims, in the paper's order."""
