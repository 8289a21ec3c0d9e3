"""Figure 5: the curves of a frozen encoder, and their ends beside those of fine-tuning everything and the paper's."""

from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.statistics import summarise
from depthseg_lib.plots import style
from depthseg_lib.plots.curves import BARS, curve_axes, finish

CURVES = ("train_loss", "accuracy")
"""What the paper's figure shows against the iteration."""
ENDS = ("miou_seven", "accuracy")
SETTINGS = {"full": ("o", -0.22), "frozen": ("s", 0.16)}
"""Marker and offset of a setting: the encoder's colour stays the initialisation's."""


@style.styled
def frozen(history: pd.DataFrame, metrics: pd.DataFrame, published: pd.DataFrame, footer: str = "") -> Figure:
    """Curves of the frozen encoder, then final mIoU and accuracy, full against frozen: ours left, the paper's right.

    `history` and `metrics` are a row per evaluation and per run (encoder, initialisation, setting, trial, metrics as
    fractions), `published` is `paper.table1()`. Ours and the paper's ends have one scale. Small dots are trials, bars
    95 % intervals; the paper's markers are hollow and carry no interval.
    """
    encoders = list(dict.fromkeys(metrics["encoder"].astype(str)))
    tall = 0.36 * max(len(style.present(frame["initialisation"])) for frame in (metrics, published)) + 0.75
    heights = (2.5, tall, tall) * len(encoders)
    figure = style.Drawing(figsize=(style.WIDTH + 0.6, sum(heights) + 1.0), layout="constrained")
    axes = figure.subplots(len(heights), 2, squeeze=False, height_ratios=heights)
    for number, encoder in enumerate(encoders):
        own, theirs = (frame[frame["encoder"] == encoder] for frame in (history, metrics))
        _curves(axes[3 * number], own[own["setting"] == "frozen"], encoder)
        _ends(axes[3 * number + 1 : 3 * number + 3], theirs, published, encoder)
    _legend(figure, metrics["initialisation"])
    marks = f"Small dots: single trials. Hollow markers: {paper.SHORT_SOURCE}; no intervals published."
    bars = f"{BARS} " if history["trial"].nunique() > 1 else ""
    style.footer(figure, f"{footer} {bars}{marks}")
    return figure


def _curves(axes: Sequence[Axes], history: pd.DataFrame, encoder: str) -> None:
    for at, metric, title in zip(axes, CURVES, (f"{style.encoder_name(encoder)}, frozen", ""), strict=True):
        curve_axes(at, history, metric)
        finish(at, metric)
        at.set_xlabel("fine-tuning iteration")
        style.panel(at, "", title)
    axes[0].set_xlim(axes[1].get_xlim())  # there is no training loss before the first step


def _ends(axes, metrics: pd.DataFrame, published: pd.DataFrame, encoder: str) -> None:
    """A row per metric, ours beside the paper's, on one scale."""
    counterpart = paper.counterpart(encoder)
    for (ours, theirs), metric in zip(axes, ENDS, strict=True):
        _ours(ours, metrics, metric)
        _paper(theirs, published[published["encoder"] == counterpart], metric)
        limits = [end for at in (ours, theirs) for end in at.get_xlim()]
        for at in (ours, theirs):
            at.set_xlim(max(0.0, min(limits)), min(100.0, max(limits)))  # an interval of two trials may be huge
    style.panel(axes[0][0], "", "where it ends: ours")
    style.panel(axes[0][1], "", f"paper: KITTI, {style.encoder_name(counterpart)}")


def _legend(figure: Figure, initialisations: Iterable[str]) -> None:
    """Above all: the initialisations as the curves have them, and the settings as the ends have them."""
    look = dict(color=style.GREY, linestyle="none", markersize=6)
    settings = [Line2D([], [], marker=marker, label=name, **look) for name, (marker, _) in SETTINGS.items()]
    handles = [*map(style.handle, style.present(initialisations)), *settings]
    columns = len(handles) if len(handles) < 6 else -(-len(handles) // 2)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, handlelength=3.0, columnspacing=1.6)


def _ours(axes: Axes, metrics: pd.DataFrame, metric: str) -> None:
    names, factor = style.present(metrics["initialisation"]), style.scale(metric)
    means = summarise(metrics, ["initialisation", "setting"], [metric])
    for place, name in enumerate(names):
        for setting, (marker, offset) in SETTINGS.items():
            mean = means[(means["initialisation"] == name) & (means["setting"] == setting)]
            trials = metrics[(metrics["initialisation"] == name) & (metrics["setting"] == setting)]
            colour, height = style.LOOK[name][0], place + offset
            half = (mean[f"{metric}_high"] - mean[f"{metric}_mean"]).fillna(0) * factor
            dots = dict(s=11, color=colour, alpha=0.5, linewidths=0)
            axes.scatter(trials[metric] * factor, [height + 0.15] * len(trials), **dots)
            look = dict(fmt=marker, color=colour, capsize=2.5, elinewidth=1.2, markersize=6.5, markeredgecolor="white")
            axes.errorbar(mean[f"{metric}_mean"] * factor, [height] * len(mean), xerr=half, **look, zorder=3)
    _finish(axes, names, metric)


def _paper(axes: Axes, published: pd.DataFrame, metric: str) -> None:
    names, factor = style.present(published["initialisation"]), style.scale(metric)
    hollow = dict(markerfacecolor="white", markeredgewidth=1.5, markersize=6.5, linestyle="none")
    for place, name in enumerate(names):
        for setting, (marker, offset) in SETTINGS.items():
            value = published[(published["initialisation"] == name) & (published["setting"] == setting)][metric]
            at = value * factor, [place + offset] * len(value)
            axes.plot(*at, marker=marker, color=style.LOOK[name][0], **hollow)
    _finish(axes, names, metric)


def _finish(axes: Axes, names: list[str], metric: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(style.METRICS[metric])
    axes.margins(x=0.08)
