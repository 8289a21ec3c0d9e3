"""Cross-resolution: fine-tuning at another resolution than that of the pre-training, beside fine-tuning at the same."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib import paper
from depthseg_lib.cross_resolution import divergence, rows_of
from depthseg_lib.plots import style
from depthseg_lib.statistics import summarise
from depthseg_lib.study import CROSSED

PANELS = ("miou_seven", "accuracy")
SIZES = ("small", "large")


@style.styled
def cross_resolution(rows: pd.DataFrame, published: pd.DataFrame, footer: str = "") -> Figure:
    """Final mIoU and accuracy by where the weights come from, at the small and the large size; the paper's beside it.

    `rows` is `cross_resolution.compared`, `published` is `paper.cross_resolution()`. Larger markers are means with
    95 % t-intervals, small dots trials, squares are runs whose pre-training was at the other size. The paper's markers
    are hollow and carry no interval.
    """
    encoders = list(dict.fromkeys(rows["encoder"].astype(str)))
    parts = [(encoder, at) for encoder in encoders for at in SIZES if _has(rows, encoder, at)]
    figure = style.Drawing(figsize=(style.WIDTH, 1.75 * len(parts) + 0.7), layout="constrained")
    axes = figure.subplots(len(parts), 3, squeeze=False, width_ratios=(3, 3, 2.5), sharex="col")
    notes, lines = divergence(rows), {at: _lines(at, rows) for at in SIZES}
    for number, (line, (encoder, at)) in enumerate(zip(axes, parts, strict=True), 1):
        of = rows[(rows["encoder"] == encoder) & (rows["fine_tuned_at"] == at)]
        for axis, metric in zip(line, PANELS, strict=False):
            _ours(axis, of, metric, lines[at])
        diverged = {name: text for (e, a, name), text in notes.items() if (e, a) == (encoder, at)}
        _name_diverged(line[0], lines[at], diverged)
        _paper(line[2], published[published["fine_tuned_at"] == at], lines[at])
        for axis, metric in zip(line, (*PANELS, PANELS[0]), strict=True):
            _finish(axis, lines[at], axis is line[0])
            axis.set_xlabel(style.METRICS[metric] if number == len(parts) else "")
        several = f"{style.encoder_name(encoder)}, " if len(encoders) > 1 else ""
        style.panel(line[0], "", f"{several}fine-tuned at the {at} size")
        style.panel(line[2], "", "paper: KITTI")
    squares = "Squares: depth learned at the other size; small dots: single trials."
    style.footer(figure, f"{footer} {squares} Hollow: {paper.CROSS_SOURCE}; no intervals published.")
    return figure


def _has(rows: pd.DataFrame, encoder: str, at: str) -> bool:
    return ((rows["encoder"] == encoder) & (rows["fine_tuned_at"] == at)).any()


def _lines(at: str, rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Initialisation, experiment and name of each line of a panel."""
    return [line[1:] for line in rows_of(rows["initialisation"]) if line[0] == at]


def _marker(initialisation: str, experiment: str) -> str:
    return "s" if experiment in CROSSED else style.LOOK[initialisation][2]


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
        axes.errorbar(
            mean, place, xerr=0 if pd.isna(half) else half, fmt=_marker(initialisation, experiment), color=colour,
            capsize=2.5, elinewidth=1.2, markersize=6.5, markeredgecolor="white", zorder=3,
        )  # fmt: skip


def _paper(axes: Axes, published: pd.DataFrame, lines: list[tuple[str, str, str]]) -> None:
    places = {(_published(name), experiment): n for n, (name, experiment, _) in enumerate(lines)}
    for row in published.to_dict("records"):
        initialisation = row["initialisation"]
        place = places[initialisation, row["experiment"]]
        if row["diverged"]:
            axes.text(0.04, place, "diverged", transform=axes.get_yaxis_transform(), va="center", fontsize=8)
            continue
        colour, value = style.LOOK[initialisation][0], row["miou_seven"] * style.scale("miou_seven")
        marker = _marker(initialisation, row["experiment"])
        look = dict(markerfacecolor="white", markeredgewidth=1.5, markersize=6.5, linestyle="none")
        axes.plot(value, place, marker=marker, color=colour, **look)
        if initialisation == "imagenet":
            axes.annotate("imagenet", (value, place), (5, 5), textcoords="offset points", fontsize=7, color=style.GREY)


def _published(initialisation: str) -> str:
    """The paper's initialisation that stands beside ours."""
    return initialisation.replace("classification", "imagenet")


def _name_diverged(axes: Axes, lines: list[tuple[str, str, str]], notes: dict[str, str]) -> None:
    names = [name for _, _, name in lines]
    for name, text in notes.items():
        where = axes.get_yaxis_transform()
        axes.text(0.99, names.index(name) - 0.3, text, transform=where, ha="right", va="center", fontsize=7.5)


def _finish(axes: Axes, lines: list[tuple[str, str, str]], labelled: bool) -> None:
    names = [name for _, _, name in lines]
    axes.set_yticks(range(len(names)), names if labelled else [""] * len(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.1)
