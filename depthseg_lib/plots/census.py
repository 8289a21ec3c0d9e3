"""The census: which classes the annotated images hold, and how much of them each is."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from depthseg_lib.data.labels import LabelSet
from depthseg_lib.plots import style

_ROW = 0.2
"""Inches per class."""
_SMALL = dict(va="center", fontsize=7.5)


@style.styled
def census(classes: pd.DataFrame, images: int, label_set: LabelSet, footer: str = "") -> Figure:
    """Share of the labelled pixels and number of images of each class, from the one with the most pixels down.

    `classes` is `data.census.census` of `images` images. Shares are on a logarithmic axis; colours are those of the
    classes, the representative ones are bold, void is grey and last.
    """
    ordered = pd.concat([classes.iloc[:-1].sort_values("pixels", ascending=False, kind="stable"), classes.iloc[-1:]])
    figure = style.Drawing(figsize=(style.WIDTH, len(ordered) * _ROW + 1.1), layout="constrained")
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
    style.footer(figure, footer)
    return figure
