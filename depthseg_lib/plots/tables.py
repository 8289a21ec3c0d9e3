"""Tables 1 and 2 as a picture: ours above, the paper's below, rules above and below each, no lines between."""

from itertools import groupby
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.plots import style

if TYPE_CHECKING:  # `tables` names encoders as the plots do, and so imports this package
    from depthseg_lib.analysis.tables import Column

_LABEL, _CELL, _GAP, _ROW = 1.6, 1.08, 0.2, 0.25
"""Widths and row height in inches."""
_HEAD, _BELOW = 3.2, 0.9
"""Rows of a block's head, and of the room below it."""


@style.styled
def table1(blocks: "list[list[Column]]", footer: str = "") -> Figure:
    """Draw `tables.blocks` under one another; bold is the highest mean of a column."""
    widths = [_places(shown)[1] for shown in blocks]
    heights = [(_HEAD + len(_rows(shown)) + _BELOW) * _ROW for shown in blocks]
    figure = style.Drawing(figsize=(max(widths), sum(heights) + 0.5), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, max(widths)), ylim=(sum(heights), 0))
    axes.set_axis_off()
    for number, shown in enumerate(blocks):
        _block(axes, shown, sum(heights[:number]))
    style.footer(figure, footer)
    return figure


def _block(axes: Axes, shown: "list[Column]", above: float) -> None:
    """One block of columns, its upper edge `above` inches from the figure's."""
    names, (places, width) = _rows(shown), _places(shown)
    _heads(axes, shown, places, above)
    top = above + _HEAD * _ROW
    for row, name in enumerate(names):
        y = top + (row + 0.55) * _ROW
        axes.plot(0.12, y, marker=style.LOOK[name][2], color=style.LOOK[name][0], markersize=6.5)
        axes.text(0.26, y, name, va="center")
        for column, x in zip(shown, places, strict=True):
            weight = "bold" if name in column.best else "normal"
            axes.text(x, y, column.cells.get(name, "–"), va="center", ha="center", fontweight=weight, fontsize=8.5)
    bottom = top + (len(names) + 0.15) * _ROW
    for y, line in ((above, 1.4), (top, 0.8), (bottom, 1.4)):
        axes.plot([0, width], [y, y], color="black", linewidth=line, clip_on=False)


def _rows(shown: "list[Column]") -> list[str]:
    return style.present(name for column in shown for name in column.cells)


def _places(shown: "list[Column]") -> tuple[list[float], float]:
    """Centres of the columns, with a gap between groups and settings, and the block's width."""
    places, x, last = [], _LABEL, None
    for column in shown:
        x += _GAP if (column.group, column.setting) != last else 0
        places.append(x + _CELL / 2)
        x, last = x + _CELL, (column.group, column.setting)
    return places, x + 0.05


def _heads(axes: Axes, shown: "list[Column]", places: list[float], above: float) -> None:
    """Three lines: whose numbers, which setting, which metric; a thin rule under what spans several columns."""
    pairs = list(zip(shown, places, strict=True))
    for level, key in enumerate((lambda c: c.group, lambda c: (c.group, c.setting))):
        for _, group in groupby(pairs, key=lambda pair: key(pair[0])):
            members = list(group)
            left, right = members[0][1], members[-1][1]
            text, weight = (members[0][0].group, "bold") if level == 0 else (members[0][0].setting, "normal")
            y = above + (0.55 + level) * _ROW
            axes.text((left + right) / 2, y, text, ha="center", va="center", fontweight=weight)
            edge = _CELL / 2 - 0.04
            axes.plot([left - edge, right + edge], [y + 0.5 * _ROW] * 2, color=style.GREY, linewidth=0.6)
    for column, x in pairs:
        axes.text(x, above + 2.65 * _ROW, column.metric, ha="center", va="center", fontsize=7.5, color=style.GREY)
