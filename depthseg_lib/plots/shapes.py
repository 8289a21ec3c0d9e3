"""Shapes of the diagrams: networks as trapezoids, arrows, and a small drawn street as image, depth and labels."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

FRESH, CLASSIFIED, DEPTH, INK, SOFT = "#FFFFFF", "#F3B79A", "#9CC9E6", "#202124", "#5f6368"
"""Fills: fresh weights, weights from classification, weights from depth; ink and soft ink for text."""
_STREET = {  # part: (outline in a unit square, picture, label colour as in KITTI's palette, distance 0 near .. 1 far)
    "sky": ([(0, 0.4), (1, 0.4), (1, 1), (0, 1)], "#c9def2", "#4682b4", 1.0),
    "left": ([(0, 0.3), (0.3, 0.42), (0.3, 0.72), (0, 0.95)], "#b8aea2", "#464646", 0.45),
    "right": ([(0.68, 0.42), (1, 0.3), (1, 0.9), (0.68, 0.68)], "#cbb79d", "#464646", 0.5),
    "tree": ([(0.33, 0.42), (0.46, 0.42), (0.47, 0.6), (0.4, 0.68), (0.32, 0.6)], "#7d9a62", "#6b8e23", 0.75),
    "verge": ([(0, 0), (1, 0), (1, 0.3), (0.68, 0.42), (0.3, 0.42), (0, 0.3)], "#aab88a", "#98fb98", 0.3),
    "road": ([(0.05, 0), (0.95, 0), (0.58, 0.43), (0.45, 0.43)], "#8d8d92", "#804080", 0.2),
    "car": (
        [(0.56, 0.12), (0.8, 0.12), (0.8, 0.25), (0.75, 0.36), (0.61, 0.36), (0.56, 0.25)],
        "#a03c32",
        "#00008e",
        0.1,
    ),
}


def network(
    axes: Axes, x: float, y: float, width: float, height: float, fill: str, text: str, narrowing=True, frozen=False
) -> None:
    """A trapezoid centred at (x, y): an encoder narrows to the right, a decoder widens; a frozen one is hatched."""
    wide, thin = height / 2, height / 4.2
    left, right = (wide, thin) if narrowing else (thin, wide)
    corners = [
        (x - width / 2, y - left),
        (x + width / 2, y - right),
        (x + width / 2, y + right),
        (x - width / 2, y + left),
    ]
    hatch = {"hatch": "////", "edgecolor": "#7f868d"} if frozen else {"edgecolor": INK}
    axes.add_patch(Polygon(corners, facecolor=fill, linewidth=0 if frozen else 1, **hatch))
    axes.add_patch(Polygon(corners, fill=False, edgecolor=INK, linewidth=1))
    box = {"facecolor": fill, "edgecolor": "none", "pad": 1.2} if frozen else None
    axes.text(x, y, text, ha="center", va="center", fontsize=8, color=INK, bbox=box)


def block(axes: Axes, x: float, y: float, width: float, height: float, fill: str, text: str = "") -> None:
    """A rectangle centred at (x, y), such as a last layer."""
    axes.add_patch(
        Rectangle((x - width / 2, y - height / 2), width, height, facecolor=fill, edgecolor=INK, linewidth=1)
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=8, color=INK)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], dashed=False, colour=INK, bend=0.0) -> None:
    """An arrow; dashed ones carry weights from one network to the next."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=9,
            linewidth=1.1,
            color=colour,
            shrinkA=0,
            shrinkB=0,
            linestyle=(0, (3, 2)) if dashed else "-",
            connectionstyle=f"arc3,rad={bend}",
        )
    )


def street(axes: Axes, x: float, y: float, width: float, height: float, shows: str) -> None:
    """The drawn street centred at (x, y): `shows` image, depth (near is bright) or labels."""
    from matplotlib import colormaps

    frame = Rectangle((x - width / 2, y - height / 2), width, height, fill=False, edgecolor=INK, linewidth=0.8)
    axes.add_patch(frame)
    for outline, picture, label, distance in _STREET.values():
        fill = {"image": picture, "labels": label, "depth": colormaps["magma"](0.95 - 0.85 * distance)}[shows]
        corners = (np.array(outline) - 0.5) * (width, height) + (x, y)
        axes.add_patch(Polygon(corners, facecolor=fill, edgecolor="none", zorder=frame.get_zorder()))
    axes.add_patch(Rectangle(frame.get_xy(), width, height, fill=False, edgecolor=INK, linewidth=0.8))


def photograph(axes: Axes, x: float, y: float, size: float) -> None:
    """One centred object on a plain ground, as a classification set has it."""
    axes.add_patch(
        Rectangle((x - size / 2, y - size / 2), size, size, facecolor="#dfe8d5", edgecolor=INK, linewidth=0.8)
    )
    axes.add_patch(Rectangle((x - size / 2, y - size / 2), size, 0.35 * size, facecolor="#b9c4a5", edgecolor="none"))
    body = [(-0.38, -0.2), (0.38, -0.2), (0.38, 0.0), (0.2, 0.04), (0.1, 0.22), (-0.2, 0.22), (-0.28, 0.04), (-0.38, 0)]
    axes.add_patch(Polygon(np.array(body) * size + (x, y), facecolor="#a03c32", edgecolor="none"))
    for wheel in (-0.22, 0.22):
        axes.plot(x + wheel * size, y - 0.2 * size, "o", color=INK, markersize=5)


def canvas(axes: Axes, width: float, height: float) -> None:
    """An empty drawing board measured in inches."""
    axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axes.set_axis_off()
