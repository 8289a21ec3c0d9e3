"""The marks of the claims' forest plot: an effect with its interval, the paper's value beside it, and their axis."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.claims.claims import MARGIN
from depthseg_lib.plots import style

VERDICTS = {"agrees": "#004488", "disagrees": "#BB5566", "undecided": style.GREY, "not run": "#9aa0a6"}
"""Colours of high contrast to each other for colour-blind readers too (Tol), apart from the initialisations'."""
FILLED = ("agrees", "disagrees")
"""Verdicts whose marks are filled."""
ZONE = "#cdd9ea"
"""The colour of the zone in which an effect counts as none."""
_ABOVE, _BELOW = -0.22, 0.13
"""Where the paper's value and ours stand in a row's lane, so that neither covers the other."""
_RATIOS = (1 / 30, 0.1, 1 / 3, 1, 3, 10, 30)
_REACH = {
    "mIoU points": (2.0, 10.0),
    "accuracy points": (2.0, 10.0),
    "ratio of iterations": (np.log(4), np.log(12)),
    "nats per pixel": (0.1, 0.4),
}
"""Half the width of a unit's panel at least, and where an interval may be cut (logarithms for the ratio)."""


def mark(panel: Axes, row, y: float, lane: float, marker: str) -> None:
    """Draw a row of the ledger around the height `y`, in a lane of this height."""
    if row.expected.startswith("within"):
        panel.fill_betweenx([y - lane / 2, y + lane / 2], -MARGIN, MARGIN, color=ZONE, linewidth=0, zorder=0.5)
    if not np.isnan(row.paper):
        known = dict(color="black", markerfacecolor="white", markersize=4)
        panel.plot(row.paper, y + _ABOVE * lane, "D", **known, zorder=3)
    if row.trials:
        _effect(panel, row, y + _BELOW * lane, marker)


def _effect(panel: Axes, row, y: float, marker: str) -> None:
    """Our mean with its interval; arrows where that goes on beyond the panel."""
    colour, (left, right) = VERDICTS[row.verdict], panel.get_xlim()
    ends = np.nan_to_num([row.low, row.high], nan=row.effect, posinf=right)
    panel.plot(np.clip(ends, left, right), [y, y], color=colour, linewidth=1.3, zorder=2)
    for beyond, edge, arrow in ((ends[0] < left, left, "<"), (ends[1] >= right, right, ">")):
        if beyond:
            panel.plot(edge, y, arrow, color=colour, markersize=4, clip_on=False)
    face = colour if row.verdict in FILLED else "white"
    panel.plot(row.effect, y, marker, color=colour, markerfacecolor=face, markersize=5, zorder=4)


def scale(panel: Axes, rows: pd.DataFrame, unit: str) -> None:
    """Limits around the reference that hold every mean and paper's value; long intervals are cut there."""
    if unit == "% of trials":
        panel.set_xlim(-8, 108)
        panel.set_xticks([0, 50, 100])
        return
    ratio = unit == "ratio of iterations"
    far = _reach(rows, *_REACH[unit], np.log if ratio else np.asarray)
    if ratio:
        panel.set_xscale("log")
        panel.set_xlim(np.exp(-far), np.exp(far))
        panel.xaxis.set_major_locator(FixedLocator(_RATIOS))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _ratio(value)))
        panel.axvline(paper.FASTER, color="#3c4043", linewidth=0.8, linestyle=":", zorder=1)
    else:
        panel.set_xlim(-far, far)
        panel.xaxis.set_major_locator(MaxNLocator(3 if unit == "nats per pixel" else 6))
    panel.axvline(1 if ratio else 0, color="#3c4043", linewidth=0.8, zorder=1)


def _reach(rows: pd.DataFrame, least: float, cut: float, transformed) -> float:
    """Half the width of a panel: room for means and the paper's values, and for intervals as far as `cut` or twice."""
    means, ends = (np.abs(transformed(_seen(rows, names))) for names in (["effect", "paper"], ["low", "high"]))
    needed = 1.2 * max(means, default=0)
    return max(least, needed, min(1.1 * max(ends, default=0), max(cut, 2 * needed)))


def _seen(rows: pd.DataFrame, columns: list[str]) -> np.ndarray:
    values = rows[columns].to_numpy(float).ravel()
    return values[np.isfinite(values)]


def _ratio(value: float) -> str:
    return f"{value:.0f}" if value >= 1 else f"1/{1 / value:.0f}"
