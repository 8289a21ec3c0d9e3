"""Table 1 as a picture: rules above and below, no lines between, the paper's columns apart."""

from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.plots import style
from depthseg_lib.tables import Column, rows

_LABEL, _OURS, _PAPER, _GAP, _ROW = 1.6, 1.0, 0.88, 0.2, 0.25
"""Widths and row height in inches."""


@style.styled
def table1(shown: list[Column], footer: str = "") -> Figure:
    """Draw the columns of `tables.columns`; bold is the highest mean of a column."""
    names, places, width = rows(shown), *_places(shown)
    height = (len(names) + 3.6) * _ROW
    figure = style.Drawing(figsize=(width, height + 0.4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    _heads(axes, shown, places)
    top = 3.2 * _ROW
    for row, name in enumerate(names):
        y = top + (row + 0.55) * _ROW
        axes.plot(0.12, y, marker=style.LOOK[name][2], color=style.LOOK[name][0], markersize=6.5)
        axes.text(0.26, y, name, va="center")
        for column, x in zip(shown, places, strict=True):
            weight = "bold" if column.best == name else "normal"
            axes.text(x, y, column.cells.get(name, "–"), va="center", ha="center", fontweight=weight, fontsize=8.5)
    for y, line in ((0, 1.4), (top, 0.8), (height - 0.2 * _ROW, 1.4)):
        axes.plot([0, width], [y, y], color="black", linewidth=line, clip_on=False)
    style.footer(figure, footer)
    return figure


def _places(shown: list[Column]) -> tuple[list[float], float]:
    """Centres of the columns, with a gap between groups and settings, and the table's width."""
    places, x, last = [], _LABEL, None
    for column in shown:
        wide = _OURS if column.group.startswith("ours") else _PAPER
        x += _GAP if (column.group, column.setting) != last else 0
        places.append(x + wide / 2)
        x, last = x + wide, (column.group, column.setting)
    return places, x + 0.05


def _heads(axes: Axes, shown: list[Column], places: list[float]) -> None:
    """Three lines: whose numbers, which setting, which metric; a thin rule under what spans several columns."""
    pairs = list(zip(shown, places, strict=True))
    for level, key in enumerate((lambda c: c.group, lambda c: (c.group, c.setting))):
        for _, group in groupby(pairs, key=lambda pair: key(pair[0])):
            members = list(group)
            left, right = members[0][1], members[-1][1]
            text = members[0][0].group if level == 0 else members[0][0].setting
            y = (0.55 + level) * _ROW
            axes.text(
                (left + right) / 2, y, text, ha="center", va="center", fontweight="bold" if level == 0 else "normal"
            )
            edge = _PAPER / 2 - 0.04
            axes.plot([left - edge, right + edge], [y + 0.5 * _ROW] * 2, color=style.GREY, linewidth=0.6)
    for column, x in pairs:
        axes.text(x, 2.65 * _ROW, column.metric, ha="center", va="center", fontsize=7.5, color=style.GREY)
