"""Figure 1: the question, as a drawing."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Patch, Polygon, Rectangle

from depthseg_lib.plots import style

FRESH, CLASSIFIED, DEPTH, INK, SOFT = "#FFFFFF", "#F3B79A", "#9CC9E6", "#202124", "#5f6368"
"""Fills: fresh weights, weights from classification, weights from depth; ink and soft ink for text."""
_STREET = {  # part: (outline in a unit square, picture, label colour as in KITTI's palette, distance 0 near .. 1 far)
    "sky": ([(0, 0.4), (1, 0.4), (1, 1), (0, 1)], "#c9def2", "#4682b4", 1.0),
    "left": ([(0, 0.3), (0.3, 0.42), (0.3, 0.72), (0, 0.95)], "#b8aea2", "#464646", 0.45),
    "right": ([(0.68, 0.42), (1, 0.3), (1, 0.9), (0.68, 0.68)], "#cbb79d", "#464646", 0.5),
    "tree": ([(0.33, 0.42), (0.46, 0.42), (0.47, 0.6), (0.4, 0.68), (0.32, 0.6)], "#7d9a62", "#6b8e23", 0.75),
    "verge": ([(0, 0), (1, 0), (1, 0.3), (0.68, 0.42), (0.3, 0.42), (0, 0.3)], "#aab88a", "#98fb98", 0.3),
    "road": ([(0.05, 0), (0.95, 0), (0.58, 0.43), (0.45, 0.43)], "#8d8d92", "#804080", 0.2),
    "car": (
        [(0.56, 0.12), (0.8, 0.12), (0.8, 0.25), (0.75, 0.36), (0.61, 0.36), (0.56, 0.25)],
        "#a03c32",
        "#00008e",
        0.1,
    ),
}


def network(
    axes: Axes, x: float, y: float, width: float, height: float, fill: str, text: str, narrowing=True, frozen=False
) -> None:
    """A trapezoid centred at (x, y): an encoder narrows to the right, a decoder widens; a frozen one is hatched."""
    wide, thin = height / 2, height / 4.2
    left, right = (wide, thin) if narrowing else (thin, wide)
    first, last = x - width / 2, x + width / 2
    corners = [(first, y - left), (last, y - right), (last, y + right), (first, y + left)]
    hatch = {"hatch": "////", "edgecolor": "#7f868d"} if frozen else {"edgecolor": INK}
    axes.add_patch(Polygon(corners, facecolor=fill, linewidth=0 if frozen else 1, **hatch))
    axes.add_patch(Polygon(corners, fill=False, edgecolor=INK, linewidth=1))
    box = {"facecolor": fill, "edgecolor": "none", "pad": 1.2} if frozen else None
    axes.text(x, y, text, ha="center", va="center", fontsize=8, color=INK, bbox=box)


def block(axes: Axes, x: float, y: float, width: float, height: float, fill: str, line: float = 1) -> None:
    """A rectangle centred at (x, y), such as a last layer."""
    corner = x - width / 2, y - height / 2
    axes.add_patch(Rectangle(corner, width, height, facecolor=fill, edgecolor=INK, linewidth=line))


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], dashed=False, colour=INK, bend=0.0) -> None:
    """An arrow; dashed ones carry weights from one network to the next."""
    look = dict(arrowstyle="-|>", mutation_scale=9, linewidth=1.1, color=colour, shrinkA=0, shrinkB=0)
    look |= dict(linestyle=(0, (3, 2)) if dashed else "-", connectionstyle=f"arc3,rad={bend}")
    axes.add_patch(FancyArrowPatch(start, end, **look))


def street(axes: Axes, x: float, y: float, width: float, height: float, shows: str) -> None:
    """The drawn street centred at (x, y): `shows` image, depth (near is bright) or labels."""
    block(axes, x, y, width, height, "none", 0.8)
    for outline, picture, label, distance in _STREET.values():
        fill = {"image": picture, "labels": label, "depth": colormaps["magma"](0.95 - 0.85 * distance)}[shows]
        corners = (np.array(outline) - 0.5) * (width, height) + (x, y)
        axes.add_patch(Polygon(corners, facecolor=fill, edgecolor="none"))
    block(axes, x, y, width, height, "none", 0.8)


def photograph(axes: Axes, x: float, y: float, size: float) -> None:
    """One centred object on a plain ground, as a classification set has it."""
    block(axes, x, y, size, size, "#dfe8d5", 0.8)
    axes.add_patch(Rectangle((x - size / 2, y - size / 2), size, 0.35 * size, facecolor="#b9c4a5", edgecolor="none"))
    body = [(-0.38, -0.2), (0.38, -0.2), (0.38, 0.0), (0.2, 0.04), (0.1, 0.22), (-0.2, 0.22), (-0.28, 0.04), (-0.38, 0)]
    axes.add_patch(Polygon(np.array(body) * size + (x, y), facecolor="#a03c32", edgecolor="none"))
    for wheel in (-0.22, 0.22):
        axes.plot(x + wheel * size, y - 0.2 * size, "o", color=INK, markersize=5)


def canvas(axes: Axes, width: float, height: float) -> None:
    """An empty drawing board measured in inches."""
    axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axes.set_axis_off()


_TOP, _BOTTOM = 2.8, 1.2


@style.styled
def question() -> Figure:
    """Two ways to the same segmentation network: from photographs with one label each, or from video without any."""
    figure = style.Drawing(figsize=(style.WIDTH, 3.95), layout="constrained")
    axes = figure.subplots()
    canvas(axes, 7.2, 3.95)
    for x, text in ((1.75, "pre-training"), (5.3, "fine-tuning: semantic segmentation")):
        axes.text(x, 3.82, text, ha="center", va="top", fontsize=10, fontweight="bold")
    axes.plot([3.42, 3.42], [0.3, 3.7], color="#c4c7cc", linewidth=0.8, linestyle=(0, (4, 3)))
    _classification(axes)
    _depth(axes)
    _segmentation(axes, _TOP, CLASSIFIED, FRESH)
    _segmentation(axes, _BOTTOM, DEPTH, DEPTH)
    arrow(axes, (1.62, _TOP + 0.32), (4.75, _TOP + 0.32), dashed=True, colour="#b5562a", bend=-0.16)
    arrow(axes, (1.63, _BOTTOM - 0.34), (5.11, _BOTTOM - 0.34), dashed=True, colour="#1f6fa8", bend=0.16)
    asked = "which one is better, with few annotated images?"
    axes.text(5.3, 1.95, asked, ha="center", va="center", style="italic", fontsize=10)
    return figure


def _classification(axes: Axes) -> None:
    photograph(axes, 0.62, _TOP, 0.62)
    network(axes, 1.62, _TOP, 0.72, 0.72, CLASSIFIED, "encoder")
    block(axes, 2.3, _TOP, 0.14, 0.36, CLASSIFIED)
    axes.text(2.62, _TOP, "“car”", va="center", fontsize=10)
    for start, end in ((0.97, 1.22), (2.01, 2.2), (2.4, 2.6)):
        arrow(axes, (start, _TOP), (end, _TOP))
    taught = "classification: one label for a photograph,\ngiven by people"
    axes.text(1.75, _TOP - 0.62, taught, ha="center", va="center", fontsize=8, color=SOFT)


def _depth(axes: Axes) -> None:
    for shift in (0.08, 0.04, 0):
        street(axes, 0.42 + shift, _BOTTOM + shift, 0.66, 0.5, "image")
    network(axes, 1.27, _BOTTOM, 0.62, 0.72, DEPTH, "encoder")
    network(axes, 1.99, _BOTTOM, 0.62, 0.72, DEPTH, "decoder", narrowing=False)
    street(axes, 2.93, _BOTTOM, 0.66, 0.5, "depth")
    for start, end in ((0.82, 0.94), (1.6, 1.66), (2.32, 2.58)):
        arrow(axes, (start, _BOTTOM), (end, _BOTTOM))
    taught = "monocular depth: the next frame of the video\nis the teacher, no labels"
    axes.text(1.75, _BOTTOM - 1.02, taught, ha="center", va="center", fontsize=8, color=SOFT)


def _segmentation(axes: Axes, y: float, encoder: str, decoder: str) -> None:
    street(axes, 3.9, y, 0.66, 0.5, "image")
    network(axes, 4.75, y, 0.62, 0.72, encoder, "encoder")
    network(axes, 5.47, y, 0.62, 0.72, decoder, "decoder" if decoder != FRESH else "decoder\n(fresh)", narrowing=False)
    block(axes, 5.97, y, 0.12, 0.6, FRESH)
    street(axes, 6.72, y, 0.66, 0.5, "labels")
    for start, end in ((4.26, 4.42), (5.08, 5.14), (5.8, 5.9), (6.05, 6.36)):
        arrow(axes, (start, y), (end, y))


_UP, _DOWN = 1.55, 0.45
_ENCODER, _DECODER, _LAST = 1.55, 2.35, 2.92
"""Centres of the parts, in inches."""


@style.styled
def setups() -> Figure:
    """Figure 2 of the paper: (a) common practice, (b) its best, (c) across architectures, (d) frozen encoder."""
    figure = style.Drawing(figsize=(style.WIDTH, 5.2), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.1)
    panels = figure.subplots(2, 2).flat
    titles = ("(a)  common practice", "(b)  best practice of the paper")
    titles += ("(c)  across architectures", "(d)  frozen encoder")
    decoders = (("DeepLab", FRESH), ("depth\ndecoder", DEPTH), ("DeepLab", FRESH), ("depth\ndecoder", DEPTH))
    for axes, title, (name, fill) in zip(panels, titles, decoders, strict=True):
        canvas(axes, 3.5, 2.1)
        axes.set_title(title, loc="left", fontweight="bold")
        classified = title.startswith("(a)")
        _pretraining(axes, classified)
        _finetuning(axes, CLASSIFIED if classified else DEPTH, name, fill, frozen=title.startswith("(d)"))
    handles = [
        Patch(facecolor=CLASSIFIED, edgecolor="black", label="from classification"),
        Patch(facecolor=DEPTH, edgecolor="black", label="from depth"),
        Patch(facecolor=FRESH, edgecolor="black", label="fresh weights"),
        Patch(facecolor=DEPTH, edgecolor="#7f868d", hatch="////", label="not trained further"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


def _pretraining(axes: Axes, classified: bool) -> None:
    fill = CLASSIFIED if classified else DEPTH
    taught = "photographs\nwith labels" if classified else "video"
    axes.text(0, _UP, f"pre-train on\n{taught}", va="center", fontsize=8, color=SOFT)
    arrow(axes, (0.9, _UP), (1.17, _UP))
    network(axes, _ENCODER, _UP, 0.7, 0.72, fill, "encoder")
    if classified:
        block(axes, 2.2, _UP, 0.14, 0.36, fill)
        arrow(axes, (1.92, _UP), (2.12, _UP))
        arrow(axes, (2.28, _UP), (2.52, _UP))
        axes.text(2.57, _UP, "class", va="center", fontsize=8.5)
        return
    network(axes, _DECODER, _UP, 0.7, 0.72, fill, "depth\ndecoder", narrowing=False)
    arrow(axes, (1.91, _UP), (1.99, _UP))
    arrow(axes, (2.71, _UP), (2.95, _UP))
    axes.text(2.99, _UP, "depth", va="center", fontsize=8.5)


def _finetuning(axes: Axes, encoder: str, name: str, decoder: str, frozen: bool) -> None:
    axes.text(0, _DOWN, "fine-tune on\nannotated\nimages", va="center", fontsize=8, color=SOFT)
    arrow(axes, (0.9, _DOWN), (1.17, _DOWN))
    network(axes, _ENCODER, _DOWN, 0.7, 0.72, encoder, "encoder", frozen=frozen)
    network(axes, _DECODER, _DOWN, 0.7, 0.72, decoder, name, narrowing=False)
    block(axes, _LAST, _DOWN, 0.12, 0.6, FRESH)
    arrow(axes, (1.91, _DOWN), (1.99, _DOWN))
    arrow(axes, (2.71, _DOWN), (2.85, _DOWN))
    arrow(axes, (2.99, _DOWN), (3.13, _DOWN))
    axes.text(3.16, _DOWN, "labels", va="center", fontsize=8.5)
    for x in (_ENCODER, _DECODER) if decoder == DEPTH else (_ENCODER,):
        arrow(axes, (x, _UP - 0.4), (x, _DOWN + 0.42), dashed=True, colour=SOFT)
