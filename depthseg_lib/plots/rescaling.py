"""Accuracy of fine-tuned networks on images that are larger or smaller than those they were trained on."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.plots import style
from depthseg_lib.plots.against import axes_against, panels_against

LABEL = "resize factor of the image (1: as trained)"
APART = 0.025
"""As in `against`, but hardly any: between the factors a slope is read, which points that are moved would tilt."""


@style.styled
def resize_factor(scores: pd.DataFrame, footer: str = "") -> Figure:
    """mIoU over the representative classes and pixel accuracy against the resize factor (log2), per initialisation.

    `scores` is a row per run and factor: encoder, initialisation, trial, factor and the metrics as fractions. Bars are
    95 % t-intervals; each trial is a faint dot.
    """
    figure = panels_against(scores, "factor", LABEL, footer, APART)
    for axes in figure.axes:
        _as_trained(axes)
    return figure


def factor_axes(axes: Axes, scores: pd.DataFrame, metric: str) -> None:
    """Draw one metric against the factor into `axes`."""
    axes_against(axes, scores, metric, "factor", APART)
    axes.set_xlabel(LABEL)
    _as_trained(axes)


def _as_trained(axes: Axes) -> None:
    axes.axvline(1, color=style.GREY, linewidth=0.9, linestyle="--", zorder=1)
