"""Controls around the resize-factor panel: factor, image, initialisation, metric and encoder."""

import ipywidgets
from matplotlib.figure import Figure

from depthseg_lib.analysis.measurements.rescaling import Rescaling
from depthseg_lib.analysis.results import Results
from depthseg_lib.panels.panel import Panel, buttons, metrics, numbers, offer, slider
from depthseg_lib.panels.rescaling import RescalingResults, RescalingState, first_state, rescaling_figure
from depthseg_lib.panels.training_size import METRICS


class RescalingPanel(Panel):
    """A slider over the resize factor, pickers of image, initialisation, metric and encoder."""

    def __init__(self, results: Results, rescaling: Rescaling):
        self.held = RescalingResults(results, rescaling)
        self.state = first_state(self.held)
        self.factor = slider("resize factor", [(f"{f:.2g}", f) for f in self.held.factors], self.state.factor)
        self.example = numbers("image", rescaling.predictions[next(iter(rescaling.predictions))].shape[1])
        self.initialisation = buttons("start", self.held.initialisations(self.state.encoder), self.state.initialisation)
        self.metric = metrics(METRICS)
        self.encoder = ipywidgets.Dropdown(options=self.held.encoders, description="encoder")
        for encoder in self.held.encoders:  # drawn now, so that no later move of a control waits for it
            for metric in METRICS:
                self.held.background(encoder, metric)
        super().__init__([self.factor, self.example], [self.initialisation], [self.metric, self.encoder])

    def figure(self) -> Figure:
        """The initialisations of the chosen encoder, and the chosen one's prediction at the chosen factor."""
        offer(self.initialisation, self.held.initialisations(self.encoder.value), last=True)
        self.state = RescalingState(**self.values("encoder", "initialisation", "factor", "metric", "example"))
        return rescaling_figure(self.state, self.held)


def rescaling_panel(results: Results, rescaling: Rescaling) -> RescalingPanel:
    """The panel of notebook 06; it shows itself."""
    return RescalingPanel(results, rescaling)
