"""Pictures: predictions beside image and truth, predicted depth beside the true one."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from depthseg_lib.data.labels import LabelSet
from depthseg_lib.plots import style


@style.styled
def predictions(
    images: np.ndarray | None,
    truth: np.ndarray,
    predicted: Mapping[str, np.ndarray],
    label_set: LabelSet,
    footer: str = "",
) -> Figure:
    """A row per validation image: the image, the truth, and the prediction of each initialisation.

    `images` K 3 H W uint8, `truth` and each of `predicted` K H W class indices; void pixels of the truth are black.
    Without `images` only predictions are shown: for sets whose images and labels may not be passed on.
    """
    columns = {}
    if images is not None:
        columns = {"image": images.transpose(0, 2, 3, 1), "truth": label_set.colour(truth)}
    columns |= {name: label_set.colour(predicted[name]) for name in style.present(predicted)}
    figure = _grid(columns)
    class_legend(figure, np.stack([*predicted.values(), *([] if images is None else [truth])]), label_set)
    style.footer(figure, footer)
    return figure


@style.styled
def depth_examples(
    images: np.ndarray,
    truth: np.ndarray,
    predicted: Mapping[str, np.ndarray],
    footer: str = "",
    title: str = "true depth",
    rows: Sequence[str] = (),
) -> Figure:
    """A row per frame: the image, the true depth and each initialisation's predicted depth, one scale in metres.

    `images` K 3 H W uint8, depths K H W metres after median scaling; pixels without truth are white. A set without any
    true depth gets no such column, and its predictions are up to scale. `title` is that of the column of the truth,
    `rows` are names of the rows, such as encoders; pictures of NaN are blank.
    """
    known = (truth > 0).any()
    shown = truth[truth > 0] if known else np.stack(list(predicted.values()))
    low, high = np.nanpercentile(shown, (1, 99))
    columns = {"image": images.transpose(0, 2, 3, 1)}
    columns |= {title: np.where(truth > 0, truth, np.nan)} if known else {}
    columns |= {name: predicted[name] for name in style.present(predicted)}
    figure = _grid(columns, 0.86, rows, cmap="viridis_r", norm="log", vmin=max(low, 0.1), vmax=high)
    mapped = figure.axes[1].images[0]
    ticks = [metres for metres in (1, 2, 5, 10, 20, 50, 100) if mapped.norm.vmin <= metres <= mapped.norm.vmax]
    bar = figure.colorbar(
        mapped,
        ax=figure.axes,
        shrink=0.9,
        label="depth (m)" if known else "depth (up to scale)",
        ticks=ticks,
        format="%g",
    )
    bar.minorticks_off()
    style.footer(figure, footer)
    return figure


@style.styled
def contact_sheet(images: Sequence[np.ndarray], titles: Sequence[str], columns: int, footer: str = "") -> Figure:
    """Pictures (each 3 H W uint8) in rows of `columns`, with a title each where `titles` has one."""
    count, (height, width) = len(images), images[0].shape[1:]
    columns = min(columns, count)
    rows = -(-count // columns)
    tall = style.WIDTH / columns * height / width + (0.2 if len(titles) else 0.03)
    figure = style.Drawing(figsize=(style.WIDTH, tall * rows + (0.3 if footer else 0)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for at, image, title in zip_longest(axes, images, list(titles)[:count], fillvalue=None):
        at.set_axis_off()
        if image is not None:
            at.imshow(image.transpose(1, 2, 0), interpolation="nearest")
            at.set_title(title or "", fontsize=8, pad=2)
    style.footer(figure, footer)
    return figure


def _grid(columns: Mapping[str, np.ndarray], share: float = 1.0, rows: Sequence[str] = (), **mapping) -> Figure:
    """Rows of pictures with a title per column and a name per row, if any; they take `share` of the width."""
    first = next(iter(columns.values()))
    count, (height, width) = len(first), first.shape[1:3]
    across = max(style.WIDTH, 1.75 * len(columns))
    figure = style.Drawing(
        figsize=(across, share * across / len(columns) * height / width * count + 0.95), layout="constrained"
    )
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    axes = figure.subplots(count, len(columns), squeeze=False)
    for column, (title, pictures) in zip(axes.T, columns.items(), strict=True):
        for at, picture in zip(column, pictures, strict=True):
            _show(at, picture, **(mapping if picture.ndim == 2 else {}))
        column[0].set_title(title, fontsize=9)
    style.name_rows(axes[:, 0], rows)
    return figure


def _show(axes: Axes, picture: np.ndarray, **mapping) -> None:
    axes.imshow(picture, interpolation="nearest", **mapping)
    axes.set_axis_off()


def class_legend(figure: Figure, truth: np.ndarray, label_set: LabelSet) -> None:
    """The colours of the classes that occur in `truth` (K H W), in a row above all panels."""
    present = [i for i in range(len(label_set.classes)) if (truth == i).any()]
    handles = [Patch(facecolor=np.array(label_set.colours[i]) / 255, label=label_set.classes[i]) for i in present]
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=min(len(handles), 10),
        fontsize=7.5,
        handlelength=1,
        handleheight=1,
        columnspacing=1.2,
    )
