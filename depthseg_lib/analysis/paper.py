"""The paper's own numbers, to stand beside ours: never mixed with them, always named as its KITTI results."""

import pandas as pd

SOURCE = "Lao, Wong & Soatto, arXiv 2203.13987v1, Table 1: KITTI, 16 training and 184 test images, 192x640, 4 trials"
"""Where the numbers of `table1` stand."""
SHORT_SOURCE = "paper, KITTI, 192x640, 4 trials"
SHOWN_ON = {
    **dict.fromkeys(("Figure 3", "Figure 4", "Figure 5", "Figure 6", "Figure 9", "Figure 11"), "KITTI, 192x640"),
    **dict.fromkeys(("Figure 7", "Figure 8"), "KITTI, 320x1024"),
    "Figure 10": "ImageNet and KITTI",
    "Figure 12": "NYU-V2",
    **dict.fromkeys(("Table 1", "Table 2", "section 4.2"), "KITTI, 192x640"),
}
"""What the paper's figures and tables are of; height and width in pixels, as everywhere in this study."""

_COLUMNS = (("resnet18", "full"), ("resnet50", "full"), ("resnet50", "deeplab"))
_COLUMNS += (("resnet18", "frozen"), ("resnet50", "frozen"))
_TABLE_1 = {  # initialisation: (mIoU over seven classes, pixel accuracy) in percent, for each of the columns
    "none": ((41.35, 70.75), (44.66, 73.37), (21.93, 52.32), (41.24, 70.52), (37.72, 67.38)),
    "imagenet": ((45.15, 72.39), (44.65, 73.06), (43.39, 72.66), (33.33, 65.34), (32.03, 62.53)),
    "depth": ((46.00, 72.43), (49.90, 76.28), (43.43, 71.34), (43.02, 72.38), (45.79, 74.71)),
    "depth-imagenet": ((50.20, 76.39), (50.92, 77.34), (43.77, 72.68), (46.53, 74.42), (46.55, 74.48)),
}
_ENCODER_ONLY = {"resnet18": (46.69, 75.04), "resnet50": (46.99, 73.57)}
"""Table 2: the depth network's encoder with a fresh decoder."""
_LARGE_TO_SMALL = 48.54
"""Section 4.2: mIoU of ResNet-18 from depth learned at a larger resolution than the fine-tuning's 192x640."""
IMAGES = 16
"""Training images behind Tables 1 and 2 and the cross-resolution result."""
FASTER = 1 / 3
"""Section 4.2: depth needs about 5,000 iterations where ImageNet needs 15,000 to 20,000, "more than 3x faster"."""
ITERATIONS = 20_000
"""Iterations of all the paper's fine-tunings but those on all images, from small to large images among them."""
DIVERGES_AFTER = 30_000
"""Section 4.2: iterations after which random weights diverge on all images; those runs have 50,000."""
SEVERAL = 2
"""Section 4.2: small to large "diverges during training in multiple independent trials": two at least."""


def table1() -> pd.DataFrame:
    """The paper's Table 1, tidy: encoder, setting, initialisation, miou_seven and accuracy as fractions 0..1."""
    rows = [
        (encoder, setting, initialisation, miou / 100, accuracy / 100)
        for initialisation, values in _TABLE_1.items()
        for (encoder, setting), (miou, accuracy) in zip(_COLUMNS, values, strict=True)
    ]
    return pd.DataFrame(rows, columns=["encoder", "setting", "initialisation", "miou_seven", "accuracy"])


CROSS_SOURCE = "paper, KITTI, section 4.2 and Table 1 (ResNet-18), 4 trials"
"""Where the numbers of `cross_resolution` stand. Section 4.2 names no encoder; its numbers for random weights and
ImageNet are those of ResNet-18 in Table 1, so depth without a change of resolution is taken from there too."""


def table2() -> pd.DataFrame:
    """The paper's Table 2, tidy as `table1`; its row "depth (full)" has the numbers of Table 1's depth-imagenet."""
    full = table1().query("setting == 'full' and initialisation != 'depth'")
    return pd.concat([full, _encoder_only()], ignore_index=True)


def published() -> pd.DataFrame:
    """Every final score that the paper prints: experiment, encoder, setting, initialisation, miou_seven, accuracy."""
    same = pd.concat([table1(), _encoder_only()]).assign(experiment="main")
    crossed = dict(experiment="large-to-small", encoder="resnet18", setting="full", initialisation="depth")
    return pd.concat([same, pd.DataFrame([crossed | {"miou_seven": _LARGE_TO_SMALL / 100}])], ignore_index=True)


def _encoder_only() -> pd.DataFrame:
    rows = [(name, "encoder-only", "depth", m / 100, a / 100) for name, (m, a) in _ENCODER_ONLY.items()]
    return pd.DataFrame(rows, columns=["encoder", "setting", "initialisation", "miou_seven", "accuracy"])


def cross_resolution() -> pd.DataFrame:
    """The paper's cross-resolution results, tidy: fine_tuned_at (small or large), initialisation, experiment,
    miou_seven (a fraction 0..1), and diverged: small to large diverged in several trials, and has no number."""
    rows = [("small", name, "main", _TABLE_1[name][0][0] / 100, False) for name in ("none", "imagenet", "depth")]
    rows.append(("small", "depth", "large-to-small", _LARGE_TO_SMALL / 100, False))
    rows.append(("large", "depth", "small-to-large", float("nan"), True))
    return pd.DataFrame(rows, columns=["fine_tuned_at", "initialisation", "experiment", "miou_seven", "diverged"])


def counterpart(encoder: str) -> str:
    """The paper's encoder that one of ours stands beside: the slim one is a ResNet-18 of a quarter of the width."""
    return encoder.removesuffix("-slim")


def shown_on(place: str) -> str:
    """A sentence for the caption beside a figure or table of the paper, such as `shown_on("Figure 3")`."""
    return f"The paper's {place} is of {SHOWN_ON[place]}."
