"""Figure 3: training loss, validation NLL, mIoU and pixel accuracy against iteration."""

from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.config import EXPERIMENTS
from depthseg_lib.plots import style
from depthseg_lib.statistics import summarise

PANELS = ("train_loss", "nll", "miou_seven", "accuracy")


@style.styled
def curves(history: pd.DataFrame, footer: str = "") -> Figure:
    """Learning curves, one line per initialisation: mean over trials with a band of the 95 % t-interval.

    `history` holds a row per evaluation: encoder, experiment, initialisation, trial, iteration and the metrics as
    fractions. Several encoders or experiments get a row of panels each. A trial that stopped early (it diverged) is
    drawn alone, as a thin line that ends in a cross.
    """
    encoders = list(dict.fromkeys(history["encoder"].astype(str)))
    found = set(zip(history["encoder"].astype(str), history["experiment"].astype(str), strict=True))
    groups = [group for group in product(encoders, EXPERIMENTS) if group in found]
    single = len(groups) == 1
    rows, columns = (2, 2) if single else (len(groups), 4)
    figure = style.Drawing(figsize=(style.WIDTH if single else 11, 2.45 * rows + 0.7), layout="constrained")
    axes = figure.subplots(rows, columns, sharex="all" if single else "row", squeeze=False)
    for at, ((encoder, experiment), metric) in zip(axes.flat, product(groups, PANELS), strict=True):
        _panel(at, history[(history["encoder"] == encoder) & (history["experiment"] == experiment)], metric)
        if not single and metric == PANELS[0]:
            style.panel(at, "", _row(encoder, experiment))
    for at in axes[-1]:
        at.set_xlabel("fine-tuning iteration")
    style.legend(figure, history["initialisation"])
    style.footer(figure, footer)
    return figure


def _row(encoder: str, experiment: str) -> str:
    where = style.EXPERIMENTS.get(experiment, "")
    return style.encoder_name(encoder) + (f": {where}" if where else "")


def _panel(axes: Axes, history: pd.DataFrame, metric: str) -> None:
    factor, last = style.scale(metric), history["iteration"].max()
    ends = history.groupby(["initialisation", "trial"], observed=True)["iteration"].transform("max")
    means = summarise(history[ends == last], ["initialisation", "iteration"], [metric])
    for name in style.present(history["initialisation"]):
        colour, line, marker = style.LOOK[name]
        mean = means[means["initialisation"] == name].sort_values("iteration")
        x, y = mean["iteration"], mean[f"{metric}_mean"] * factor
        axes.plot(
            x,
            y,
            color=colour,
            linestyle=line,
            marker=marker,
            markevery=_spread(len(x)),
            markeredgecolor="white",
            markeredgewidth=0.5,
        )
        axes.fill_between(
            x, mean[f"{metric}_low"] * factor, mean[f"{metric}_high"] * factor, color=colour, alpha=0.14, linewidth=0
        )
        stopped = history[(ends < last) & (history["initialisation"] == name)]
        for _, trial in stopped.groupby("trial"):
            axes.plot(
                trial["iteration"],
                trial[metric] * factor,
                color=colour,
                linewidth=0.8,
                marker="x",
                markevery=[len(trial) - 1],
            )
    axes.set_ylabel(style.METRICS[metric])
    axes.margins(x=0.02, y=0.06)
    axes.set_ylim(bottom=max(axes.get_ylim()[0], 0.0))  # an interval of few trials may reach below what is possible
    style.few_ticks(axes)


def _spread(points: int) -> int:
    """Mark about eight points of a line."""
    return max(1, points // 8)
