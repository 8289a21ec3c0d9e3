"""Controls around the activation panel: image, layer, initialisation, encoder, and the label borders on or off."""

import ipywidgets
from matplotlib.figure import Figure

from depthseg_lib.analysis.measurements.activations import Activations
from depthseg_lib.analysis.results import Results
from depthseg_lib.panels.activations import ActivationResults, ActivationState, activation_figure, first_state
from depthseg_lib.panels.panel import Panel, buttons, numbers, offer


class ActivationPanel(Panel):
    """Pickers of image, layer, initialisation and encoder."""

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
        self.state = ActivationState(**self.values("encoder", "initialisation", "layer", "example", "borders"))
        return activation_figure(self.state, self.held)


def activation_panel(results: Results, activations: Activations) -> ActivationPanel:
    """The panel of notebook 05; it shows itself."""
    return ActivationPanel(results, activations)
