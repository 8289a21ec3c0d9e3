"""The claims' forest plot: our effects with intervals, the paper's values and the verdicts, each unit in its panel."""

import re

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.claims.claims import claim_of
from depthseg_lib.analysis.claims.question import MARGINS
from depthseg_lib.plots import style
from depthseg_lib.settings import encoder_name

_BLUE, _RED, _OCHRE, _PALE = "#004488", "#BB5566", "#997700", "#9aa0a6"
VERDICTS = {"agrees": _BLUE, "disagrees": _RED, "equal": _OCHRE, "indicates for": _BLUE, "indicates against": _RED}
VERDICTS |= {"indicates equal": _OCHRE, "undecided": style.GREY, "not tested": _PALE, "not run": _PALE}
"""Colours of high contrast to each other for colour-blind readers too (Tol), apart from the initialisations'."""
FILLED = ("agrees", "disagrees", "equal")
"""Verdicts whose marks are filled."""
ZONE = "#cdd9ea"
"""The colour of the zone in which an effect counts as none."""
_ABOVE, _BELOW = -0.22, 0.13
"""Where the paper's value and ours stand in a row's lane, so that neither covers the other."""
_RATIOS = (1 / 30, 0.1, 1 / 3, 1, 3, 10, 30)
_REACH = dict.fromkeys(("mIoU points", "accuracy points"), (2.0, 10.0))
_REACH |= {"ratio of iterations": (np.log(4), np.log(12)), "nats per pixel": (0.1, 0.4)}
"""Half the width of a unit's panel at least, and where an interval may be cut (logarithms for the ratio)."""


def verdict_of(row) -> str:
    """A row's verdict up to the comma."""
    return row.verdict.partition(",")[0]


def mark(panel: Axes, row, y: float, lane: float, marker: str, below: float = _BELOW) -> None:
    """Draw a row of the ledger around the height `y`, in a lane of this height: the paper's value, and our mean with
    its interval, with arrows where that goes on beyond the panel."""
    if row.unit in MARGINS:
        ends = np.array([-1, 1]) * MARGINS[row.unit]
        ends = np.exp(ends) if row.unit == "ratio of iterations" else ends
        panel.fill_betweenx([y - lane / 2, y + lane / 2], *ends, color=ZONE, linewidth=0, zorder=0.5)
    if not np.isnan(row.paper):
        known = dict(color="black", markerfacecolor="white", markersize=4)
        panel.plot(row.paper, y + _ABOVE * lane, "D", **known, zorder=3)
    if not row.repetitions:
        return
    colour, (left, right), y = VERDICTS[verdict_of(row)], panel.get_xlim(), y + below * lane
    ends = np.nan_to_num([row.low, row.high], nan=row.effect, posinf=right)
    panel.plot(np.clip(ends, left, right), [y, y], color=colour, linewidth=1.3, zorder=2)
    for beyond, edge, arrow in ((ends[0] < left, left, "<"), (ends[1] >= right, right, ">")):
        if beyond:
            panel.plot(edge, y, arrow, color=colour, markersize=4, clip_on=False)
    face = colour if verdict_of(row) in FILLED else "white"
    panel.plot(row.effect, y, marker, color=colour, markerfacecolor=face, markersize=5, zorder=4)


def scale(panel: Axes, rows: pd.DataFrame, unit: str) -> None:
    """Limits around the reference: room for all means and paper's values, for intervals to the cut or twice those."""
    if unit == "% of trials":
        panel.set_xlim(-8, 108)
        panel.set_xticks([0, 50, 100])
        return
    ratio = unit == "ratio of iterations"
    least, cut = _REACH[unit]
    values = (rows[names].to_numpy(float) for names in (["effect", "paper"], ["low", "high"]))
    means, ends = (np.abs((np.log if ratio else np.asarray)(of[np.isfinite(of)])) for of in values)
    needed = 1.2 * max(means, default=0)
    far = max(least, needed, min(1.1 * max(ends, default=0), max(cut, 2 * needed)))
    if ratio:
        panel.set_xscale("log")
        panel.set_xlim(np.exp(-far), np.exp(far))
        panel.xaxis.set_major_locator(FixedLocator(_RATIOS if far < np.log(15) else _RATIOS[1::2]))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}" if value >= 1 else f"1/{1 / value:.0f}")
        panel.axvline(paper.FASTER, color="#3c4043", linewidth=0.8, linestyle=":", zorder=1)
    else:
        panel.set_xlim(-far, far)
        panel.xaxis.set_major_locator(MaxNLocator(3 if unit == "nats per pixel" else 6))
    panel.axvline(1 if ratio else 0, color="#3c4043", linewidth=0.8, zorder=1)


MARKERS = ("o", "s", "^")
"""One for each encoder."""
UNITS = (("mIoU points", "accuracy points"), ("ratio of iterations", "nats per pixel", "% of trials"))
"""The panels of the two blocks."""
TITLES = {
    "mIoU points": "mIoU, representative (points)",
    "accuracy points": "pixel accuracy (points)",
    "ratio of iterations": "iterations needed (ratio)",
    "nats per pixel": "validation NLL (nats per pixel)",
    "% of trials": "diverged (% of trials)",
}
_LABEL, _WORD, _WIDTH, _ROW = 3.9, 1.15, 12.0, 0.21
"""Inches of the labels and of the verdicts, of the figure, and of a row's height for each encoder."""


