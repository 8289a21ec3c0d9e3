"""Pictures: predictions beside image and truth, predicted depth beside the true one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from depthseg_lib.data.labels import LabelSet
from depthseg_lib.plots import style
from depthseg_lib.plots.style import Pictures


@style.styled
def predictions(
    images: np.ndarray | None, truth: np.ndarray, predicted: Pictures, label_set: LabelSet, footer: str = ""
) -> Figure:
    """A row per validation image: the image, the truth, and the prediction of each initialisation.

    `images` K 3 H W uint8, `truth` and each of `predicted` K H W class indices; void pixels of the truth are black.
    Without `images` only predictions are shown: for sets whose images and labels may not be passed on.
    """
    columns = {}
    if images is not None:
        columns = {"image": images.transpose(0, 2, 3, 1), "truth": label_set.colour(truth)}
    columns |= {name: label_set.colour(predicted[name]) for name in style.present(predicted)}
    figure = grid_of(columns)
    class_legend(figure, np.stack([*predicted.values(), *([] if images is None else [truth])]), label_set)
    return style.with_footer(figure, footer)


@style.styled
def contact_sheet(images: Sequence[np.ndarray], titles: Sequence[str], columns: int) -> Figure:
    """Pictures (each 3 H W uint8) in rows of `columns`, with a title each where `titles` has one."""
    count, (height, width) = len(images), images[0].shape[1:]
    columns = min(columns, count)
    rows = -(-count // columns)
    tall = style.WIDTH / columns * height / width + (0.2 if len(titles) else 0.03)
    figure = style.sheet(style.WIDTH, tall * rows)
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for at, image, title in zip_longest(axes, images, list(titles)[:count], fillvalue=None):
        at.set_axis_off()
        if image is not None:
            at.imshow(image.transpose(1, 2, 0), interpolation="nearest")
            at.set_title(title or "", fontsize=8, pad=2)
    return figure


def grid_of(columns: Pictures, share: float = 1.0, rows: Sequence[str] = (), **mapping) -> Figure:
    """Rows of pictures with a title per column and a name per row, if any; they take `share` of the width."""
    first = next(iter(columns.values()))
    count, (height, width) = len(first), first.shape[1:3]
    across = max(style.WIDTH, 1.75 * len(columns))
    figure = style.sheet(across, share * across / len(columns) * height / width * count + 0.95)
    fill(figure.subplots(count, len(columns), squeeze=False), columns, rows, **mapping)
    return figure


def fill(axes: np.ndarray, columns: Pictures, rows: Sequence[str], **mapping) -> None:
    """Hang pictures into axes (rows, columns), with the columns' titles above and the rows' names beside them."""
    for column, (title, pictures) in zip(axes.T, columns.items(), strict=True):
        for at, picture in zip(column, pictures, strict=True):
            at.imshow(picture, interpolation="nearest", **(mapping if picture.ndim == 2 else {}))
            at.set_axis_off()
        column[0].set_title(title, fontsize=9)
    style.name_rows(axes[:, 0], rows)


def class_legend(figure: Figure, truth: np.ndarray, label_set: LabelSet) -> None:
    """The colours of the classes that occur in `truth` (K H W), in a row above all panels."""
    present = [i for i in range(len(label_set.classes)) if (truth == i).any()]
    handles = [Patch(facecolor=np.array(label_set.colours[i]) / 255, label=label_set.classes[i]) for i in present]
    size = dict(fontsize=7.5, handlelength=1, handleheight=1, columnspacing=1.2)
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 10), **size)


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
    tallest = [max(picture.shape[0] / picture.shape[1] for picture in row.pictures) for row in rows]
    heights = [tall * wide + (0.25 if row.names else 0.05) for tall, row in zip(tallest, rows, strict=True)]
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
    return style.with_footer(figure, footer)
