"""The figure of fine-tuning at another resolution than that of the pre-training (section 4.2)."""

from collections.abc import Mapping
from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.cross_resolution import rows_of
from depthseg_lib.analysis.statistics import summarise
from depthseg_lib.plots import style
from depthseg_lib.settings import CROSSED, encoder_name

PANELS = ("miou_seven", "accuracy")
SIZES = ("small", "large")
OTHER = "<"
"""The marker of depth that was learned at the other size: one that no initialisation has."""


@style.styled
def cross_resolution(
    rows: pd.DataFrame, published: pd.DataFrame, footer: str = "", sizes: Mapping[str, str] | None = None
) -> Figure:
    """Final mIoU and accuracy by where the weights come from, at the small and the large size; the paper's beside it.

    `rows` is `cross_resolution.compared`, `published` is `paper.cross_resolution()`, `sizes` says what small and large
    are. Larger markers are means with 95 % t-intervals, small dots trials, triangles to the left runs whose
    pre-training was at the other size. The paper's markers are hollow, without interval; a missing number is named.
    """
    encoders = list(dict.fromkeys(rows["encoder"].astype(str)))
    there = set(zip(rows["encoder"].astype(str), rows["fine_tuned_at"], strict=True))
    parts = [part for part in product(encoders, SIZES) if part in there]
    figure = style.Drawing(figsize=(style.WIDTH + 0.6, 1.75 * len(parts) + 0.9), layout="constrained")
    axes = figure.subplots(len(parts), 3, squeeze=False, width_ratios=(3, 3, 2.5), sharex="col")
    # initialisation, experiment and name of each line of a panel
    lines = {at: [line[1:] for line in rows_of(rows["initialisation"]) if line[0] == at] for at in SIZES}
    for number, (line, (encoder, at)) in enumerate(zip(axes, parts, strict=True), 1):
        of = rows[(rows["encoder"] == encoder) & (rows["fine_tuned_at"] == at)]
        for axis, metric in zip(line, PANELS, strict=False):
            _ours(axis, of, metric, lines[at])
        for place, (_, _, name) in enumerate(lines[at]):
            trials = of.loc[of["row"] == name, "diverged_at"]
            if trials.count():
                look = dict(transform=line[0].get_yaxis_transform(), ha="right", va="center", fontsize=7.5)
                line[0].text(0.99, place - 0.3, f"{trials.count()} of {len(trials)} diverged", **look)
        for axis, metric in zip(line, (*PANELS, PANELS[0]), strict=True):
            style.name_lines(axis, [name if axis is line[0] else "" for _, _, name in lines[at]])
            axis.margins(x=0.1)
            axis.set_xlabel(style.METRICS[metric] if number == len(parts) else "")
        _paper(line[2], published[published["fine_tuned_at"] == at], lines[at])
        several = f"{encoder_name(encoder)}, " if len(encoders) > 1 else ""
        pixels = f" ({sizes[at]})" if sizes and sizes.get(at) else ""
        line[0].set_title(f"{several}fine-tuned at the {at} size{pixels}", loc="left")
        line[2].set_title("paper: KITTI", loc="left")
    other = "Triangles to the left: depth learned at the other size; small dots: single trials."
    return style.with_footer(figure, f"{footer} {other} Hollow: {paper.CROSS_SOURCE}; no intervals published.")


def _marker(initialisation: str, experiment: str) -> str:
    return OTHER if experiment in CROSSED else style.LOOK[initialisation][2]


def _ours(axes: Axes, rows: pd.DataFrame, metric: str, lines: list[tuple[str, str, str]]) -> None:
    factor = style.scale(metric)
    means = summarise(rows, ["row"], [metric]).set_index("row")
    for place, (initialisation, experiment, name) in enumerate(lines):
        trials = rows.loc[rows["row"] == name, metric].dropna() * factor
        if trials.empty:
            continue
        colour, mean = style.LOOK[initialisation][0], means.loc[name, f"{metric}_mean"] * factor
        half = means.loc[name, f"{metric}_high"] * factor - mean
        axes.scatter(trials, [place + 0.24] * len(trials), s=11, color=colour, alpha=0.5, linewidths=0)
        marker, half = _marker(initialisation, experiment), 0 if pd.isna(half) else half
        axes.errorbar(mean, place, xerr=half, fmt=marker, color=colour, **style.MEAN)


def _paper(axes: Axes, published: pd.DataFrame, lines: list[tuple[str, str, str]]) -> None:
    """The paper's numbers, and in words where it has none; a panel without any number has no axis."""
    there = {(row["initialisation"], row["experiment"]): row for row in published.to_dict("records")}
    for place, (name, experiment, _) in enumerate(lines):
        row = there.get((name.replace("classification", "imagenet"), experiment))
        if row is None or row["diverged"]:
            text, where = "no number published" if row is None else "diverged", axes.get_yaxis_transform()
            axes.text(0.04, place, text, transform=where, va="center", fontsize=8, color=style.GREY)
            continue
        initialisation, value = row["initialisation"], row["miou_seven"] * style.scale("miou_seven")
        look = dict(marker=_marker(initialisation, experiment), color=style.LOOK[initialisation][0])
        axes.plot(value, place, **look, **style.HOLLOW)
        if initialisation == "imagenet":
            axes.annotate("imagenet", (value, place), (5, 5), textcoords="offset points", fontsize=7, color=style.GREY)
    if not axes.lines:
        axes.set_axis_off()
    else:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(style.METRICS[PANELS[0]])
