"""Figure 1: the question, as a drawing."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.plots import shapes, style
from depthseg_lib.plots.shapes import CLASSIFIED, DEPTH, FRESH, SOFT, arrow, block, network, photograph, street

_TOP, _BOTTOM = 2.8, 1.2


@style.styled
def question() -> Figure:
    """Two ways to the same segmentation network: from photographs with one label each, or from video without any."""
    figure = style.Drawing(figsize=(style.WIDTH, 3.95), layout="constrained")
    axes = figure.subplots()
    shapes.canvas(axes, 7.2, 3.95)
    for x, text in ((1.75, "pre-training"), (5.3, "fine-tuning: semantic segmentation")):
        axes.text(x, 3.82, text, ha="center", va="top", fontsize=10, fontweight="bold")
    axes.plot([3.42, 3.42], [0.3, 3.7], color="#c4c7cc", linewidth=0.8, linestyle=(0, (4, 3)))
    _classification(axes)
    _depth(axes)
    _segmentation(axes, _TOP, CLASSIFIED, FRESH)
    _segmentation(axes, _BOTTOM, DEPTH, DEPTH)
    arrow(axes, (1.62, _TOP + 0.32), (4.75, _TOP + 0.32), dashed=True, colour="#b5562a", bend=-0.16)
    arrow(axes, (1.63, _BOTTOM - 0.34), (5.11, _BOTTOM - 0.34), dashed=True, colour="#1f6fa8", bend=0.16)
    axes.text(
        5.3,
        1.95,
        "which one is better, with few annotated images?",
        ha="center",
        va="center",
        style="italic",
        fontsize=10,
    )
    return figure


def _classification(axes: Axes) -> None:
    photograph(axes, 0.62, _TOP, 0.62)
    network(axes, 1.62, _TOP, 0.72, 0.72, CLASSIFIED, "encoder")
    block(axes, 2.3, _TOP, 0.14, 0.36, CLASSIFIED)
    axes.text(2.62, _TOP, "“car”", va="center", fontsize=10)
    for start, end in ((0.97, 1.22), (2.01, 2.2), (2.4, 2.6)):
        arrow(axes, (start, _TOP), (end, _TOP))
    axes.text(
        1.75,
        _TOP - 0.62,
        "classification: one label for a photograph,\ngiven by people",
        ha="center",
        va="center",
        fontsize=8,
        color=SOFT,
    )


def _depth(axes: Axes) -> None:
    for shift in (0.08, 0.04, 0):
        street(axes, 0.42 + shift, _BOTTOM + shift, 0.66, 0.5, "image")
    network(axes, 1.27, _BOTTOM, 0.62, 0.72, DEPTH, "encoder")
    network(axes, 1.99, _BOTTOM, 0.62, 0.72, DEPTH, "decoder", narrowing=False)
    street(axes, 2.93, _BOTTOM, 0.66, 0.5, "depth")
    for start, end in ((0.82, 0.94), (1.6, 1.66), (2.32, 2.58)):
        arrow(axes, (start, _BOTTOM), (end, _BOTTOM))
    axes.text(
        1.75,
        _BOTTOM - 1.02,
        "monocular depth: the next frame of the video\nis the teacher, no labels",
        ha="center",
        va="center",
        fontsize=8,
        color=SOFT,
    )


def _segmentation(axes: Axes, y: float, encoder: str, decoder: str) -> None:
    street(axes, 3.9, y, 0.66, 0.5, "image")
    network(axes, 4.75, y, 0.62, 0.72, encoder, "encoder")
    network(axes, 5.47, y, 0.62, 0.72, decoder, "decoder" if decoder != FRESH else "decoder\n(fresh)", narrowing=False)
    block(axes, 5.97, y, 0.12, 0.6, FRESH)
    street(axes, 6.72, y, 0.66, 0.5, "labels")
    for start, end in ((4.26, 4.42), (5.08, 5.14), (5.8, 5.9), (6.05, 6.36)):
        arrow(axes, (start, y), (end, y))
