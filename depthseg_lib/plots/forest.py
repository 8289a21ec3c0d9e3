"""The claims' forest plot: our effects with intervals, the paper's values and the verdicts, each unit in its panel."""

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.claims.claims import MARGIN, claim_of
from depthseg_lib.plots import style
from depthseg_lib.settings import encoder_name

VERDICTS = {"agrees": "#004488", "disagrees": "#BB5566", "undecided": style.GREY, "not run": "#9aa0a6"}
"""Colours of high contrast to each other for colour-blind readers too (Tol), apart from the initialisations'."""
FILLED = ("agrees", "disagrees")
"""Verdicts whose marks are filled."""
ZONE = "#cdd9ea"
"""The colour of the zone in which an effect counts as none."""
_ABOVE, _BELOW = -0.22, 0.13
"""Where the paper's value and ours stand in a row's lane, so that neither covers the other."""
_RATIOS = (1 / 30, 0.1, 1 / 3, 1, 3, 10, 30)
_REACH = dict.fromkeys(("mIoU points", "accuracy points"), (2.0, 10.0))
_REACH |= {"ratio of iterations": (np.log(4), np.log(12)), "nats per pixel": (0.1, 0.4)}
"""Half the width of a unit's panel at least, and where an interval may be cut (logarithms for the ratio)."""


def mark(panel: Axes, row, y: float, lane: float, marker: str) -> None:
    """Draw a row of the ledger around the height `y`, in a lane of this height: the paper's value, and our mean with
    its interval, with arrows where that goes on beyond the panel."""
    if row.expected.startswith("within"):
        panel.fill_betweenx([y - lane / 2, y + lane / 2], -MARGIN, MARGIN, color=ZONE, linewidth=0, zorder=0.5)
    if not np.isnan(row.paper):
        known = dict(color="black", markerfacecolor="white", markersize=4)
        panel.plot(row.paper, y + _ABOVE * lane, "D", **known, zorder=3)
    if not row.trials:
        return
    colour, (left, right), y = VERDICTS[row.verdict], panel.get_xlim(), y + _BELOW * lane
    ends = np.nan_to_num([row.low, row.high], nan=row.effect, posinf=right)
    panel.plot(np.clip(ends, left, right), [y, y], color=colour, linewidth=1.3, zorder=2)
    for beyond, edge, arrow in ((ends[0] < left, left, "<"), (ends[1] >= right, right, ">")):
        if beyond:
            panel.plot(edge, y, arrow, color=colour, markersize=4, clip_on=False)
    face = colour if row.verdict in FILLED else "white"
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
        panel.xaxis.set_major_locator(FixedLocator(_RATIOS))
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
OVERALL = "overall: the worst verdict of a claim's statements"
"""The title of the strip above the panels."""
_LABEL, _WORD, _WIDTH, _ROW = 3.9, 0.72, 10.5, 0.21
"""Inches of the labels and of the verdicts, of the figure, and of a row's height for each encoder."""


@style.styled
def claims(ledger: pd.DataFrame, footer: str = "") -> Figure:
    """Draw `claims.ledger`: a row per comparison, grouped by claim; filled marks where the interval decides.

    Above: each claim's own verdict. Grey beside the label: where the claim has the effect; blue where that is about
    none. Diamonds are the paper's values. A verdict in brackets stands beside and does not decide the claim. An arrow
    says that an interval goes on beyond the panel.
    """
    encoders = list(dict.fromkeys(ledger["encoder"]))
    blocks = [ledger[ledger["unit"].isin(units)] for units in UNITS]
    heights = [_ROW * (len(encoders) + 1), *(_ROW * len(encoders) * (len(_keys(block)) + 1) for block in blocks)]
    figure = style.Drawing(figsize=(_WIDTH, sum(heights) + 2.2), layout="constrained")
    grid = figure.add_gridspec(3, 1, height_ratios=heights)
    _overall(figure.add_subplot(grid[0]), ledger, encoders)
    for place, block, units in zip((grid[1], grid[2]), blocks, UNITS, strict=True):
        _block(figure, place, block, units, encoders)
    faces = {name: colour if name in FILLED else "white" for name, colour in VERDICTS.items() if name != "not run"}
    handles: list[Artist] = [_handle("paper (KITTI)", "D", "black", "white")]
    handles += [_handle(name, "o", VERDICTS[name], face) for name, face in faces.items()]
    handles += [Patch(color=ZONE, label=f"within ±{MARGIN:g}"), _handle("not run: no mark", "", "white", "white")]
    if len(encoders) > 1:
        shapes = zip(encoders, MARKERS, strict=False)
        handles += [_handle(encoder_name(name), marker, style.GREY, style.GREY) for name, marker in shapes]
    columns = len(handles) if len(encoders) == 1 else -(-len(handles) // 2)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, columnspacing=1.4)
    theirs = f"Diamonds: {paper.SHORT_SOURCE}; of its other encoder where it has one alone."
    return style.with_footer(figure, f"{footer} {theirs}")


def _overall(axes: Axes, ledger: pd.DataFrame, encoders: list[str]) -> None:
    """A column for each claim, with its verdict in words for each encoder."""
    verdicts = ledger.assign(id=ledger["id"].map(claim_of)).drop_duplicates(["id", "encoder"])
    claims, first = list(dict.fromkeys(verdicts["id"])), 0.17
    axes.set_title(OVERALL, loc="left", fontsize=8.5)
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(len(encoders) + 0.5, -0.5))
    for y, encoder in enumerate(encoders, 1):
        axes.text(0, y, encoder_name(encoder), fontsize=7.5, va="center")
    for row in verdicts.itertuples():
        x, y = first + (1 - first) * claims.index(row.id) / len(claims), encoders.index(row.encoder) + 1
        if y == 1:
            axes.text(x, 0, row.id, fontsize=8, fontweight="bold", va="center")
        axes.text(x, y, row.overall, color=VERDICTS[row.overall], fontsize=7.5, va="center")


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
            word = dict(color=VERDICTS[row.verdict], fontsize=7.5, va="center", transform=words.get_yaxis_transform())
            words.text(0.06, y, row.verdict if row.decides else f"({row.verdict})", **word)
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
        if row["id"] != before:
            axes.text(0, y, row["id"], fontsize=8, fontweight="bold", va="center", transform=across)
        before = row["id"]
        # that everything is trained goes without saying where it holds for both sides
        text = row["compared"] if "," in row["compared"].split("−")[0] else row["compared"].replace(", full", "")
        text += ", at equal mIoU" if row["unit"] == "accuracy points" and row["metric"] != "accuracy" else ""
        axes.text(0.105, y, text, fontsize=7.5, va="center", transform=across)
        axes.text(0.99, y, row["expected"], fontsize=7.5, va="center", ha="right", color=style.GREY, transform=across)


def _keys(rows: pd.DataFrame) -> list[tuple]:
    return list(rows[["id", "images"]].drop_duplicates().itertuples(index=False, name=None))


def _handle(label: str, marker: str, edge: str, face: str) -> Line2D:
    return Line2D([], [], marker=marker, label=label, color=edge, markerfacecolor=face, linestyle="none", markersize=5)
