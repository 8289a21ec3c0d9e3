"""Controls around the panels: ipywidgets that read a state, draw it as a pure function does, and show one PNG."""

import io
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import fields
from itertools import chain

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from depthseg_lib.analysis.results import rows_with
from depthseg_lib.plots import style
from depthseg_lib.plots.against import APART, dodge


def png_bytes(figure: Figure) -> bytes:
    """A figure as PNG in memory, written for speed: for panels that redraw while a slider moves."""
    buffer = io.BytesIO()
    Image.fromarray(pixels(figure)).save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


def pixels(figure: Figure) -> np.ndarray:
    """A figure drawn at its own resolution, (H, W, 3) uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


METRICS = ("miou_seven", "miou_occurring", "accuracy")
DPI = 100
SIZE = (9.6, 4.8)
CURVE = (0.075, 0.105, 0.915, 0.525)
PICTURE = (312, 112)
"""Figure size in inches, the place of the curve in it, and the pixels that a picture may take."""


class Paste(Artist):
    """Pixels (H W 3, uint8) put into a figure as they are, `left` and `bottom` from its corner: no resampling."""

    def __init__(self, pixels: np.ndarray, left: float = 0, bottom: float = 0):
        super().__init__()
        self.pixels, self.corner = pixels, (left, bottom)

    def draw(self, renderer) -> None:
        """Put the pixels there."""
        opaque = np.full((*self.pixels.shape[:2], 4), 255, np.uint8)
        opaque[..., :3] = self.pixels[::-1]  # the renderer counts rows from below
        renderer.draw_image(renderer.new_gc(), *self.corner, opaque)


def fitted(picture: np.ndarray, place: tuple[int, int] = PICTURE) -> np.ndarray:
    """A picture (H W or H W 3) enlarged or reduced to its place (width, height) in a panel, by nearest pixels."""
    height, width = picture.shape[:2]
    factor = min(place[0] / width, place[1] / height)
    rows, columns = ((np.arange(int(n * factor)) / factor).astype(int) for n in (height, width))
    return picture[rows[:, None], columns]


def add_picture(
    figure: Figure, column: int, shown: np.ndarray, title: str, columns: int = 3, below: int = 24, gap: int = 5
) -> None:
    """Hang a picture (H W 3, uint8) into one of the columns, `below` the upper edge, under a title (pixels)."""
    width, height = figure.bbox.width, figure.bbox.height
    left, top = (column + 0.5) * width / columns - shown.shape[1] / 2, height - below
    figure.add_artist(Paste(shown, left, top - shown.shape[0]))
    figure.text((column + 0.5) / columns, (top + gap) / height, title, fontsize=9, ha="center")


def mark(figure: Figure, limits, at: float, mean: float, initialisation: str, names, apart: float = APART) -> None:
    """Shade the place `at` of the curve's axes (log2, with these `limits`), and ring an initialisation's point there.

    `names` are all initialisations that are drawn, among which the point is moved sideways: neighbours stand `apart`.
    """
    left, bottom, width, height = CURVE
    (low, high), (floor, ceiling) = np.log2(limits[0]), limits[1]

    def across(value: float) -> float:
        return left + width * (np.log2(value) - low) / (high - low)

    edges = across(at / 2**0.25), across(at * 2**0.25)
    band = Rectangle((edges[0], bottom), edges[1] - edges[0], height, color=style.GREY, alpha=0.12, linewidth=0)
    figure.add_artist(band)
    if not np.isnan(mean):
        x = across(at * dodge(initialisation, names, apart))
        y = bottom + height * (mean - floor) / (ceiling - floor)
        look = dict(marker="o", markersize=15, markerfacecolor="none", markeredgewidth=2)
        figure.add_artist(Line2D([x], [y], **look, markeredgecolor=style.LOOK[initialisation][0]))


def name_lines(axes: Axes, initialisations: Iterable[str]) -> None:
    """A legend of the initialisations, where the lines leave room for it."""
    handles = [style.handle(name) for name in style.present(initialisations)]
    axes.legend(handles=handles, fontsize=8, loc="best", handlelength=3)


def write(figure: Figure, text: str) -> None:
    """A line above the curve."""
    figure.text(CURVE[0], CURVE[1] + CURVE[3] + 0.015, text, fontsize=9)


_SLIDER = {"style": {"description_width": "initial"}, "layout": {"width": "380px"}, "continuous_update": False}


class Panel(ABC):
    """Rows of controls over a picture: one PNG that is replaced whole when a control moves.

    Whoever inherits makes the controls, hands over their rows, and draws in `figure` what they say.
    """

    def __init__(self, *rows: list[ipywidgets.Widget]):
        self.picture = ipywidgets.Image(format="png", width=960)
        self._drawing = False
        for control in chain(*rows):
            control.observe(lambda _: self.update(), "value")
        self.update()
        self.box = ipywidgets.VBox([*map(ipywidgets.HBox, rows), self.picture])

    @abstractmethod
    def figure(self) -> Figure:
        """Read the controls, offer what was run with what they say, and draw it."""

    def update(self) -> None:
        """Draw what the controls say; a control that this moves, to what is offered, draws nothing of its own."""
        if self._drawing:
            return
        self._drawing = True
        try:
            self.picture.value = png_bytes(self.figure())
        finally:
            self._drawing = False

    def read(self, state: type):
        """The state (a dataclass of this type) that the controls of its fields' names say."""
        return state(**{field.name: getattr(self, field.name).value for field in fields(state)})

    def _repr_mimebundle_(self, **kwargs) -> dict:
        """The controls, and the picture alone for readers of the executed notebook, where there is no kernel."""
        return self.box._repr_mimebundle_(**kwargs) | {"image/png": b64encode(self.picture.value).decode()}


