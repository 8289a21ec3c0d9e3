"""The paper's fourteen claims: the contrast that decides each, from `question`, and their secondary statements."""

from math import nan
from string import ascii_lowercase

from depthseg_lib.analysis import paper as published_paper
from depthseg_lib.analysis.claims import effects
from depthseg_lib.analysis.claims.effects import ACCURACY, NLL, OCCURRING
from depthseg_lib.analysis.claims.question import (
    BOTH,
    DEPTH,
    EVERY,
    IMAGENET,
    INDOORS,
    LARGEST,
    NONE,
    PRIMARY,
    SOONER,
    Part,
    Side,
)


def claim_of(part: str) -> str:
    """The id of the claim that a part belongs to, by its own: C12 for C12d."""
    return part.rstrip(ascii_lowercase)


_ICE_NONE, _ICE_IMAGENET = (Side(name, "frozen") for name in ("none", "imagenet"))
_LAB_IMAGENET, _LAB_DEPTH, _LAB_BOTH = (Side(name, "deeplab") for name in ("imagenet", "depth", "depth-imagenet"))
_HIGH_NONE, _HIGH_IMAGENET, _HIGH_DEPTH, _HIGH_BOTH = (
    Side(name, experiment="high") for name in ("none", "imagenet", "depth", "depth-imagenet")
)
_HIGH_LAB_IMAGENET, _HIGH_LAB_DEPTH = (Side(name, "deeplab", "high") for name in ("imagenet", "depth"))
_WHOLE_NONE, _WHOLE_IMAGENET, _WHOLE_DEPTH = (Side(name, experiment="whole") for name in ("none", "imagenet", "depth"))
_SUPERVISED, _FRESH = Side("depth-supervised"), Side("depth", "encoder-only")
_TO_SMALL, _TO_LARGE = Side("depth", experiment="large-to-small"), Side("depth", experiment="small-to-large")
_SOONER_INDOORS = SOONER | INDOORS | dict(reference=1.0, paper=nan)
_DIVERGES = dict(effect=effects.diverged_share, expected="several", onset=published_paper.ITERATIONS)
_UNSTABLE = _DIVERGES | dict(onset=published_paper.DIVERGES_AFTER, images=LARGEST)
_AS_LONG = dict(effect=effects.gap_until_it_diverges, images=LARGEST)
_THIRD = published_paper.FASTER
_MIXED = "the paper's Table 2 sets depth on ImageNet against depth's encoder alone; ours are both depth"
_FIGURE_8 = "by the paper's Figure 8; its text has both at the same level in the end, and depth ahead before"

SECONDARY = (
    Part("C4a", "frozen, ImageNet is worse than random", _ICE_IMAGENET, _ICE_NONE, "below", beside=(ACCURACY,)),
    Part("C5a", "in less than a third", DEPTH, IMAGENET, **SOONER, reference=_THIRD),
    Part("C6a", "depth on ImageNet beats ImageNet at every size", BOTH, IMAGENET, images=EVERY),
    Part("C6b", "with 128 images depth is close to random", DEPTH, NONE, "equal", images=128),
    Part("C6c", "with 128 images ImageNet is close to random", IMAGENET, NONE, "equal", images=128),
    Part("C7a", "its decoder adds", DEPTH, _FRESH, beside=(ACCURACY,), theirs=(BOTH, _FRESH), remark=_MIXED),
    Part("C9a", "depth on ImageNet is better", _LAB_BOTH, _LAB_IMAGENET, beside=(ACCURACY,)),
    Part(
        *("C10a", "in DeepLab too", _LAB_DEPTH, _LAB_IMAGENET),
        effect=effects.gap_at_equal_miou,
        metric=OCCURRING,
    ),
    Part("C11a", "depth from large images beats ImageNet on small ones", _TO_SMALL, IMAGENET),
    Part("C11b", "depth from small images on large ones: several diverge", _TO_LARGE, _TO_LARGE, **_DIVERGES),
    Part("C12a", "and depth on ImageNet beats it", _HIGH_BOTH, _HIGH_IMAGENET),
    Part("C12b", "with all images depth beats ImageNet", _WHOLE_DEPTH, _WHOLE_IMAGENET, images=LARGEST),
    Part("C12c", "and random weights are unstable: several diverge", _WHOLE_NONE, _WHOLE_NONE, **_UNSTABLE),
    Part(
        *("C12d", "on large images, in DeepLab too", _HIGH_LAB_DEPTH, _HIGH_LAB_IMAGENET),
        beside=(ACCURACY,),
        remark=_FIGURE_8,
    ),
    Part("C12e", "on large images depth beats random weights", _HIGH_DEPTH, _HIGH_NONE),
    Part("C12f", "with all images too, as long as those train", _WHOLE_DEPTH, _WHOLE_NONE, **_AS_LONG),
    Part("C13a", "ImageNet beats random", IMAGENET, NONE, **INDOORS),
    Part("C13b", "supervised depth arrives sooner", _SUPERVISED, IMAGENET, **_SOONER_INDOORS),
    Part("C13c", "supervised depth beats random", _SUPERVISED, NONE, **INDOORS),
    Part("C14a", "of the whole network", DEPTH, IMAGENET, "below", metric=NLL),
)
"""What else the claims say."""
PARTS = tuple(part for first in PRIMARY for part in (first, *(of for of in SECONDARY if claim_of(of.id) == first.id)))
"""All statements, each claim's primary contrast before its others."""
