"""Figure 3: training loss, validation NLL, mIoU and pixel accuracy against iteration."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.statistics import summarise
from depthseg_lib.plots import style
from depthseg_lib.settings import EXPERIMENT_NAMES, EXPERIMENTS, encoder_name

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
            where = EXPERIMENT_NAMES.get(experiment, "")
            at.set_title(encoder_name(encoder) + (f": {where}" if where else ""), loc="left")
    for at, (_, metric) in zip(axes.flat, product(groups, PANELS), strict=True):
        finish(at, metric)
    for at in axes[-1]:
        at.set_xlabel("fine-tuning iteration")
    style.legend(figure, history["initialisation"])
    return style.with_footer(figure, f"{footer} {BARS}" if history["trial"].nunique() > 1 else footer)


def curve_axes(axes: Axes, history: pd.DataFrame, metric: str) -> None:
    """Draw one metric of one encoder and experiment against the iteration into `axes`; `finish` comes after all."""
    last = history["iteration"].max()
    ends = history.groupby(["initialisation", "trial"], observed=True)["iteration"].transform("max")
    means = summarise(history[ends == last], ["initialisation", "iteration"], [metric])
    names = style.present(history["initialisation"])
    for place, name in enumerate(names):
        end = mean_line(axes, means[means["initialisation"] == name], metric, name)
        if end is not None and np.isfinite(end[0]):  # the last interval once more, as a bar beside the others'
            bar = dict(color=style.LOOK[name][0], linewidth=1.6, alpha=0.9)
            axes.vlines(last * (1 + _APART * (place + 2)), *end, **bar)
        for _, trial in history[(ends < last) & (history["initialisation"] == name)].groupby("trial"):
            shown = dict(color=style.LOOK[name][0], linewidth=0.8, marker="x", markevery=[len(trial) - 1])
            axes.plot(trial["iteration"], trial[metric] * style.scale(metric), **shown)
    axes.set_ylabel(style.METRICS[metric])
    axes.margins(x=0.02, y=0.06)


def finish(axes: Axes, metric: str) -> None:
    """Limits and ticks, once all that shares them is drawn: an interval of few trials may reach beyond 0 to 100 %."""
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0.0), min(high, 100.0) if metric in style.PERCENT else high)
    style.few_ticks(axes)


def mean_line(axes: Axes, means: pd.DataFrame, metric: str, name: str) -> tuple[float, float] | None:
    """Draw an initialisation's mean against the iteration with its band; its last interval, if there is any mean."""
    mean = means.sort_values("iteration")
    x, factor = mean["iteration"], style.scale(metric)
    y, low, high = (mean[f"{metric}_{part}"] * factor for part in ("mean", "low", "high"))
    axes.plot(x, y, **style.look(name), markevery=max(1, len(x) // 8))  # about eight markers
    axes.fill_between(x, low, high, color=style.LOOK[name][0], alpha=BAND, linewidth=0)
    return (low.iloc[-1], high.iloc[-1]) if len(mean) else None


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
        above, below = axes[3 * number], axes[3 * number + 1 : 3 * number + 3]
        for at, metric, title in zip(above, CURVES, (f"{encoder_name(encoder)}, frozen", ""), strict=True):
            curve_axes(at, own[own["setting"] == "frozen"], metric)
            finish(at, metric)
            at.set_xlabel("fine-tuning iteration")
            at.set_title(title, loc="left")
        above[0].set_xlim(above[1].get_xlim())  # there is no training loss before the first step
        _ends(below, theirs, published, encoder)
    look = dict(color=style.GREY, linestyle="none", markersize=6)
    settings = [Line2D([], [], marker=marker, label=name, **look) for name, (marker, _) in SETTINGS.items()]
    count = len(style.present(metrics["initialisation"])) + len(settings)
    style.legend(figure, metrics["initialisation"], count if count < 6 else -(-count // 2), settings)
    marks = f"Small dots: single trials. Hollow markers: {paper.SHORT_SOURCE}; no intervals published."
    bars = f"{BARS} " if history["trial"].nunique() > 1 else ""
    return style.with_footer(figure, f"{footer} {bars}{marks}")


def _ends(axes, metrics: pd.DataFrame, published: pd.DataFrame, encoder: str) -> None:
    """A row per metric, ours beside the paper's, on one scale."""
    counterpart = paper.counterpart(encoder)
    published = published[published["encoder"] == counterpart]
    for (ours, theirs), metric in zip(axes, ENDS, strict=True):
        _ours(ours, metrics, metric)
        _paper(theirs, published, metric)
        for at, of in ((ours, metrics), (theirs, published)):
            style.name_lines(at, style.present(of["initialisation"]))
            at.set_xlabel(style.METRICS[metric])
            at.margins(x=0.08)
        limits = [end for at in (ours, theirs) for end in at.get_xlim()]
        for at in (ours, theirs):
            at.set_xlim(max(0.0, min(limits)), min(100.0, max(limits)))  # an interval of two trials may be huge
    axes[0][0].set_title("where it ends: ours", loc="left")
    axes[0][1].set_title(f"paper: KITTI, {encoder_name(counterpart)}", loc="left")


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
            at = mean[f"{metric}_mean"] * factor, [height] * len(mean)
            axes.errorbar(*at, xerr=half, fmt=marker, color=colour, **style.MEAN)


def _paper(axes: Axes, published: pd.DataFrame, metric: str) -> None:
    names, factor = style.present(published["initialisation"]), style.scale(metric)
    for place, name in enumerate(names):
        for setting, (marker, offset) in SETTINGS.items():
            value = published[(published["initialisation"] == name) & (published["setting"] == setting)][metric]
            at = value * factor, [place + offset] * len(value)
            axes.plot(*at, marker=marker, color=style.LOOK[name][0], **style.HOLLOW)


@style.styled
def finetuning_curves(histories: Sequence[pd.DataFrame]) -> Figure:
    """Loss, mIoU and pixel accuracy of one fine-tuning run against iteration, a line per trial; in percent."""
    panels = {
        "loss (nats per pixel)": {"training": "train_loss", "validation": "nll"},
        "mIoU (%)": {"representative classes": "miou_seven", "classes that occur": "miou_occurring"},
        "pixel accuracy (%)": {"over all pixels": "accuracy", "mean over images": "accuracy_image"},
    }
    trials = f"{len(histories)} trials, a line each" if len(histories) > 1 else "one trial, no interval"
    return _panels(histories, panels, {}, trials)


@style.styled
def pretraining_curves(
    history: pd.DataFrame, metrics: Mapping[str, float], footer: str = "one run, no interval"
) -> Figure:
    """Training loss of one pre-training run, and its depth or flow errors beside baselines, or its accuracy."""
    panels = {"training loss": {"training": "train_loss"}}
    levels = {}
    if "accuracy" in history:
        panels["held-out accuracy (%)"] = {"accuracy": "accuracy"}
    if "abs_rel" in history:
        panels["held-out abs-rel"] = {"trained": "abs_rel"}
        baselines = {"mean depth map": "abs_rel_mean_map", "untrained network": "abs_rel_untrained"}
        levels = {name: metrics[key] for name, key in baselines.items() if metrics.get(key) is not None}
    if "epe" in history:
        panels["held-out end-point error (px)"] = {"trained": "epe"}
        levels = {"no flow": metrics["epe_zero"], "mean flow": metrics["epe_mean_map"]}
    return _panels([history], panels, levels, footer)


def _panels(histories: Sequence[pd.DataFrame], panels: Mapping, levels: Mapping[str, float], footer: str) -> Figure:
    """A panel per entry; `levels` are constant lines in the last one."""
    figure = style.Drawing(figsize=(style.WIDTH * len(panels) / 3 + 1, 2.7), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for at, (label, lines) in zip(axes, panels.items(), strict=True):
        for number, history in enumerate(histories):
            for (name, column), line in zip(lines.items(), ("-", "--"), strict=False):
                look = dict(color=style.LOOK["depth"][0], marker=".", label=name if number == 0 else None)
                at.plot(history["iteration"], history[column] * (100 if "%" in label else 1), line, **look)
        at.set(xlabel="iteration", ylabel=label)
        style.few_ticks(at)
    for number, (name, level) in enumerate(levels.items()):
        axes[-1].axhline(level, color=style.GREY, linestyle=("--", ":")[number], linewidth=1.2, label=name)
    for at in axes:
        if len(at.get_legend_handles_labels()[0]) > 1:
            at.legend(fontsize=8)
    return style.with_footer(figure, footer)
