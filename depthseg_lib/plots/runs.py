"""Curves of one run, for the notebooks that train: what happened, in one look."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.plots import style

_BLUE = style.LOOK["depth"][0]


@style.styled
def finetuning_curves(histories: Sequence[pd.DataFrame]) -> Figure:
    """Loss, mIoU and pixel accuracy of one fine-tuning run against iteration, a line per trial; in percent."""
    panels = {
        "loss (nats per pixel)": {"training": "train_loss", "validation": "nll"},
        "mIoU (%)": {"representative classes": "miou_seven", "all classes": "miou"},
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
            _lines(at, history, lines, 100 if "%" in label else 1, named=number == 0)
        at.set(xlabel="iteration", ylabel=label)
        style.few_ticks(at)
    for number, (name, level) in enumerate(levels.items()):
        axes[-1].axhline(level, color=style.GREY, linestyle=("--", ":")[number], linewidth=1.2, label=name)
    for at in axes:
        if len(at.get_legend_handles_labels()[0]) > 1:
            at.legend(fontsize=8)
    style.footer(figure, footer)
    return figure


def _lines(axes: Axes, history: pd.DataFrame, lines: Mapping[str, str], factor: float, named: bool) -> None:
    for (name, column), line in zip(lines.items(), ("-", "--"), strict=False):
        label = name if named else None
        axes.plot(history["iteration"], history[column] * factor, line, color=_BLUE, marker=".", label=label)
