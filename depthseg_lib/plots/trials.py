"""What stands behind the verdicts: every trial's difference, and what the judgement finds in studies of known truth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthseg_lib.analysis.claims import power as simulated
from depthseg_lib.analysis.claims.question import LOOKS, Q
from depthseg_lib.plots import style
from depthseg_lib.plots.forest import TITLES, VERDICTS, mark, scale, verdict_of
from depthseg_lib.settings import encoder_name

_ROW, _BELOW = 0.36, 0.32
"""Inches of a claim's row, and where its interval stands in it."""
_CASES = (("#004488", "-", "o"), ("#997700", (0, (5, 1.5)), "s"), ("#BB5566", (0, (1, 1.2)), "^"))
_EFFECTS = (("#77AADD", "-", "D"), ("#4A6A8F", "-", "v"), ("#222222", "-", "P"))
"""Colour, line and marker of three cases, and of three effects from the smallest (Tol)."""


@style.styled
def paired_trials(ledger: pd.DataFrame, footer: str = "") -> Figure:
    """Draw the claims' own contrasts of `ledger.ledger`: a dot for each trial's difference, over mean and interval.

    A panel for each unit, a column for each encoder; what stands at the right, the caption says. Claims without trials
    are left out; where all are, the figure says so.
    """
    rows = ledger[ledger["primary"] & (ledger["repetitions"] > 0)]
    if rows.empty:
        figure = style.Drawing(figsize=(style.WIDTH, 1.2))
        figure.text(0.5, 0.6, "No claim's own contrast has trials in this study.", ha="center", fontsize=10)
        return style.with_footer(figure, footer)
    encoders, units = (list(dict.fromkeys(rows[name])) for name in ("encoder", "unit"))
    count = [rows.loc[rows["unit"] == unit, "id"].nunique() for unit in units]
    height = _ROW * (sum(count) + 2 * len(units)) + 0.8
    figure = style.Drawing(figsize=(3.6 + 4.2 * len(encoders), height), layout="constrained")
    panels = figure.subplots(len(units), len(encoders), squeeze=False, height_ratios=[n + 0.6 for n in count])
    for unit, line in zip(units, panels, strict=True):
        names = list(dict.fromkeys(rows.loc[rows["unit"] == unit, "id"]))
        for encoder, panel in zip(encoders, line, strict=True):
            _paired(panel, rows[(rows["unit"] == unit) & (rows["encoder"] == encoder)], unit, names)
            name = f"{encoder_name(encoder)}\n" if len(encoders) > 1 and unit == units[0] else ""
            panel.set_title(name + TITLES[unit], loc="left", fontsize=8.5)
            if panel is not line[0]:
                panel.tick_params(labelleft=False)
    words = [word for word in VERDICTS if word in set(map(verdict_of, rows.itertuples()))]
    handles = [Line2D([], [], color=VERDICTS[word], marker="o", label=word) for word in words]
    handles.append(Line2D([], [], color=style.GREY, marker="o", linestyle="none", alpha=0.55, label="a trial"))
    figure.legend(handles=handles, loc="outside upper center", ncols=5, columnspacing=1.4)
    right = "At the right: repetitions, the share of trials over no difference, mean over standard deviation."
    return style.with_footer(figure, f"{footer} {right}")


def _paired(panel: Axes, rows: pd.DataFrame, unit: str, names: list[str]) -> None:
    import seaborn  # takes a second, which other figures do not need

    compared = rows.set_index("id")["compared"].str.replace(", full", "")
    each = rows.assign(effect=rows["differences"].str.split()).explode("effect").astype({"effect": float})
    scale(panel, pd.concat([rows, each]).assign(paper=np.nan), unit)
    colours = {row.id: VERDICTS[verdict_of(row)] for row in rows.itertuples()}
    dots = dict(x="effect", y="id", hue="id", order=names, palette=colours, legend=False, jitter=False)
    seaborn.stripplot(each.dropna(subset="effect"), **dots, size=4.5, alpha=0.55, linewidth=0, ax=panel, zorder=3)
    for row in rows.itertuples():
        y = names.index(row.id)
        mark(panel, row._replace(paper=np.nan), y, 1, "o", _BELOW)
        said = f"{row.repetitions} · {row.above:.0%} · {row.standardised:.1f}".replace("nan", "–")
        panel.text(1.02, y, said, fontsize=7, color=style.GREY, va="center", transform=panel.get_yaxis_transform())
    style.name_lines(panel, [f"{name}  {compared.get(name, '')}" for name in names])
    panel.set(xlabel="", ylabel="")


@style.styled
def power(false: pd.DataFrame, found: pd.DataFrame, footer: str = "") -> Figure:
    """Draw `power.false_decisions` and `power.power`: what simulated studies decide falsely, and what they find."""
    deviations = list(dict.fromkeys(found["deviation"]))
    figure = style.Drawing(figsize=(1.5 * style.WIDTH, 3.9), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(deviations), width_ratios=[1.5, *[1] * len(deviations)])
    for (colour, line, marker), (case, of) in zip(_CASES, false.groupby("case", sort=False), strict=True):
        for family, part in of.groupby("family", sort=False):
            face = colour if family == "difference" else "white"
            bar = dict(yerr=200 * part["error"], capsize=2, elinewidth=1, markersize=5, markerfacecolor=face)
            first.errorbar(part["look"], 100 * part["rate"], **bar, color=colour, linestyle=line, marker=marker)
    first.axhline(100 * Q, color=style.GREY, linewidth=0.8)
    first.set(title="a claim is falsely decided", ylabel="% of studies", ylim=(0, None))
    families = {"that there is a difference": style.GREY, "that none matters": "white"}
    plain = dict(color=style.GREY, marker="o", linestyle="none")
    cases = [_line(look, name) for look, name in zip(_CASES, simulated.NULLS, strict=True)]
    cases += [Line2D([], [], markerfacecolor=face, label=name, **plain) for name, face in families.items()]
    effects = list(dict.fromkeys(found["effect"]))
    for panel, deviation in zip(others, deviations, strict=True):
        for (colour, line, marker), effect in zip(_EFFECTS, effects, strict=True):
            of = found[(found["effect"] == effect) & (found["deviation"] == deviation)]
            panel.plot(of["look"], 100 * of["found"], color=colour, linestyle=line, marker=marker)
        panel.set(title=f"differences with an sd of {deviation:g}", ylim=(-3, 103))
    others[0].set_ylabel("% of true effects found")
    for panel in (first, *others):
        panel.set_xticks(LOOKS)
        panel.set(xlim=(3, 13), xlabel="trials")
    figure.legend(handles=cases, loc="outside upper left", ncols=2, fontsize=8)
    planted = [_line(look, f"{effect:g} points") for look, effect in zip(_EFFECTS, effects, strict=True)]
    figure.legend(handles=planted, loc="outside upper right", ncols=1, fontsize=8, title="planted effect")
    return style.with_footer(figure, footer)


def _line(look: tuple, label: str) -> Line2D:
    colour, line, marker = look
    return Line2D([], [], color=colour, linestyle=line, marker=marker, label=label)
