"""Controls around the resize-factor panel: ipywidgets that read a state, draw it by a pure function, show a PNG."""

from base64 import b64encode

import ipywidgets

from depthseg_lib.measured_rescaling import Rescaling
from depthseg_lib.panel_rescaling import RescalingResults, RescalingState, first_state, rescaling_figure
from depthseg_lib.panels import METRICS
from depthseg_lib.plots import style
from depthseg_lib.results import Results
from depthseg_lib.saved import png_bytes
from depthseg_lib.widgets import buttons, slider


class RescalingPanel:
    """A slider over the resize factor, pickers of image, initialisation, metric and encoder; the picture is one PNG."""

    def __init__(self, results: Results, rescaling: Rescaling):
        self.held = RescalingResults(results, rescaling)
        self.state = first_state(self.held)
        examples = self.held.rescaling.predictions[next(iter(rescaling.predictions))].shape[1]
        self.factor = slider("resize factor", [(f"{f:.2g}", f) for f in self.held.factors], self.state.factor)
        self.example = slider("image", list(range(examples)), self.state.example)
        self.initialisation = buttons("start", self.held.initialisations(self.state.encoder), self.state.initialisation)
        self.metric = ipywidgets.Dropdown(options=[(style.METRICS[m], m) for m in METRICS], description="metric")
        self.encoder = ipywidgets.Dropdown(options=self.held.encoders, description="encoder")
        self.picture = ipywidgets.Image(format="png", width=960)
        for name in ("factor", "example", "initialisation", "metric", "encoder"):
            getattr(self, name).observe(lambda _: self.update(), "value")
        for encoder in self.held.encoders:  # drawn now, so that no later move of a control waits for it
            for metric in METRICS:
                self.held.background(encoder, metric)
        self.update()
        rows = [[self.factor, self.example], [self.initialisation], [self.metric, self.encoder]]
        self.box = ipywidgets.VBox([*map(ipywidgets.HBox, rows), self.picture])

    def update(self) -> None:
        """Read the controls, offer the initialisations of the chosen encoder, and draw."""
        names = self.held.initialisations(self.encoder.value)
        if list(self.initialisation.options) != names:
            kept = self.initialisation.value if self.initialisation.value in names else names[-1]
            self.initialisation.options = names
            self.initialisation.value = kept
        chosen = (self.encoder, self.initialisation, self.factor, self.metric, self.example)
        self.state = RescalingState(*(control.value for control in chosen))
        self.picture.value = png_bytes(rescaling_figure(self.state, self.held))

    def _repr_mimebundle_(self, **kwargs) -> dict:
        """The controls, and the picture alone for readers of the executed notebook, where there is no kernel."""
        return self.box._repr_mimebundle_(**kwargs) | {"image/png": b64encode(self.picture.value).decode()}


def rescaling_panel(results: Results, rescaling: Rescaling) -> RescalingPanel:
    """The panel of notebook 06; it shows itself."""
    return RescalingPanel(results, rescaling)
