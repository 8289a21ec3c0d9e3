"""The picture of the activation panel: a pure function from what the controls say to a Figure, built for speed."""

from dataclasses import dataclass

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from depthseg_lib.analysis.measurements.activations import Activations, boundary_score, label_borders
from depthseg_lib.analysis.results import Results, rows_with
from depthseg_lib.analysis.statistics import INTERVAL, mean_interval
from depthseg_lib.panels.panel import DPI, Panel, Shown, add_picture, buttons, fitted, numbers, offer
from depthseg_lib.plots import style
from depthseg_lib.plots.activation_maps import coloured

SIZE = (9.6, 3.95)
PLACE = (468, 156)
"""Figure size in inches, and the pixels that each of the four pictures may take."""
_BORDER = (110, 200, 255)


@dataclass(frozen=True)
class ActivationState:
    """What the controls of the activation panel say."""

    encoder: str
    """One of the encoders with maps."""
    initialisation: str
    """One of its initialisations with maps."""
    layer: str
    """stem, layer1, ... layer4."""
    example: int
    """Which of the validation images with maps, from 0."""
    borders: bool
    """Whether the true label borders are drawn into the map."""


class ActivationResults(Shown):
    """What the panel draws from."""

    def __init__(self, results: Results, activations: Activations):
        self.results, self.shown, self.activations = results, activations.shown, activations
        self.scores = activations.boundary_scores()

    def maps(self, state: ActivationState) -> dict[str, np.ndarray]:
        """The maps of the state's run by layer."""
        return self.activations.maps[self.run(state)]

    def run(self, state: ActivationState) -> str:
        """The name of the run whose maps are shown."""
        return self.activations.shown[state.encoder, state.initialisation]


def first_state(held: ActivationResults) -> ActivationState:
    """Where the panel starts: the last initialisation, at the layer where the paper looks."""
    encoder = held.encoders[0]
    return ActivationState(encoder, held.initialisations(encoder)[-1], "stem", 0, False)


@style.styled
def activation_figure(state: ActivationState, held: ActivationResults) -> Figure:
    """Image, truth, prediction and activation map of one run, with the boundary score of this map and the mean."""
    figure, examples = Figure(figsize=SIZE, dpi=DPI), held.results.examples
    image, truth = examples.images[state.example], examples.truth[state.example]
    predicted, activation = examples.predictions[held.run(state)], held.maps(state)[state.layer][state.example]
    colour = held.results.label_set.colour
    pictures = {
        "image": fitted(image.transpose(1, 2, 0), PLACE),
        "truth": fitted(colour(truth), PLACE),
        f"prediction: {state.initialisation}": fitted(colour(predicted[state.example]), PLACE),
        f"activation: {state.layer}": _map(activation, truth, state.borders),
    }
    for place, (title, shown) in enumerate(pictures.items()):
        add_picture(figure, place % 2, shown, title, columns=2, below=22 + place // 2 * (PLACE[1] + 26), gap=4)
    here, number = boundary_score(activation, truth), "{:.2f}".format
    same = {column: getattr(state, column) for column in ("encoder", "initialisation", "layer")}
    mean = mean_interval(rows_with(held.scores, same)["ratio"])
    this = "a map of zeros, or no borders" if np.isnan(here) else number(here)
    text = f"boundary score of this map: {this};  of {state.initialisation} at {state.layer}: {number(mean.mean)}"
    if mean.trials > 1:
        text += f" [{number(mean.low)}, {number(mean.high)}], {INTERVAL}"
    trials = f"{mean.trials} trial{'s' if mean.trials != 1 else ''}"
    figure.text(0.01, 0.015, f"{text}, {trials}  (1: indifferent to borders)", fontsize=9)
    return figure


def _map(activation: np.ndarray, truth: np.ndarray, borders: bool) -> np.ndarray:
    labels = fitted(truth, PLACE)
    shown = coloured(activation, *labels.shape)
    if borders:  # of the enlarged labels: lines of two pixels, however small the image is
        shown[label_borders(labels)] = _BORDER
    return shown


class ActivationPanel(Panel):
    """The panel of notebook 05: pickers of image, layer, initialisation and encoder."""

    def __init__(self, results: Results, activations: Activations):
        self.held = ActivationResults(results, activations)
        self.state = first_state(self.held)
        maps = self.held.maps(self.state)
        self.example = numbers("image", len(maps[self.state.layer]))
        self.layer = buttons("layer", list(maps), self.state.layer)
        self.initialisation = buttons("start", self.held.initialisations(self.state.encoder), self.state.initialisation)
        self.encoder = ipywidgets.Dropdown(options=self.held.encoders, description="encoder")
        self.borders = ipywidgets.Checkbox(self.state.borders, description="true label borders", indent=False)
        super().__init__([self.example, self.encoder], [self.initialisation], [self.layer, self.borders])

    def figure(self) -> Figure:
        """The initialisations of the chosen encoder, and the chosen one's map."""
        offer(self.initialisation, self.held.initialisations(self.encoder.value), last=True)
        self.state = self.read(ActivationState)
        return activation_figure(self.state, self.held)