@style.styled
def claims(ledger: pd.DataFrame, footer: str = "") -> Figure:
    """Draw `claims.ledger`: a row per comparison, grouped by claim; filled marks where a claim's own contrast decides.

    Bold: the one contrast of a claim, whose verdict is the claim's; the others are secondary. Grey beside the label:
    where the claim has the effect. The blue zone is what does not matter. Diamonds are the paper's values. An arrow
    says that an interval goes on beyond the panel.
    """
    encoders = list(dict.fromkeys(ledger["encoder"]))
    blocks = [ledger[ledger["unit"].isin(units)] for units in UNITS]
    heights = [_ROW * len(encoders) * (len(_keys(block)) + 1) for block in blocks]
    figure = style.Drawing(figsize=(_WIDTH, sum(heights) + 2.2), layout="constrained")
    for place, block, units in zip(figure.add_gridspec(2, 1, height_ratios=heights), blocks, UNITS, strict=True):
        _block(figure, place, block, units, encoders)
    shown = {verdict_of(row) for row in ledger.itertuples() if row.repetitions}
    faces = {name: colour if name in FILLED else "white" for name, colour in VERDICTS.items() if name in shown}
    handles: list[Artist] = [_handle("paper (KITTI)", "D", "black", "white")]
    handles += [_handle(name, "o", VERDICTS[name], face) for name, face in faces.items()]
    handles += [Patch(color=ZONE, label="within the margin"), _handle("not run: no mark", "", "white", "white")]
    if len(encoders) > 1:
        shapes = zip(encoders, MARKERS, strict=False)
        handles += [_handle(encoder_name(name), marker, style.GREY, style.GREY) for name, marker in shapes]
    columns = len(handles) if len(encoders) == 1 else -(-len(handles) // 2)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, columnspacing=1.4)
    theirs = f"Diamonds: {paper.SHORT_SOURCE}; of its other encoder where it has one alone."
    words = "After ±: half the interval; after <: the margin that the difference is shown to be within."
    return style.with_footer(figure, f"{footer} {theirs} {words}")


def _block(figure: Figure, place, rows: pd.DataFrame, units: tuple[str, ...], encoders: list[str]) -> None:
    """Labels, and for each unit a panel with its verdicts in words beside."""
    rows = rows.assign(images=rows["images"].fillna(0).astype(int))  # unknown sizes can be compared, too
    keys, wide = _keys(rows), (_WIDTH - _LABEL - _WORD * len(units)) / len(units)
    widths = [_LABEL, *[wide, _WORD] * len(units)]
    axes = place.subgridspec(1, len(widths), width_ratios=widths, wspace=0.02).subplots(sharey=True)
    _labels(axes[0], rows)
    for unit, panel, words in zip(units, axes[1::2], axes[2::2], strict=True):
        part = rows[rows["unit"] == unit]
        scale(panel, part, unit)
        for row in part.itertuples():
            number, lane = encoders.index(row.encoder), 1 / len(encoders)  # encoders share the height of a row
            y = keys.index((row.id, row.images)) + (number - (len(encoders) - 1) / 2) * lane
            mark(panel, row, y, lane, MARKERS[number])
            word = dict(color=VERDICTS[verdict_of(row)], fontsize=7.5, va="center")
            word |= dict(fontweight="bold" if row.primary else "normal", transform=words.get_yaxis_transform())
            words.text(0.04, y, _short(row.verdict), **word)
        panel.set_title(TITLES[unit], loc="left", fontsize=8.5)
    for words in axes[::2]:
        words.set_axis_off()
    claims = list(dict.fromkeys(claim_of(key[0]) for key in keys))
    for at in axes:
        for y, key in enumerate(keys):  # a grey band behind every second claim
            if claims.index(claim_of(key[0])) % 2 == 0:
                at.axhspan(y - 0.5, y + 0.5, color="#f1f3f4", linewidth=0, zorder=0)
        at.tick_params(axis="y", length=0, labelleft=False)
        at.grid(axis="y", visible=False)
        at.set_ylim(len(keys) - 0.5, -0.5)


def _labels(axes: Axes, rows: pd.DataFrame) -> None:
    """The part's id, what is compared, and where the claim has the effect."""
    axes.set_title("what is compared", loc="left", fontsize=8.5)
    axes.set_title("claimed", loc="right", fontsize=8.5, color=style.GREY)
    across, before = axes.get_yaxis_transform(), ""
    for y, (_, row) in enumerate(rows.drop_duplicates(["id", "images"]).iterrows()):
        weight = "bold" if claim_of(row["id"]) == row["id"] else "normal"
        if row["id"] != before:
            axes.text(0, y, row["id"], fontsize=8, fontweight=weight, va="center", transform=across)
        before = row["id"]
        # that everything is trained goes without saying where it holds for both sides
        text = row["compared"] if "," in row["compared"].split("−")[0] else row["compared"].replace(", full", "")
        text += ", at equal mIoU" if row["unit"] == "accuracy points" and row["metric"] != "accuracy" else ""
        axes.text(0.105, y, text, fontsize=7.5, fontweight=weight, va="center", transform=across)
        axes.text(0.99, y, row["expected"], fontsize=7.5, va="center", ha="right", color=style.GREY, transform=across)


def _short(verdict: str) -> str:
    """A verdict beside its row: the panel has the unit."""
    short = re.sub(r", within ([\d.]+)", r" ± \1", verdict).replace(", but within", ", <").replace("within ×", "×")
    return short.removesuffix(" points").removesuffix(" nats")


def _keys(rows: pd.DataFrame) -> list[tuple]:
    return list(rows[["id", "images"]].drop_duplicates().itertuples(index=False, name=None))


def _handle(label: str, marker: str, edge: str, face: str) -> Line2D:
    return Line2D([], [], marker=marker, label=label, color=edge, markerfacecolor=face, linestyle="none", markersize=5)
