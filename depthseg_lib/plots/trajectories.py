"""Figure 9: the course of training as pixel accuracy against mIoU, and each class's IoU from the largest class on."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from depthseg_lib.analysis.statistics import summarise
from depthseg_lib.plots import style
from depthseg_lib.plots.learning_curves import BAND, mean_line
from depthseg_lib.settings import encoder_name

SUBSETS = ("miou_occurring", "miou_seven")
"""mIoU over all classes that occur, where the paper's figure has all of Cityscapes', and over representative ones."""
COLUMNS = 4
"""Classes beside one another."""
LEARNED = 0.05
"""The IoU below which a class counts as not learned."""


@style.styled
def miou_vs_accuracy(history: pd.DataFrame, footer: str = "") -> Figure:
    """mIoU over the classes that occur against iteration; pixel accuracy against it, and against the representative's.

    `history` is a row per evaluation (encoder, setting, initialisation, trial, iteration, metrics as fractions); a row
    of panels per encoder and setting. Thick lines are means, thin ones trials; iteration 0 (untrained) is left out.
    """
    trained = history[history["iteration"] > 0]
    pairs = list(trained[["encoder", "setting"]].astype(str).drop_duplicates().itertuples(index=False, name=None))
    figure = style.Drawing(figsize=(9.6, 2.75 * len(pairs) + 0.8), layout="constrained")
    axes = figure.subplots(len(pairs), 3, squeeze=False)
    for row, (encoder, setting) in zip(axes, pairs, strict=True):
        part = trained[(trained["encoder"] == encoder) & (trained["setting"] == setting)]
        means = summarise(part, ["initialisation", "iteration"], SUBSETS[:1])
        for name in style.present(part["initialisation"]):
            mean_line(row[0], means[means["initialisation"] == name], SUBSETS[0], name)
        row[0].set_xlabel("fine-tuning iteration")
        row[0].set_ylabel(style.METRICS[SUBSETS[0]])
        row[0].set_ylim(bottom=max(row[0].get_ylim()[0], 0.0))
        style.few_ticks(row[0])
        row[0].set_title(f"{encoder_name(encoder)}, {setting}", loc="left")
        for at, metric in zip(row[1:], SUBSETS, strict=True):
            trajectory_axes(at, part, metric)
    style.legend(figure, history["initialisation"], columns=6)
    return style.with_footer(figure, footer)


def trajectory_axes(axes: Axes, history: pd.DataFrame, metric: str) -> None:
    """Draw pixel accuracy against one mIoU into `axes`: each trial's course, and the mean course with its markers."""
    means = summarise(history, ["initialisation", "iteration"], [metric, "accuracy"])
    for name in style.present(history["initialisation"]):
        for _, trial in history[history["initialisation"] == name].groupby("trial"):
            course, thin = 100 * trial.sort_values("iteration")[[metric, "accuracy"]], dict(linewidth=0.6, alpha=0.35)
            axes.plot(course[metric], course["accuracy"], color=style.LOOK[name][0], **thin)
        mean = means[means["initialisation"] == name].sort_values("iteration")
        known = style.look(name) | {"markevery": max(1, len(mean) // 8)}
        axes.plot(100 * mean[f"{metric}_mean"], 100 * mean["accuracy_mean"], **known)
    axes.set_xlabel(style.METRICS[metric])
    axes.set_ylabel(style.METRICS["accuracy"])
    style.few_ticks(axes)


@style.styled
def class_curves(courses: pd.DataFrame, shares: pd.Series, footer: str = "") -> Figure:
    """IoU of each class against iteration, one panel per class from the largest, mean over trials with 95 % bands.

    `courses` is `learning_curves.class_history`; `shares` has each class's share of the labelled pixels, in order.
    Classes that nothing brings to `LEARNED` are named below instead. Encoders stand under one another.
    """
    trained = courses[courses["iteration"] > 0]  # what an untrained last layer says of a class is an accident
    means = trained.groupby(["encoder", "initialisation", "class", "iteration"], observed=True)["iou"].mean()
    highest = means.groupby("class", observed=True).max()
    shown = [name for name in shares.index if highest.get(name, 0) >= LEARNED] or list(shares.index)
    flat = ", ".join(f"{name} ({_percent(shares[name])})" for name in shares.index if name not in shown)
    encoders = list(dict.fromkeys(courses["encoder"].astype(str)))
    rows, columns = -(-len(shown) // COLUMNS), min(COLUMNS, len(shown))
    figure = style.Drawing(figsize=(9.6, 1.75 * rows * len(encoders) + 1.0), layout="constrained")
    axes = figure.subplots(rows * len(encoders), columns, squeeze=False, sharex=True, sharey=True)
    blocks = axes.reshape(len(encoders), rows * columns)
    for block, encoder in zip(blocks, encoders, strict=True):
        for at, (place, name) in zip(block, enumerate(shown), strict=False):
            _class_panel(at, courses[(courses["encoder"] == encoder) & (courses["class"] == name)])
            at.set_title(f"{name}, {_percent(shares[name])}", loc="left")
            if place % columns == 0:
                several = f"{encoder_name(encoder)}\n".replace(" (", "\n(") if len(encoders) > 1 else ""
                at.set_ylabel(f"{several}IoU (%)")
        for at in block[len(shown) :]:
            at.set_axis_off()
        for at in block[max(0, len(shown) - columns) : len(shown)]:
            at.tick_params(labelbottom=True)
    style.legend(figure, courses["initialisation"], columns=6)
    across = "Across: fine-tuning iteration; beside a class its share of the labelled pixels."
    left_out = f"Not drawn, below {100 * LEARNED:.0f} % throughout: {flat}." if flat else ""
    return style.with_footer(figure, f"{footer} {across} {left_out}".strip())


def _class_panel(axes: Axes, courses: pd.DataFrame) -> None:
    means = summarise(courses, ["initialisation", "iteration"], ["iou"])
    for name in style.present(courses["initialisation"]):
        colour, line, _ = style.LOOK[name]
        mean = means[means["initialisation"] == name].sort_values("iteration")
        axes.plot(mean["iteration"], 100 * mean["iou_mean"], color=colour, linestyle=line, linewidth=1.4)
        band = (100 * mean[f"iou_{end}"].clip(0, 1) for end in ("low", "high"))
        axes.fill_between(mean["iteration"], *band, color=colour, alpha=BAND, linewidth=0)
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 50, 100])
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=(1, 2, 5, 10)))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1f} %"
