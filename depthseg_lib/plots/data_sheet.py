"""A sheet of pictures by which a person sees whether a data set is what it should be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from depthseg_lib.data.labels import LabelSet
from depthseg_lib.plots import style
from depthseg_lib.plots.pictures import class_legend

COLUMNS = 4
"""Pictures in a row."""


@dataclass(frozen=True)
class Row:
    """Pictures of one kind, side by side."""

    title: str
    """What they are."""
    pictures: Sequence[np.ndarray]
    """At most `COLUMNS`: H W 3 uint8, or H W numbers, drawn dark where small and white where NaN; of any sizes."""
    names: Sequence[str] = ()
    """A caption each; none for pictures that belong to those above them."""
    limits: tuple[float, float] | None = None
    """The numbers that are drawn darkest and lightest."""


@style.styled
def data_sheet(rows: Sequence[Row], truth: np.ndarray | None, label_set: LabelSet, footer: str = "") -> Figure:
    """All rows under one another, with the colours of the classes that occur in `truth` (any shape of indices)."""
    wide = style.WIDTH * 1.4 / COLUMNS
    heights = [_tallest(row) * wide + (0.25 if row.names else 0.05) for row in rows]
    figure = style.Drawing(figsize=(style.WIDTH * 1.4, sum(heights) + 0.9), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    axes = figure.subplots(len(rows), COLUMNS, squeeze=False, gridspec_kw={"height_ratios": heights})
    for across, row in zip(axes, rows, strict=True):
        for at in across:
            at.set_axis_off()
        across[0].text(-0.03, 0.5, row.title, rotation=90, ha="right", va="center", transform=across[0].transAxes)
        for number, (at, picture) in enumerate(zip(across, row.pictures, strict=False)):
            low, high = row.limits or (None, None)
            at.imshow(picture, interpolation="nearest", cmap="viridis", vmin=low, vmax=high)
            if row.names:
                at.set_title(row.names[number], fontsize=7, pad=2)
    if truth is not None:
        class_legend(figure, truth, label_set)
    style.footer(figure, footer)
    return figure


def _tallest(row: Row) -> float:
    return max(picture.shape[0] / picture.shape[1] for picture in row.pictures)
