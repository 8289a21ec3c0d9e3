"""What all figures share: one colour, line and marker per initialisation everywhere, fonts, legend and footer."""

import functools
import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

LOOK = {  # initialisation: (colour, line, marker)
    "none": ("#000000", (0, (1, 1.2)), "o"),
    "imagenet": ("#E69F00", (0, (5, 1.5)), "s"),
    "moco-v2": ("#882255", (0, (4, 1, 1, 1)), "P"),
    "dino": ("#332288", (0, (4, 1, 1, 1)), "p"),
    "classification": ("#D55E00", (0, (5, 1.5)), "D"),
    "depth": ("#0072B2", "-", "^"),
    "depth-imagenet": ("#009E73", "-", "v"),
    "depth-classification": ("#7D21D9", (0, (6, 1.2, 1.2, 1.2)), ">"),
    "depth-supervised": ("#CC79A7", "-", "X"),
    "flow": ("#734B22", (0, (3, 1.5)), "*"),
}
"""Colours that colour-blind readers can tell apart, dark enough for thin lines: Okabe & Ito's without sky blue and
yellow, Tol's wine and indigo, and a violet and a brown far from all these. The depth family has triangles besides."""
METRICS = {
    "train_loss": "training loss (NLL, nats per pixel)",
    "nll": "validation NLL (nats per pixel)",
    "miou_seven": "mIoU, representative (%)",
    "miou_occurring": "mIoU, classes that occur (%)",
    "miou": "mIoU, all classes (%)",
    "accuracy": "pixel accuracy (%)",
}
"""Axis labels with units; fractions are drawn in percent."""
PERCENT = ("miou_seven", "miou_occurring", "miou", "accuracy")
Pictures = Mapping[str, np.ndarray]
"""Pictures, or what is drawn as some, by the initialisation that they are of, or by another name."""
WIDTH = 7.2
"""Inches across two columns of a paper; type stays readable at half of it."""
MEAN = dict(capsize=2.5, elinewidth=1.2, markersize=6.5, markeredgecolor="white", zorder=3)
HOLLOW = dict(markerfacecolor="white", markeredgewidth=1.5, markersize=6.5, linestyle="none")
"""How our means with their intervals, and the paper's values, are drawn where they stand on lines of names."""
SCREEN_DPI = 100
GREY = "#5f6368"
_BACKENDS = ("backend", "interactive", "toolbar", "timezone", "webagg", "tk.", "savefig.directory", "date.epoch")
RC = {name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith(_BACKENDS)} | {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.titlesize": 9.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.edgecolor": "#3c4043",
    "axes.grid": True,
    "grid.color": "#e4e6e9",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "lines.linewidth": 1.7,
    "lines.markersize": 5,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "svg.hashsalt": "depthseg",
}
"""The matplotlib settings of all figures, for saving them too: its own, but for these, and none of the user's."""


def styled(draw):
    """Draw inside the study's matplotlib settings and leave the user's own as they were."""

    @functools.wraps(draw)
    def inside(*args, **kwargs):
        with matplotlib.rc_context(RC):
            return draw(*args, **kwargs)

    return inside


class Drawing(Figure):
    """A Figure that shows itself in a notebook whatever the backend, at twice a screen's resolution."""

    def _repr_png_(self):
        buffer = io.BytesIO()
        with matplotlib.rc_context(RC):
            self.savefig(buffer, format="png", dpi=2 * SCREEN_DPI)
        return buffer.getvalue(), {"width": round(self.get_figwidth() * SCREEN_DPI)}


def sheet(width: float, height: float) -> Drawing:
    """A Drawing (inches) of pictures that nearly touch."""
    figure = Drawing(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    return figure


def scale(metric: str) -> float:
    """Percent for fractions, else one."""
    return 100.0 if metric in PERCENT else 1.0


def present(initialisations: Iterable[str]) -> list[str]:
    """Those initialisations that occur, in the study's order."""
    names = set(map(str, initialisations))
    return [name for name in LOOK if name in names]


def look(initialisation: str, line: bool = True) -> dict:
    """How an initialisation is drawn: colour, marker with a white edge, and line if any."""
    colour, style, marker = LOOK[initialisation]
    known = dict(color=colour, marker=marker, markeredgecolor="white", markeredgewidth=0.5)
    return known | {"linestyle": style} if line else known


def handle(initialisation: str) -> Line2D:
    """A legend entry with the initialisation's line and marker."""
    return Line2D([], [], label=initialisation, **look(initialisation))


def legend(figure: Figure, initialisations: Iterable[str], columns: int = 4, others: Sequence[Line2D] = ()) -> None:
    """One legend above all panels, of the initialisations and `others`."""
    handles = [*map(handle, present(initialisations)), *others]
    size = dict(ncols=min(columns, len(handles)), handlelength=3.0, columnspacing=1.6)
    figure.legend(handles=handles, loc="outside upper center", **size)


def name_lines(axes: Axes, names: Sequence[str]) -> None:
    """A line of the axes for each name, from the top, without a grid between them."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def with_footer(figure: Figure, text: str) -> Figure:
    """The figure with a small line under everything: data, profile, n, trials and interval."""
    lines = textwrap.wrap(text, int(figure.get_figwidth() * 19.5), break_on_hyphens=False)
    figure.supxlabel("\n".join(lines), fontsize=7, color=GREY, x=0.01, ha="left")
    return figure


def few_ticks(axes: Axes) -> None:
    """At most five round tick values upwards."""
    axes.yaxis.set_major_locator(MaxNLocator(5, min_n_ticks=3))


def name_rows(axes: Iterable[Axes], names: Sequence[str]) -> None:
    """Write names upright beside the first pictures of rows; those that repeat the one above are left out."""
    for at, name, before in zip(axes, names, ("", *names), strict=False):
        if name != before:
            at.text(-0.03, 0.5, name, rotation=90, ha="right", va="center", transform=at.transAxes, fontsize=8)
