"""The paper's fourteen claims: the contrast that decides each, from `question`, and their secondary statements."""

from math import nan
from string import ascii_lowercase

from depthseg_lib.analysis import paper as published_paper
from depthseg_lib.analysis.claims import effects
from depthseg_lib.analysis.claims.effects import NLL
from depthseg_lib.analysis.claims.question import (
    BOTH,
    DEPTH,
    DEPTH_DEEPLAB,
    DEPTH_FROM_LARGE,
    DEPTH_LARGE,
    ENCODER_ALONE,
    EVERY,
    IMAGENET,
    IMAGENET_DEEPLAB,
    IMAGENET_FROZEN,
    IMAGENET_LARGE,
    INDOORS,
    LARGEST,
    MORE_ACCURATE,
    NONE,
    NONE_FROZEN,
    PRIMARY,
    SOONER,
    SUPERVISED,
    TOO,
    Part,
    Side,
)


def claim_of(part: str) -> str:
    """The id of the claim that a part belongs to, by its own: C12 for C12d."""
    return part.rstrip(ascii_lowercase)


BOTH_DEEPLAB = Side("depth-imagenet", "deeplab")
NONE_LARGE, BOTH_LARGE = (Side(name, experiment="high") for name in ("none", "depth-imagenet"))
IMAGENET_LARGE_DEEPLAB, DEPTH_LARGE_DEEPLAB = (Side(name, "deeplab", "high") for name in ("imagenet", "depth"))
NONE_WHOLE, IMAGENET_WHOLE, DEPTH_WHOLE = (Side(name, experiment="whole") for name in ("none", "imagenet", "depth"))
DEPTH_FROM_SMALL = Side("depth", experiment="small-to-large")
_SOONER_INDOORS = SOONER | INDOORS | dict(reference=1.0, paper=nan)
_DIVERGES = dict(effect=effects.diverged_share, expected="several", onset=published_paper.ITERATIONS)
_UNSTABLE = _DIVERGES | dict(onset=published_paper.DIVERGES_AFTER, images=LARGEST)
_AS_LONG = dict(effect=effects.gap_until_it_diverges, images=LARGEST)
_THIRD = published_paper.FASTER
LARGE_TOO = "on large images, in DeepLab too"
_MIXED = "the paper's Table 2 sets depth on ImageNet against depth's encoder alone; ours are both depth"
_FIGURE_8 = "by the paper's Figure 8; its text has both at the same level in the end, and depth ahead before"

SECONDARY = (
    Part("C4a", "frozen, ImageNet is worse than random", IMAGENET_FROZEN, NONE_FROZEN, "below", **TOO),
    Part("C5a", "in less than a third", DEPTH, IMAGENET, **SOONER, reference=_THIRD),
    Part("C6a", "depth on ImageNet beats ImageNet at every size", BOTH, IMAGENET, images=EVERY),
    Part("C6b", "with 128 images depth is close to random", DEPTH, NONE, "equal", images=128),
    Part("C6c", "with 128 images ImageNet is close to random", IMAGENET, NONE, "equal", images=128),
    Part("C7a", "its decoder adds", DEPTH, ENCODER_ALONE, **TOO, theirs=(BOTH, ENCODER_ALONE), remark=_MIXED),
    Part("C9a", "depth on ImageNet is better", BOTH_DEEPLAB, IMAGENET_DEEPLAB, **TOO),
    Part("C10a", "in DeepLab too", DEPTH_DEEPLAB, IMAGENET_DEEPLAB, **MORE_ACCURATE),
    Part("C11a", "depth from large images beats ImageNet on small ones", DEPTH_FROM_LARGE, IMAGENET),
    Part(
        "C11b",
        "depth from small images on large ones: several diverge",
        DEPTH_FROM_SMALL,
        DEPTH_FROM_SMALL,
        **_DIVERGES,
    ),
    Part("C12a", "and depth on ImageNet beats it", BOTH_LARGE, IMAGENET_LARGE),
    Part("C12b", "with all images depth beats ImageNet", DEPTH_WHOLE, IMAGENET_WHOLE, images=LARGEST),
    Part("C12c", "and random weights are unstable: several diverge", NONE_WHOLE, NONE_WHOLE, **_UNSTABLE),
    Part("C12d", LARGE_TOO, DEPTH_LARGE_DEEPLAB, IMAGENET_LARGE_DEEPLAB, **TOO, remark=_FIGURE_8),
    Part("C12e", "on large images depth beats random weights", DEPTH_LARGE, NONE_LARGE),
    Part("C12f", "with all images too, as long as those train", DEPTH_WHOLE, NONE_WHOLE, **_AS_LONG),
    Part("C13a", "ImageNet beats random", IMAGENET, NONE, **INDOORS),
    Part("C13b", "supervised depth arrives sooner", SUPERVISED, IMAGENET, **_SOONER_INDOORS),
    Part("C13c", "supervised depth beats random", SUPERVISED, NONE, **INDOORS),
    Part("C14a", "of the whole network", DEPTH, IMAGENET, "below", metric=NLL),
)
"""What else the claims say."""
PARTS = tuple(part for first in PRIMARY for part in (first, *(of for of in SECONDARY if claim_of(of.id) == first.id)))
"""All statements, each claim's primary contrast before its others."""