class ShownRuns:
    """What a panel has to show of runs with an encoder, a setting and an initialisation."""

    def __init__(self, rows: pd.DataFrame):
        self.rows = rows
        self.encoders = list(dict.fromkeys(rows["encoder"].astype(str)))

    def settings(self, encoder: str) -> list[str]:
        """Settings that were run with an encoder, full first."""
        found = self.rows.loc[self.rows["encoder"] == encoder, "setting"].astype(str).unique()
        return sorted(found, key=lambda name: name != "full")

    def of(self, encoder: str, setting: str) -> pd.DataFrame:
        """The rows of an encoder and setting."""
        return rows_with(self.rows, {"encoder": encoder, "setting": setting})

    def initialisations(self, encoder: str, setting: str) -> list[str]:
        """Initialisations that were run so."""
        return style.present(self.of(encoder, setting)["initialisation"])

    def numbers(self, column: str, encoder: str, setting: str) -> list[int]:
        """The whole numbers in a column of these runs, rising."""
        return sorted(map(int, self.of(encoder, setting)[column].unique()))


class Shown:
    """What a panel has to show of the first trial of some initialisations."""

    shown: dict[tuple[str, str], str]
    """The name of that run by encoder and initialisation."""

    @property
    def encoders(self) -> list[str]:
        """Encoders that have any."""
        return list(dict.fromkeys(encoder for encoder, _ in self.shown))

    def initialisations(self, encoder: str) -> list[str]:
        """Initialisations of an encoder that have."""
        return style.present(name for of, name in self.shown if of == encoder)


def slider(name: str, options: list, value) -> ipywidgets.SelectionSlider:
    """A slider over a few values that moves the picture when it is let go."""
    return ipywidgets.SelectionSlider(options=options, value=value, description=name, **_SLIDER)


def numbers(name: str, count: int) -> ipywidgets.IntSlider:
    """A slider over 0 to count - 1 that moves the picture when it is let go."""
    return ipywidgets.IntSlider(0, 0, count - 1, description=name, **_SLIDER)


def metrics(names: tuple[str, ...]) -> ipywidgets.Dropdown:
    """A menu of metrics, by the names that figures give them."""
    return ipywidgets.Dropdown(options=[(style.METRICS[name], name) for name in names], description="metric")


def buttons(name: str, options: list, value) -> ipywidgets.ToggleButtons:
    """A row of buttons, one of them pressed."""
    widths = {"button_width": "auto", "description_width": "60px"}
    return ipywidgets.ToggleButtons(options=options, value=value, description=name, style=widths)


def offer(control, options: list, last: bool = False) -> None:
    """Give a control other options, keeping its value where it is among them; else it takes the first or the last."""
    if list(control.options) == options:
        return
    kept = control.value if control.value in options else options[-1 if last else 0]
    control.index = 0  # a place that every number of options has
    control.options = options
    control.value = kept
