"""The picture of the resize-factor panel: a pure function from what the controls say to a Figure, built for speed."""

from dataclasses import dataclass
from functools import cache
from itertools import product

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from depthseg_lib.analysis.measurements.rescaling import METRICS, Rescaling
from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.statistics import INTERVAL, mean_interval
from depthseg_lib.data.resize import rescaled
from depthseg_lib.panels import panel
from depthseg_lib.panels.panel import Panel, Shown
from depthseg_lib.plots import style
from depthseg_lib.plots.against import FACTORS_APART, factor_axes


@dataclass(frozen=True)
class RescalingState:
    """What the controls of the resize-factor panel say."""

    encoder: str
    """One of the encoders with predictions."""
    initialisation: str
    """One of its initialisations with predictions."""
    factor: float
    """One of the resize factors."""
    metric: str
    """miou_seven, miou or accuracy."""
    example: int
    """Which of the validation images with predictions, from 0."""


class RescalingResults(Shown):
    """What the panel draws from; curves are drawn once."""

    def __init__(self, results: Results, rescaling: Rescaling):
        self.results, self.shown, self.rescaling, self.factors = results, rescaling.shown, rescaling, rescaling.factors

    def scores(self, encoder: str) -> pd.DataFrame:
        """A row per run of the encoder and factor."""
        return self.rescaling.scores[self.rescaling.scores["encoder"] == encoder]

    def predicted(self, state: RescalingState) -> np.ndarray:
        """Predicted classes (H W) of the state's image at its factor."""
        run = self.rescaling.shown[state.encoder, state.initialisation]
        return self.rescaling.predictions[run][self.factors.index(state.factor), state.example]

    @cache
    @style.styled
    def background(self, encoder: str, metric: str) -> tuple[np.ndarray, tuple]:
        """The curve of an encoder and metric as pixels (H W 3, uint8), with its axes' limits."""
        figure = Figure(figsize=panel.SIZE, dpi=panel.DPI)
        axes = figure.add_axes(panel.CURVE)
        factor_axes(axes, self.scores(encoder), metric)
        panel.name_lines(axes, self.scores(encoder)["initialisation"])
        return panel.pixels(figure), (axes.get_xlim(), axes.get_ylim())


def first_state(held: RescalingResults) -> RescalingState:
    """Where the panel starts: the last initialisation, on images as trained."""
    encoder = held.encoders[0]
    return RescalingState(encoder, held.initialisations(encoder)[-1], 1.0, METRICS[0], 0)


@style.styled
def rescaling_figure(state: RescalingState, held: RescalingResults) -> Figure:
    """The image at the state's factor, one run's prediction of it, the truth, and the curve with this point ringed.

    The image is as large beside those of other factors as the network sees it, the others have the labels' size.
    """
    figure = Figure(figsize=panel.SIZE, dpi=panel.DPI)
    examples, colour = held.results.examples, held.results.label_set.colour
    background, limits = held.background(state.encoder, state.metric)
    figure.add_artist(panel.Paste(background))
    image = rescaled(examples.images[state.example], state.factor)
    room = tuple(state.factor / held.factors[-1] * side for side in panel.PICTURE)
    size = f"image, {image.shape[1]} x {image.shape[2]} pixels"
    panel.add_picture(figure, 0, panel.fitted(image.transpose(1, 2, 0), room), size)
    title = f"prediction: {state.initialisation}, factor {state.factor:.2g}"
    panel.add_picture(figure, 1, panel.fitted(colour(held.predicted(state))), title)
    panel.add_picture(figure, 2, panel.fitted(colour(examples.truth[state.example])), "truth")
    scores = held.scores(state.encoder)
    here = scores[(scores["factor"] == state.factor) & (scores["initialisation"] == state.initialisation)]
    mean = mean_interval(here[state.metric] * style.scale(state.metric))
    names = scores["initialisation"].unique()
    panel.mark(figure, limits, state.factor, mean.mean, state.initialisation, names, FACTORS_APART)
    text = f"{state.initialisation}, factor {state.factor:.2g}: {mean.mean:.1f} %"
    if mean.trials > 1:
        text += f" [{mean.low:.1f}, {mean.high:.1f}], {INTERVAL}"
    counted = f"{here['scored'].iloc[0]} validation images, {mean.trials} trial{'s' if mean.trials != 1 else ''}"
    panel.write(figure, f"{text}  ({counted})")
    return figure


class RescalingPanel(Panel):
    """The panel of notebook 06: a slider over the resize factor, image, initialisation, metric and encoder beside."""

    def __init__(self, results: Results, rescaling: Rescaling):
        self.held = RescalingResults(results, rescaling)
        self.state = first_state(self.held)
        self.factor = panel.slider("resize factor", [(f"{f:.2g}", f) for f in self.held.factors], self.state.factor)
        self.example = panel.numbers("image", rescaling.predictions[next(iter(rescaling.predictions))].shape[1])
        starts = self.held.initialisations(self.state.encoder)
        self.initialisation = panel.buttons("start", starts, self.state.initialisation)
        self.metric = panel.metrics(METRICS)
        self.encoder = ipywidgets.Dropdown(options=self.held.encoders, description="encoder")
        for encoder, metric in product(self.held.encoders, METRICS):  # now: no later move waits for it
            self.held.background(encoder, metric)
        super().__init__([self.factor, self.example], [self.initialisation], [self.metric, self.encoder])

    def figure(self) -> Figure:
        """The initialisations of the chosen encoder, and the chosen one's prediction at the chosen factor."""
        panel.offer(self.initialisation, self.held.initialisations(self.encoder.value), last=True)
        self.state = self.read(RescalingState)
        return rescaling_figure(self.state, self.held)
