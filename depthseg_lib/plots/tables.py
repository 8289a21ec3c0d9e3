"""Tables 1 and 2 as a picture: ours above, the paper's below, rules above and below each, no lines between."""

from itertools import groupby

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from depthseg_lib.analysis.tables import Column, rows
from depthseg_lib.data.labels import LabelSet
from depthseg_lib.plots import style

_LABEL, _CELL, _GAP, _ROW = 1.6, 1.08, 0.2, 0.25
"""Widths and row height in inches."""
_HEAD, _BELOW = 3.2, 0.9
"""Rows of a block's head, and of the room below it."""


@style.styled
def table1(blocks: list[list[Column]], footer: str = "") -> Figure:
    """Draw `tables.blocks` under one another; bold is the highest mean of a column."""
    widths = [_places(shown)[1] for shown in blocks]
    heights = [(_HEAD + len(rows(shown)) + _BELOW) * _ROW for shown in blocks]
    figure = style.Drawing(figsize=(max(widths), sum(heights) + 0.5), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, max(widths)), ylim=(sum(heights), 0))
    axes.set_axis_off()
    for number, shown in enumerate(blocks):
        _block(axes, shown, sum(heights[:number]))
    return style.with_footer(figure, footer)


def _block(axes: Axes, shown: list[Column], above: float) -> None:
    """One block of columns, its upper edge `above` inches from the figure's."""
    names, (places, width) = rows(shown), _places(shown)
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


def _places(shown: list[Column]) -> tuple[list[float], float]:
    """Centres of the columns, with a gap between groups and settings, and the block's width."""
    places, x, last = [], _LABEL, None
    for column in shown:
        x += _GAP if (column.group, column.setting) != last else 0
        places.append(x + _CELL / 2)
        x, last = x + _CELL, (column.group, column.setting)
    return places, x + 0.05


def _heads(axes: Axes, shown: list[Column], places: list[float], above: float) -> None:
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


_CLASS_ROW = 0.2
"""Inches per class."""
_SMALL = dict(va="center", fontsize=7.5)


@style.styled
def census(classes: pd.DataFrame, images: int, label_set: LabelSet, footer: str = "") -> Figure:
    """Share of the labelled pixels and number of images of each class, from the one with the most pixels down.

    `classes` is `data.census.census` of `images` images. Shares are on a logarithmic axis; colours are those of the
    classes, the representative ones are bold, void is grey and last.
    """
    ordered = pd.concat([classes.iloc[:-1].sort_values("pixels", ascending=False, kind="stable"), classes.iloc[-1:]])
    figure = style.Drawing(figsize=(style.WIDTH, len(ordered) * _CLASS_ROW + 1.1), layout="constrained")
    share, holding = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    palette = dict(zip(label_set.classes, label_set.colours, strict=True))
    colours = [[part / 255 for part in palette.get(name, (160, 160, 160))] for name in ordered["class"]]
    look, places = dict(color=colours, edgecolor="#3c4043", linewidth=0.4), range(len(ordered))
    percent = 100 * ordered["share"].where(ordered["share"] > 0)
    share.scatter(percent, places, s=42, zorder=3, **look)  # no bars: a logarithmic axis has no zero to start from
    holding.barh(places, ordered["images"], height=0.72, **look)
    for axes, values, form in ((share, percent, "{:.2g} %"), (holding, ordered["images"], "{}")):
        for place, value in enumerate(values):
            if value == value:  # a class without a pixel has no place on the left
                axes.annotate(form.format(value), (value, place), (6, 0), textcoords="offset points", **_SMALL)
    share.set_xscale("log")
    share.margins(x=0.12)
    share.xaxis.set_major_formatter("{x:g}")
    share.xaxis.set_minor_formatter(NullFormatter())
    share.set_xlabel("share of the labelled pixels (%); void: of all pixels")
    holding.set(xlabel=f"images of {images} that hold it", xlim=(0, 1.15 * images))
    share.set_yticks(places, ordered["class"])
    share.set_ylim(len(ordered) - 0.5, -0.5)
    known = [label_set.classes[index] for index in label_set.representative]
    for tick, name in zip(share.get_yticklabels(), ordered["class"], strict=True):
        tick.set_fontweight("bold" if name in known else "normal")
    holding.grid(axis="y", visible=False)
    return style.with_footer(figure, footer)
