"""Figure 2: the four ways from pre-training to fine-tuning, redrawn from the description in section 4 of the paper."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from depthseg_lib.plots import shapes, style
from depthseg_lib.plots.shapes import CLASSIFIED, DEPTH, FRESH, SOFT, arrow, block, network

_UP, _DOWN = 1.55, 0.45
_ENCODER, _DECODER, _LAST = 1.55, 2.35, 2.92
"""Centres of the parts, in inches."""


@style.styled
def setups() -> Figure:
    """Figure 2 of the paper: (a) common practice, (b) its best, (c) across architectures, (d) frozen encoder."""
    figure = style.Drawing(figsize=(style.WIDTH, 5.2), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.1)
    panels = figure.subplots(2, 2).flat
    titles = (
        "(a)  common practice",
        "(b)  best practice of the paper",
        "(c)  across architectures",
        "(d)  frozen encoder",
    )
    decoders = (("DeepLab", FRESH), ("depth\ndecoder", DEPTH), ("DeepLab", FRESH), ("depth\ndecoder", DEPTH))
    for axes, title, (name, fill) in zip(panels, titles, decoders, strict=True):
        shapes.canvas(axes, 3.5, 2.1)
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
    for x, carried in ((_ENCODER, True), (_DECODER, decoder == DEPTH)):
        if carried:
            arrow(axes, (x, _UP - 0.4), (x, _DOWN + 0.42), dashed=True, colour=SOFT)
