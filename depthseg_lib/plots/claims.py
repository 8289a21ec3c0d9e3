"""The claims' forest plot: our effects with intervals, the paper's values and the verdicts, each unit in its panel."""

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.claims.claims import MARGIN, claim_of
from depthseg_lib.plots import style
from depthseg_lib.plots.claims_marks import FILLED, VERDICTS, ZONE, mark, scale

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
    handles = _handles(encoders)
    columns = len(handles) if len(encoders) == 1 else -(-len(handles) // 2)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, columnspacing=1.4)
    style.footer(figure, f"{footer} Diamonds: {paper.SHORT_SOURCE}; of its other encoder where it has one alone.")
    return figure


def _overall(axes: Axes, ledger: pd.DataFrame, encoders: list[str]) -> None:
    """A column for each claim, with its verdict in words for each encoder."""
    verdicts = ledger.assign(id=ledger["id"].map(claim_of)).drop_duplicates(["id", "encoder"])
    claims, first = list(dict.fromkeys(verdicts["id"])), 0.17
    axes.set_title(OVERALL, loc="left", fontsize=8.5)
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(len(encoders) + 0.5, -0.5))
    for y, encoder in enumerate(encoders, 1):
        axes.text(0, y, style.encoder_name(encoder), fontsize=7.5, va="center")
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
            y, lane = _lane(row, keys, encoders)
            mark(panel, row, y, lane, MARKERS[encoders.index(row.encoder)])
            _word(words, row, y)
        panel.set_title(TITLES[unit], loc="left", fontsize=8.5)
    for words in axes[::2]:
        words.set_axis_off()
    for at in axes:
        _stripes(at, keys)
        at.tick_params(axis="y", length=0, labelleft=False)
        at.grid(axis="y", visible=False)
        at.set_ylim(len(keys) - 0.5, -0.5)


def _word(words: Axes, row, y: float) -> None:
    word, across = row.verdict if row.decides else f"({row.verdict})", words.get_yaxis_transform()
    words.text(0.06, y, word, color=VERDICTS[row.verdict], fontsize=7.5, va="center", transform=across)


def _labels(axes: Axes, rows: pd.DataFrame) -> None:
    """The part's id, what is compared, and where the claim has the effect."""
    axes.set_title("what is compared", loc="left", fontsize=8.5)
    axes.set_title("claimed", loc="right", fontsize=8.5, color=style.GREY)
    across, before = axes.get_yaxis_transform(), ""
    for y, (_, row) in enumerate(rows.drop_duplicates(["id", "images"]).iterrows()):
        if row["id"] != before:
            axes.text(0, y, row["id"], fontsize=8, fontweight="bold", va="center", transform=across)
        before = row["id"]
        axes.text(0.105, y, _compared(row), fontsize=7.5, va="center", transform=across)
        axes.text(0.99, y, row["expected"], fontsize=7.5, va="center", ha="right", color=style.GREY, transform=across)


def _compared(row: pd.Series) -> str:
    """What is set against what; that everything is trained goes without saying where it holds for both sides."""
    text = row["compared"] if "," in row["compared"].split("−")[0] else row["compared"].replace(", full", "")
    at_equal = row["unit"] == "accuracy points" and row["metric"] != "accuracy"
    return text + (", at equal mIoU" if at_equal else "")


def _stripes(axes: Axes, keys: list[tuple]) -> None:
    """A grey band behind every second claim."""
    claims = list(dict.fromkeys(claim_of(key[0]) for key in keys))
    for y, key in enumerate(keys):
        if claims.index(claim_of(key[0])) % 2 == 0:
            axes.axhspan(y - 0.5, y + 0.5, color="#f1f3f4", linewidth=0, zorder=0)


def _keys(rows: pd.DataFrame) -> list[tuple]:
    return list(rows[["id", "images"]].drop_duplicates().itertuples(index=False, name=None))


def _lane(row, keys: list[tuple], encoders: list[str]) -> tuple[float, float]:
    """Where an encoder stands within its row, under one another, and its share of the height."""
    at = next(y for y, key in enumerate(keys) if key[0] == row.id and key[1] == row.images)
    lane = 1 / len(encoders)
    return at + (encoders.index(row.encoder) - (len(encoders) - 1) / 2) * lane, lane


def _handles(encoders: list[str]) -> list[Artist]:
    """Entries of the legend: the paper's values, the verdicts, the zone of no effect, and the encoders if several."""
    faces = {name: colour if name in FILLED else "white" for name, colour in VERDICTS.items() if name != "not run"}
    handles = [_handle("paper (KITTI)", "D", "black", "white")]
    handles += [_handle(name, "o", VERDICTS[name], face) for name, face in faces.items()]
    handles += [Patch(color=ZONE, label=f"within ±{MARGIN:g}"), _handle("not run: no mark", "", "white", "white")]
    if len(encoders) > 1:
        shapes = zip(encoders, MARKERS, strict=False)
        handles += [_handle(style.encoder_name(name), marker, style.GREY, style.GREY) for name, marker in shapes]
    return handles


def _handle(label: str, marker: str, edge: str, face: str) -> Line2D:
    known = dict(color=edge, markerfacecolor=face, linestyle="none", markersize=5)
    return Line2D([], [], marker=marker, label=label, **known)
