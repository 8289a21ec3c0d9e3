"""Accuracy against something that runs share, such as the training-set size: a line per initialisation."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from depthseg_lib.analysis.statistics import summarise
from depthseg_lib.plots import style
from depthseg_lib.settings import encoder_name

PANELS = ("miou_seven", "accuracy")
APART = 0.08
"""How far apart neighbours stand sideways, in powers of two: enough for bars that share a training-set size."""


def panels_against(scores: pd.DataFrame, column: str, label: str, footer: str = "", apart: float = APART) -> Figure:
    """`PANELS` side by side, a row per encoder, against `column`; inside the study's settings (`style.styled`)."""
    encoders = list(dict.fromkeys(scores["encoder"].astype(str)))
    figure = style.Drawing(figsize=(style.WIDTH, 3.1 * len(encoders) + 0.6), layout="constrained")
    axes = figure.subplots(len(encoders), 2, sharex=True, squeeze=False)
    for row, encoder in zip(axes, encoders, strict=True):
        for at, metric in zip(row, PANELS, strict=True):
            axes_against(at, scores[scores["encoder"] == encoder], metric, column, apart)
        if len(encoders) > 1:
            row[0].set_title(encoder_name(encoder), loc="left")
    for at in axes[-1]:
        at.set_xlabel(label)
    style.legend(figure, scores["initialisation"])
    return style.with_footer(figure, footer)


def axes_against(axes: Axes, scores: pd.DataFrame, metric: str, column: str, apart: float = APART) -> None:
    """Draw one metric against a column of `scores` (log2): means with 95 % t-intervals, each trial a faint dot."""
    places, names = sorted(scores[column].unique()), style.present(scores["initialisation"])
    means, factor = summarise(scores, ["initialisation", column], [metric]), style.scale(metric)
    for name in names:
        colour, line, _ = style.LOOK[name]
        shift = dodge(name, names, apart)
        mean = means[means["initialisation"] == name].sort_values(column)
        x, y = mean[column] * shift, mean[f"{metric}_mean"] * factor
        half = (mean[f"{metric}_high"] - mean[f"{metric}_mean"]) * factor
        axes.plot(x, y, color=colour, linestyle=line, zorder=3)
        known = style.look(name, line=False) | dict(linestyle="none", markersize=6.5, zorder=4)
        axes.errorbar(x, y, half.fillna(0), capsize=2, elinewidth=1, **known)
        trials = scores[scores["initialisation"] == name]
        axes.scatter(trials[column] * shift, trials[metric] * factor, s=7, color=colour, alpha=0.4, linewidths=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks(places, [f"{round(place, 2):g}" for place in places])
    axes.xaxis.set_minor_locator(NullLocator())
    room = 2**0.35
    axes.set_xlim(places[0] / room, places[-1] * room)
    axes.set_ylabel(style.METRICS[metric])
    # room for all trials and intervals; an interval of two trials may be huge, so it is cut at 0..100
    low = np.nanmin([np.nanmin(scores[metric] * factor), np.nanmin(means[f"{metric}_low"].fillna(np.inf)) * factor])
    high = np.nanmax([np.nanmax(scores[metric] * factor), np.nanmax(means[f"{metric}_high"].fillna(-np.inf)) * factor])
    margin = 0.05 * (high - low) + 0.5
    axes.set_ylim(max(0.0, low - margin), min(100.0, high + margin))
    style.few_ticks(axes)


def dodge(initialisation: str, names: Iterable[str], apart: float = APART) -> float:
    """The factor that moves an initialisation's points sideways, so that neighbours' bars stand `apart`."""
    shown = style.present(names)
    return 2 ** (apart * (shown.index(initialisation) - (len(shown) - 1) / 2))


_AS_TRAINED = dict(color=style.GREY, linewidth=0.9, linestyle="--", zorder=1)
LABEL = "resize factor of the image (1: as trained)"
FACTORS_APART = 0.025
"""As in `against`, but hardly any: between the factors a slope is read, which points that are moved would tilt."""


@style.styled
def resize_factor(scores: pd.DataFrame, footer: str = "") -> Figure:
    """mIoU over the representative classes and pixel accuracy against the resize factor (log2), per initialisation.

    `scores` is a row per run and factor: encoder, initialisation, trial, factor, metrics (0..1); see `axes_against`.
    """
    figure = panels_against(scores, "factor", LABEL, footer, FACTORS_APART)
    for axes in figure.axes:
        axes.axvline(1, **_AS_TRAINED)
    return figure


def factor_axes(axes: Axes, scores: pd.DataFrame, metric: str) -> None:
    """Draw one metric against the factor into `axes`."""
    axes_against(axes, scores, metric, "factor", FACTORS_APART)
    axes.set_xlabel(LABEL)
    axes.axvline(1, **_AS_TRAINED)


@style.styled
def training_size(scores: pd.DataFrame, footer: str = "") -> Figure:
    """mIoU over the representative classes and pixel accuracy against training images (log2), per initialisation.

    `scores` is a row per run: encoder, initialisation, images, trial and the metrics as fractions, all on the same
    validation images (`scores.common_scores`). Bars are 95 % t-intervals; each trial is a faint dot.
    """
    return panels_against(scores, "images", "annotated training images", footer)
