"""Controls around the activation panel: ipywidgets that read a state, draw it as a pure function does, show one PNG."""

from base64 import b64encode

import ipywidgets

from depthseg_lib.measured_activations import Activations
from depthseg_lib.panel_activations import ActivationResults, ActivationState, activation_figure, first_state
from depthseg_lib.results import Results
from depthseg_lib.saved import png_bytes
from depthseg_lib.widgets import buttons


class ActivationPanel:
    """Pickers of image, layer, initialisation and encoder; the picture is one PNG that is replaced whole."""

    def __init__(self, results: Results, activations: Activations):
        self.held = ActivationResults(results, activations)
        self.state = first_state(self.held)
        maps = self.held.maps(self.state)
        examples = len(maps[self.state.layer])
        self.example = ipywidgets.IntSlider(0, 0, examples - 1, description="image", continuous_update=False)
        self.layer = buttons("layer", list(maps), self.state.layer)
        self.initialisation = buttons("start", self.held.initialisations(self.state.encoder), self.state.initialisation)
        self.encoder = ipywidgets.Dropdown(options=self.held.encoders, description="encoder")
        self.borders = ipywidgets.Checkbox(self.state.borders, description="true label borders", indent=False)
        self.picture = ipywidgets.Image(format="png", width=960)
        for name in ("example", "layer", "initialisation", "encoder", "borders"):
            getattr(self, name).observe(lambda _: self.update(), "value")
        self.update()
        rows = [[self.example, self.encoder], [self.initialisation], [self.layer, self.borders]]
        self.box = ipywidgets.VBox([*map(ipywidgets.HBox, rows), self.picture])

    def update(self) -> None:
        """Read the controls, offer the initialisations of the chosen encoder, and draw."""
        names = self.held.initialisations(self.encoder.value)
        if list(self.initialisation.options) != names:
            kept = self.initialisation.value if self.initialisation.value in names else names[-1]
            self.initialisation.options = names
            self.initialisation.value = kept
        self.state = ActivationState(
            self.encoder.value,
            self.initialisation.value,
            self.layer.value,
            self.example.value,
            self.borders.value,
        )
        self.picture.value = png_bytes(activation_figure(self.state, self.held))

    def _repr_mimebundle_(self, **kwargs) -> dict:
        """The controls, and the picture alone for readers of the executed notebook, where there is no kernel."""
        return self.box._repr_mimebundle_(**kwargs) | {"image/png": b64encode(self.picture.value).decode()}


def activation_panel(results: Results, activations: Activations) -> ActivationPanel:
    """The panel of notebook 05; it shows itself."""
    return ActivationPanel(results, activations)
