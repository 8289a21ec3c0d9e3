"""Optical flow in the usual colour wheel (Baker et al. 2011): direction is hue, speed is saturation, rest is white."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.plots import style

_STEPS = (15, 6, 4, 11, 13, 6)
"""Steps of the wheel from red to yellow, green, cyan, blue, magenta and back, as many as the eye tells apart."""
_CORNERS = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0))
_KEY = 1.15
"""Inches across the wheel and the text below it."""


def flow_colours(flow: np.ndarray, fastest: float) -> np.ndarray:
    """Colours (... H W 3 in 0..1) of a flow (... 2 H W pixels); `fastest` pixels have full colour, more are dark.

    Motion to the right is red, down yellow, left blue, up violet. Without flow (NaN) grey.
    """
    x, y = np.moveaxis(np.asarray(flow, float), -3, 0) / fastest
    speed, place = np.hypot(x, y), np.arctan2(y, x) / (2 * np.pi) % 1 * (sum(_STEPS) - 1)
    corners = np.cumsum((0, *_STEPS))
    full = np.stack([np.interp(place, corners, channel) for channel in zip(*_CORNERS, strict=True)], axis=-1)
    speed = speed[..., None]
    colours = np.where(speed <= 1, 1 - speed * (1 - full), 0.75 * full)
    return np.where(np.isfinite(speed), colours, 0.6)


@style.styled
def flow_examples(
    images: np.ndarray,
    predicted: np.ndarray,
    truth: np.ndarray | None = None,
    errors: Mapping[str, float] | None = None,
    footer: str = "",
    rows: Sequence[str] = (),
) -> Figure:
    """A row per pair: both frames, the predicted flow and the exact one, with the colour wheel as key.

    `images` K 2 3 H W uint8, flows K 2 H W pixels; without `truth` (real sets) there is no such column. `errors` are
    mean end-point errors in pixels by what they are of, to stand below the wheel; `rows` are names of the rows.
    """
    shown = predicted if truth is None else truth
    fastest = max(1.0, float(np.percentile(np.hypot(shown[:, 0], shown[:, 1]), 90).round()))
    columns = {"frame": _pixels(images[:, 0]), "next frame": _pixels(images[:, 1])}
    columns["predicted flow"] = flow_colours(predicted, fastest)
    if truth is not None:
        columns["exact flow"] = flow_colours(truth, fastest)
    figure, grid, key = _layout(len(images), len(columns), images.shape[-2] / images.shape[-1])
    for column, (title, pictures) in zip(grid.T, columns.items(), strict=True):
        column[0].set_title(title, fontsize=9)
        for at, picture in zip(column, pictures, strict=True):
            at.imshow(picture, interpolation="nearest")
            at.set_axis_off()
    style.name_rows(grid[:, 0], rows)
    _wheel(key, fastest, errors or {})
    style.footer(figure, footer)
    return figure


def _pixels(images: np.ndarray) -> np.ndarray:
    return images.transpose(0, 2, 3, 1)


def _layout(rows: int, columns: int, ratio: float) -> tuple[Figure, np.ndarray, Axes]:
    """A figure with axes for rows of pictures as tall as `ratio` times wide, and one to their right for the key."""
    wide = (style.WIDTH + 1 - _KEY) / columns
    size = (style.WIDTH + 1, max(rows * (ratio * wide + 0.04) + 0.45, 2.0))
    figure = style.Drawing(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    cells = figure.add_gridspec(rows, columns + 1, width_ratios=[wide] * columns + [_KEY])
    grid = [[figure.add_subplot(cells[row, column]) for column in range(columns)] for row in range(rows)]
    return figure, np.array(grid), figure.add_subplot(cells[:, -1])


def _wheel(axes: Axes, fastest: float, errors: Mapping[str, float]) -> None:
    """The colours of all motions up to `fastest` pixels, and the errors below."""
    y, x = np.mgrid[-1:1:201j, -1:1:201j]
    colours = flow_colours(fastest * np.stack([x, y]), fastest)
    colours[np.hypot(x, y) > 1] = 1
    lines = [f"{name} {error:.2f} px" for name, error in errors.items()]
    lines = [f"rim: {fastest:g} px", "darker: faster", *(["", "end-point error", *lines] if lines else [])]
    axes.imshow(colours, extent=(-1, 1, 1, -1))  # the text lies within the axes, so that the rows keep their size
    axes.set(xlim=(-1.1, 1.1), ylim=(1.15 + 0.25 * len(lines), -1))
    axes.set_axis_off()
    axes.text(0, 1.1, "\n".join(lines), fontsize=7, ha="center", va="top")
