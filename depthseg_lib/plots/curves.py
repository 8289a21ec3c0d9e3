"""Figure 3: training loss, validation NLL, mIoU and pixel accuracy against iteration."""

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.analysis.statistics import summarise
from depthseg_lib.plots import style
from depthseg_lib.settings import EXPERIMENTS

PANELS = ("train_loss", "nll", "miou_seven", "accuracy")
BAND = 0.07
"""Opacity of a band: four over one another still show the grid, and the lines in them."""
_APART = 0.016
"""Between the bars at the right end, in shares of the iterations."""
BARS = "Bars at the right end: the same interval at the last iteration, side by side."


@style.styled
def curves(history: pd.DataFrame, footer: str = "") -> Figure:
    """Learning curves, one line per initialisation: mean over trials with a band of the 95 % t-interval.

    `history` holds a row per evaluation: encoder, experiment, initialisation, trial, iteration and the metrics as
    fractions. Several encoders or experiments get a row of panels each, with one scale for each metric. A trial that
    stopped early (it diverged) is drawn alone, as a thin line that ends in a cross.
    """
    encoders = list(dict.fromkeys(history["encoder"].astype(str)))
    found = set(zip(history["encoder"].astype(str), history["experiment"].astype(str), strict=True))
    groups = [group for group in product(encoders, EXPERIMENTS) if group in found]
    single = len(groups) == 1
    rows, columns = (2, 2) if single else (len(groups), 4)
    figure = style.Drawing(figsize=(style.WIDTH if single else 11, 2.45 * rows + 0.7), layout="constrained")
    shared = dict(sharex="all" if single else "row", sharey="none" if single else "col")
    axes = figure.subplots(rows, columns, **shared, squeeze=False)
    for at, ((encoder, experiment), metric) in zip(axes.flat, product(groups, PANELS), strict=True):
        curve_axes(at, history[(history["encoder"] == encoder) & (history["experiment"] == experiment)], metric)
        if not single and metric == PANELS[0]:
            style.panel(at, "", _row(encoder, experiment))
    for at, (_, metric) in zip(axes.flat, product(groups, PANELS), strict=True):
        finish(at, metric)
    for at in axes[-1]:
        at.set_xlabel("fine-tuning iteration")
    style.legend(figure, history["initialisation"])
    style.footer(figure, f"{footer} {BARS}" if history["trial"].nunique() > 1 else footer)
    return figure


def curve_axes(axes: Axes, history: pd.DataFrame, metric: str) -> None:
    """Draw one metric of one encoder and experiment against the iteration into `axes`; `finish` comes after all."""
    last = history["iteration"].max()
    ends = history.groupby(["initialisation", "trial"], observed=True)["iteration"].transform("max")
    means = summarise(history[ends == last], ["initialisation", "iteration"], [metric])
    names = style.present(history["initialisation"])
    for place, name in enumerate(names):
        mean = means[means["initialisation"] == name].sort_values("iteration")
        _mean_line(axes, mean, metric, name, last * (1 + _APART * (place + 2)))
        _stopped_lines(axes, history[(ends < last) & (history["initialisation"] == name)], metric, name)
    axes.set_ylabel(style.METRICS[metric])
    axes.margins(x=0.02, y=0.06)


def finish(axes: Axes, metric: str) -> None:
    """Limits and ticks, once all that shares them is drawn: an interval of few trials may reach beyond 0 to 100 %."""
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0.0), min(high, 100.0) if metric in style.PERCENT else high)
    style.few_ticks(axes)


def _mean_line(axes: Axes, mean: pd.DataFrame, metric: str, name: str, bar: float) -> None:
    """The mean with its band, and the last interval once more as a bar at the iteration `bar`."""
    (colour, line, marker), factor = style.LOOK[name], style.scale(metric)
    x, (y, low, high) = mean["iteration"], (mean[f"{metric}_{part}"] * factor for part in ("mean", "low", "high"))
    known = dict(markevery=_spread(len(x)), markeredgecolor="white", markeredgewidth=0.5)
    axes.plot(x, y, color=colour, linestyle=line, marker=marker, **known)
    axes.fill_between(x, low, high, color=colour, alpha=BAND, linewidth=0)
    if len(mean) and np.isfinite(low.iloc[-1]):
        axes.vlines(bar, low.iloc[-1], high.iloc[-1], color=colour, linewidth=1.6, alpha=0.9)


def _stopped_lines(axes: Axes, history: pd.DataFrame, metric: str, name: str) -> None:
    """Trials that stopped early, each alone."""
    for _, trial in history.groupby("trial"):
        shown = dict(color=style.LOOK[name][0], linewidth=0.8, marker="x", markevery=[len(trial) - 1])
        axes.plot(trial["iteration"], trial[metric] * style.scale(metric), **shown)


def _row(encoder: str, experiment: str) -> str:
    where = style.EXPERIMENTS.get(experiment, "")
    return style.encoder_name(encoder) + (f": {where}" if where else "")


def _spread(points: int) -> int:
    """Mark about eight points of a line."""
    return max(1, points // 8)
