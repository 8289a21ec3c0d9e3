"""Figure 5: fine-tuning everything against the decoder alone on a frozen encoder."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthseg_lib import paper
from depthseg_lib.plots import style
from depthseg_lib.statistics import summarise

PANELS = ("miou_seven", "accuracy")
SETTINGS = {"full": ("o", -0.22), "frozen": ("s", 0.16)}
"""Marker and offset of a setting: the encoder's colour stays the initialisation's."""


@style.styled
def frozen(metrics: pd.DataFrame, published: pd.DataFrame, footer: str = "") -> Figure:
    """Final mIoU and accuracy per initialisation, full against frozen: ours left, the paper's KITTI numbers right.

    `metrics` is a row per run (encoder, initialisation, setting, trial, metrics as fractions), `published` is
    `paper.table1()`. Small dots are trials, bars 95 % intervals; the paper's markers are hollow and carry no interval.
    """
    encoders = list(dict.fromkeys(metrics["encoder"].astype(str)))
    rows = [(encoder, metric) for encoder in encoders for metric in PANELS]
    count = len(style.present(metrics["initialisation"]))
    figure = style.Drawing(figsize=(style.WIDTH, (0.42 * count + 0.75) * len(rows) + 0.7), layout="constrained")
    axes = figure.subplots(len(rows), 2, squeeze=False, width_ratios=(3, 2))
    for (ours, theirs), (encoder, metric) in zip(axes, rows, strict=True):
        _ours(ours, metrics[metrics["encoder"] == encoder], metric)
        counterpart = paper.counterpart(encoder)
        _paper(theirs, published[published["encoder"] == counterpart], metric)
        if metric == PANELS[0]:
            style.panel(ours, "", f"ours: {style.encoder_name(encoder)}")
            style.panel(theirs, "", f"paper: KITTI, {style.encoder_name(counterpart)}")
    handles = [
        Line2D([], [], color=style.GREY, marker=marker, linestyle="none", markersize=6, label=setting)
        for setting, (marker, _) in SETTINGS.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    style.footer(
        figure, f"{footer} Small dots: single trials. Hollow markers: {paper.SHORT_SOURCE}; no intervals published."
    )
    return figure


def _ours(axes: Axes, metrics: pd.DataFrame, metric: str) -> None:
    names, factor = style.present(metrics["initialisation"]), style.scale(metric)
    means = summarise(metrics, ["initialisation", "setting"], [metric])
    for place, name in enumerate(names):
        for setting, (marker, offset) in SETTINGS.items():
            mean = means[(means["initialisation"] == name) & (means["setting"] == setting)]
            trials = metrics[(metrics["initialisation"] == name) & (metrics["setting"] == setting)]
            colour, height = style.LOOK[name][0], place + offset
            half = (mean[f"{metric}_high"] - mean[f"{metric}_mean"]).fillna(0) * factor
            axes.scatter(
                trials[metric] * factor, [height + 0.15] * len(trials), s=11, color=colour, alpha=0.5, linewidths=0
            )
            axes.errorbar(
                mean[f"{metric}_mean"] * factor,
                [height] * len(mean),
                xerr=half,
                fmt=marker,
                color=colour,
                capsize=2.5,
                elinewidth=1.2,
                markersize=6.5,
                markeredgecolor="white",
                zorder=3,
            )
    _finish(axes, names, metric)


def _paper(axes: Axes, published: pd.DataFrame, metric: str) -> None:
    names, factor = style.present(published["initialisation"]), style.scale(metric)
    for place, name in enumerate(names):
        for setting, (marker, offset) in SETTINGS.items():
            value = published[(published["initialisation"] == name) & (published["setting"] == setting)][metric]
            axes.plot(
                value * factor,
                [place + offset] * len(value),
                marker=marker,
                color=style.LOOK[name][0],
                markerfacecolor="white",
                markeredgewidth=1.5,
                markersize=6.5,
                linestyle="none",
            )
    _finish(axes, names, metric)


def _finish(axes: Axes, names: list[str], metric: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(style.METRICS[metric])
    axes.margins(x=0.08)
