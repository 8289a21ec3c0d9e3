"""The picture of the training-size panel: a pure function from what the controls say to a Figure, built for speed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from depthseg_lib.analysis.results import Results
from depthseg_lib.data.labels import VOID
from depthseg_lib.plots import style
from depthseg_lib.plots.against import APART, dodge
from depthseg_lib.plots.saving import pixels
from depthseg_lib.plots.training_size import size_axes
from depthseg_lib.scores import common_scores

METRICS = ("miou_seven", "miou", "accuracy")
DPI = 100
SIZE = (9.6, 4.8)
CURVE = (0.075, 0.105, 0.915, 0.525)
PICTURE = (312, 112)
"""Figure size in inches, the place of the curve in it, and the pixels that a picture may take."""


@dataclass(frozen=True)
class SizeState:
    """What the controls of the training-size panel say."""

    encoder: str
    """One of the encoders that were run."""
    images: int
    """Training images."""
    initialisation: str
    """One of the initialisations that were run."""
    setting: str
    """full, frozen, encoder-only or deeplab."""
    metric: str
    """miou_seven, miou or accuracy."""
    example: int
    """Which of the stored validation images, from 0."""


class SizeResults:
    """What the panel draws from, computed once for each encoder and setting; `Results` go in."""

    def __init__(self, results: Results):
        self.results = results
        self._curves = {}
        self._backgrounds = {}

    @cached_property
    def encoders(self) -> list[str]:
        """Encoders that were run."""
        return list(dict.fromkeys(self._runs()["encoder"].astype(str)))

    def settings(self, encoder: str) -> list[str]:
        """Settings that were run with an encoder, full first."""
        return sorted(map(str, self._runs(encoder=encoder)["setting"].unique()), key=lambda name: name != "full")

    def sizes(self, encoder: str, setting: str) -> list[int]:
        """Training-set sizes that were run so."""
        return sorted(map(int, self._runs(encoder=encoder, setting=setting)["images"].unique()))

    def initialisations(self, encoder: str, setting: str) -> list[str]:
        """Initialisations that were run so."""
        return style.present(self._runs(encoder=encoder, setting=setting)["initialisation"])

    def scores(self, encoder: str, setting: str):
        """`scores.common_scores` of an encoder and setting."""
        if (encoder, setting) not in self._curves:
            chosen = self.results.select(encoder=encoder, setting=setting)
            self._curves[encoder, setting] = common_scores(chosen.confusion, self.results.label_set)
        return self._curves[encoder, setting]

    @style.styled
    def background(self, encoder: str, setting: str, metric: str) -> tuple[np.ndarray, tuple]:
        """The curve of an encoder, setting and metric as pixels (H W 3, uint8), with its axes' limits."""
        key = encoder, setting, metric
        if key not in self._backgrounds:
            figure = Figure(figsize=SIZE, dpi=DPI)
            axes = figure.add_axes(CURVE)
            size_axes(axes, self.scores(encoder, setting), metric)
            axes.set_xlabel("annotated training images")
            names = self.initialisations(encoder, setting)
            axes.legend(handles=[style.handle(name) for name in names], fontsize=8, loc="best", handlelength=3)
            self._backgrounds[key] = pixels(figure), (axes.get_xlim(), axes.get_ylim())
        return self._backgrounds[key]

    def first_run(self, state: SizeState) -> str | None:
        """The name of the first trial with this state, whose prediction is shown; None when there is none."""
        columns = ("encoder", "images", "initialisation", "setting")
        chosen = self._runs(**{column: getattr(state, column) for column in columns})
        return None if chosen.empty else str(chosen.sort_values("trial")["name"].iloc[0])

    def _runs(self, **wanted):
        """Trials that did not diverge: the others have no confusion matrices."""
        chosen = self.results.metrics[self.results.metrics["diverged_at"].isna()]
        for column, value in wanted.items():
            chosen = chosen[chosen[column] == value]
        return chosen


def first_state(held: SizeResults) -> SizeState:
    """Where the panel starts: the study's main size, the last initialisation."""
    encoder = held.encoders[0]
    setting = held.settings(encoder)[0]
    sizes, base = held.sizes(encoder, setting), held.results.base_images
    start = held.initialisations(encoder, setting)[-1]
    return SizeState(encoder, base if base in sizes else sizes[0], start, setting, METRICS[0], 0)


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


@style.styled
def training_size_figure(state: SizeState, held: SizeResults) -> Figure:
    """Image, truth and prediction of one run side by side, and the curve over sizes with the current point ringed.

    What stands still while a slider moves, the curve with its axes, is drawn once and pasted; nothing here has axes of
    its own, since matplotlib spends more time on their ticks than on everything else.
    """
    figure = Figure(figsize=SIZE, dpi=DPI)
    background, limits = held.background(state.encoder, state.setting, state.metric)
    figure.add_artist(Paste(background))
    examples, labels, run = held.results.examples, held.results.label_set, held.first_run(state)
    predicted = examples.predictions[run][state.example] if run else np.full_like(examples.truth[0], VOID)
    title = f"{state.initialisation}, {state.setting}, {state.images} images" if run else "not run"
    add_picture(figure, 0, examples.images[state.example].transpose(1, 2, 0), "image")
    add_picture(figure, 1, labels.colour(examples.truth[state.example]), "truth")
    add_picture(figure, 2, labels.colour(predicted), f"prediction: {title}")
    _here(figure, state, held.scores(state.encoder, state.setting), limits)
    return figure


def fitted(picture: np.ndarray, place: tuple[int, int] = PICTURE) -> np.ndarray:
    """A picture (H W or H W 3) enlarged or reduced to its place (width, height) in a panel, by nearest pixels."""
    height, width = picture.shape[:2]
    factor = min(place[0] / width, place[1] / height)
    rows, columns = ((np.arange(int(n * factor)) / factor).astype(int) for n in (height, width))
    return picture[rows[:, None], columns]


def add_picture(figure: Figure, column: int, picture: np.ndarray, title: str, room=PICTURE) -> None:
    """Hang a picture (H W 3, uint8) into one of three columns at the top, as large as `room` (pixels) allows."""
    shown, (width, height) = fitted(picture, room), (figure.bbox.width, figure.bbox.height)
    left = (column + 0.5) * width / 3 - shown.shape[1] / 2
    top = height - 24
    figure.add_artist(Paste(shown, left, top - shown.shape[0]))
    figure.text((column + 0.5) / 3, (top + 5) / height, title, fontsize=9, ha="center")


def _here(figure: Figure, state: SizeState, scores, limits) -> None:
    """Mark the current size, and ring and name the current point; `limits` are those of the curve's axes."""
    here = scores[(scores["images"] == state.images) & (scores["initialisation"] == state.initialisation)]
    mean = here[state.metric].mean() * style.scale(state.metric)
    mark(figure, limits, state.images, mean, state.initialisation, scores["initialisation"].unique())
    counted = f"{int(scores['validation'].iloc[0])} validation images, {here[state.metric].count()} trials"
    value = "no result" if np.isnan(mean) else f"{mean:.1f} %"
    write(figure, f"{state.initialisation}, {state.images} images: {value}  ({counted})")


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


def write(figure: Figure, text: str) -> None:
    """A line above the curve."""
    figure.text(CURVE[0], CURVE[1] + CURVE[3] + 0.015, text, fontsize=9)
