"""Figure 10: sizes of things in the photographs that classification sees, against those in street images."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import NullLocator, ScalarFormatter

from depthseg_lib.plots import style
from depthseg_lib.plots.style import Pictures

SEEN = "#F0E442"
"""The paper's yellow box."""
UNSEEN = "#56B4E9"
PHOTOGRAPHS, STREETS = style.LOOK["classification"][0], style.LOOK["depth"][0]
"""What classification is pre-trained on has its colour; streets have that of depth, which is learned from such ones."""
_KINDS = {"photograph": "photograph", "small": "street,\nmedian", "large": "street,\nlarge"}
_GAP, _ROW = 6, 0.42
"""Pixels between examples, and inches per thing."""
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@style.styled
def scale_mismatch(
    objects: pd.DataFrame, mismatch: pd.DataFrame, shown: pd.DataFrame, examples: Pictures, footer: str = ""
) -> Figure:
    """Examples with their bounding boxes, all at one magnification, above the sizes per class on a logarithmic axis.

    `objects` is a row per object (where, thing, size), `mismatch` what `object_sizes.mismatch` makes of them, `shown`
    a row per example (thing, kind, box and size in pixels), `examples` 3 h w uint8 by `<thing>.<kind>`. Yellow is the
    range of sizes that classification has seen of a class; boxes of street objects outside it are blue and dashed.
    """
    across, high = _extent(shown, examples)
    pictures, rows = (style.WIDTH - 0.1) / across * high + 0.55, _ROW * len(mismatch) + 0.95
    figure = style.Drawing(figsize=(style.WIDTH, pictures + rows + 0.75), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(pictures, rows))
    _examples(above, shown, examples, mismatch.set_index("thing"))
    _distributions(below.subplots(), objects, mismatch)
    dot = dict(linestyle="-", marker="o", markersize=3.5)
    handles = [
        Line2D([], [], color=PHOTOGRAPHS, label="photographs", **dot),
        Line2D([], [], color=STREETS, label="street images", **dot),
        Patch(facecolor=SEEN, alpha=0.75, label="seen by classification"),
        Patch(fill=False, edgecolor=UNSEEN, linestyle="--", label="outside"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=8.5, handlelength=1.8)
    # what the smallest objects are: label images know no things, only classes
    single = (objects.loc[objects["where"] == "streets", "pixels"] == 1).mean()
    pieces = "Objects are connected areas of one class: what stands behind something else counts in pieces"
    pieces += f", and {single:.0%} of the objects are single pixels, so medians are those of fragments too."
    how = "Size: square root of the area of the bounding box. Bars: 5th to 95th percentile and median."
    yellow = "Yellow: 5th to 95th percentile of the photographs' sizes, enlarged as their training's random crops do."
    counts = "n: photographs, objects in street images."
    return style.with_footer(figure, f"{footer} {counts} {pieces} {how} {yellow}")


def _extent(shown: pd.DataFrame, examples: Pictures) -> tuple[float, int]:
    """Width of all examples side by side with the gaps between them, and the height of the highest, in pixels."""
    shapes = [examples[f"{row.thing}.{row.kind}"].shape for row in shown.itertuples()]
    return sum(shape[2] + _GAP for shape in shapes), max(shape[1] for shape in shapes)


def _examples(figure, shown: pd.DataFrame, examples: Pictures, seen: pd.DataFrame) -> None:
    """One row of pictures, all at the same scale and with their lower edges on a line."""
    across, high = _extent(shown, examples)
    axes, x = figure.subplots(), 0.0
    for row in shown.to_dict("records"):
        picture = examples[f"{row['thing']}.{row['kind']}"].transpose(1, 2, 0)
        height, width = picture.shape[:2]
        axes.imshow(picture, extent=(x, x + width, high, high - height), interpolation="nearest")
        low, most = seen.loc[row["thing"], ["low", "high"]]
        inside = row["kind"] == "photograph" or low <= row["size"] <= most
        look = dict(edgecolor=SEEN) if inside else dict(edgecolor=UNSEEN, linestyle=(0, (2, 1.2)))
        box = (x + row["left"], high - height + row["top"]), row["width"], row["height"]
        axes.add_patch(Rectangle(*box, fill=False, linewidth=2.4, edgecolor="black", alpha=0.6))
        axes.add_patch(Rectangle(*box, fill=False, linewidth=1.3, **look))
        name = f"{row['thing']}:\n" if row["kind"] == "photograph" else ""
        text = f"{name}{_KINDS[row['kind']]}\n{row['size']:.0f} px"
        axes.text(x + width / 2, high - height - 2, text, ha="center", va="bottom", fontsize=7.5)
        x += width + _GAP
    axes.set(xlim=(-_GAP / 2, across - _GAP / 2), ylim=(high, 0), aspect="equal")
    axes.set_axis_off()


def _distributions(axes: Axes, objects: pd.DataFrame, mismatch: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)  # spreads the dots; the same ones in every drawing
    for place, row in enumerate(mismatch.to_dict("records")):
        axes.fill_betweenx([place - 0.42, place + 0.42], row["low"], row["high"], color=SEEN, alpha=0.55, linewidth=0)
        for where, colour, height in (("photographs", PHOTOGRAPHS, -0.2), ("streets", STREETS, 0.2)):
            sizes = objects.loc[(objects["where"] == where) & (objects["thing"] == row["thing"]), "size"]
            spread = place + height + rng.uniform(-0.11, 0.11, len(sizes))
            axes.scatter(sizes, spread, s=5, color=colour, alpha=0.35, linewidths=0, rasterized=True)
            low, middle, high = np.percentile(sizes, (5, 50, 95))
            axes.plot([low, high], [place + height] * 2, color=colour, linewidth=1.3)
            axes.plot(middle, place + height, marker="|", color=colour, markersize=9, markeredgewidth=2.2)
    # beside the axes the shares of street objects, and of their pixels, below the range
    for x, text, column in ((1.09, "objects", "smaller"), (1.23, "pixels", "pixels_smaller")):
        axes.text(x, 1.01, text, transform=axes.transAxes, ha="center", va="bottom", fontsize=8)
        for place, share in enumerate(mismatch[column]):
            where = axes.get_yaxis_transform()
            axes.text(x, place, f"{share:.0%}", transform=where, ha="center", va="center", fontsize=8.5)
    axes.text(1.16, 1.075, "in streets, below yellow", transform=axes.transAxes, ha="center", va="bottom", fontsize=8)
    style.name_lines(axes, [f"{row.thing}\nn = {row.photographs}, {row.objects}" for row in mismatch.itertuples()])
    axes.set_xscale("log")
    low, high = objects["size"].min(), objects["size"].max()
    axes.set_xlim(low / 1.15, high * 1.15)
    axes.set_xticks([tick for tick in _TICKS if low / 1.1 <= tick <= high * 1.1])
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("size of a thing in the network's input (pixels)")
