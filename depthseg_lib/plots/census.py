"""The census: which classes the annotated images hold, and how much of them each is."""

import pandas as pd
from matplotlib.figure import Figure

from depthseg_lib.data.labels import LabelSet
from depthseg_lib.plots import style

_ROW = 0.2
"""Inches per class."""


@style.styled
def census(classes: pd.DataFrame, images: int, label_set: LabelSet, footer: str = "") -> Figure:
    """Share of the labelled pixels and number of images of each class, from the one with the most pixels down.

    `classes` is `data.census.census` of `images` images. Shares are on a logarithmic axis, in the classes' colours;
    the representative classes are bold, void is grey and last.
    """
    ordered = pd.concat([classes.iloc[:-1].sort_values("pixels", ascending=False, kind="stable"), classes.iloc[-1:]])
    figure = style.Drawing(figsize=(style.WIDTH, len(ordered) * _ROW + 1.1), layout="constrained")
    share, holding = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    palette = dict(zip(label_set.classes, label_set.colours, strict=True))
    colours = [[part / 255 for part in palette.get(name, (160, 160, 160))] for name in ordered["class"]]
    looks = dict(color=colours, edgecolor="#3c4043", linewidth=0.4, height=0.72)
    places = range(len(ordered))
    share.barh(places, 100 * ordered["share"].where(ordered["share"] > 0), **looks)
    holding.barh(places, ordered["images"], **looks)
    for place, value in zip(places, ordered["images"], strict=True):
        holding.annotate(str(value), (value, place), (3, 0), textcoords="offset points", va="center", fontsize=7.5)
    share.set_xscale("log")
    share.set_xlabel("share of the labelled pixels (%); void: of all pixels")
    holding.set(xlabel=f"images of {images} that hold it", xlim=(0, 1.15 * images))
    share.set_yticks(places, ordered["class"])
    share.set_ylim(len(ordered) - 0.5, -0.5)
    known = [label_set.classes[index] for index in label_set.representative]
    for tick, name in zip(share.get_yticklabels(), ordered["class"], strict=True):
        tick.set_fontweight("bold" if name in known else "normal")
    for axes in (share, holding):
        axes.grid(axis="y", visible=False)
    style.footer(figure, footer)
    return figure
