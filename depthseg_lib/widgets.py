"""Controls around the panels: ipywidgets that read a state, draw it as a pure function does, and show one PNG."""

from base64 import b64encode
from dataclasses import replace

import ipywidgets

from depthseg_lib.panels import METRICS, SizeResults, first_state, training_size_figure
from depthseg_lib.plots import style
from depthseg_lib.results import Results
from depthseg_lib.saved import png_bytes

_LABELLED = {"style": {"description_width": "initial"}, "layout": {"width": "380px"}}


class TrainingSizePanel:
    """Sliders over size, initialisation, setting, metric and image; the picture is one PNG that is replaced whole."""

    def __init__(self, results: Results):
        self.held = SizeResults(results)
        self.state = first_state(self.held)
        examples = len(results.examples.indices)
        self.size = slider("training images", self.held.sizes(self.state.setting), self.state.images)
        self.initialisation = buttons("start", self.held.initialisations(self.state.setting), self.state.initialisation)
        self.setting = buttons("setting", self.held.settings, self.state.setting)
        self.metric = ipywidgets.Dropdown(options=[(style.METRICS[m], m) for m in METRICS], description="metric")
        self.example = ipywidgets.IntSlider(
            0, 0, examples - 1, description="image", continuous_update=False, **_LABELLED
        )
        self.picture = ipywidgets.Image(format="png", width=960)
        for name in ("size", "initialisation", "setting", "metric", "example"):
            getattr(self, name).observe(lambda _: self.update(), "value")
        for setting in self.held.settings:  # drawn now, so that no later move of a control waits for it
            for metric in METRICS:
                self.held.background(setting, metric)
        self.update()
        rows = [[self.size, self.example], [self.initialisation], [self.setting, self.metric]]
        self.box = ipywidgets.VBox([*map(ipywidgets.HBox, rows), self.picture])

    def update(self) -> None:
        """Read the controls, offer what was run in the chosen setting, and draw."""
        sizes, names = self.held.sizes(self.setting.value), self.held.initialisations(self.setting.value)
        if list(self.size.options) != sizes:
            kept = self.size.value if self.size.value in sizes else sizes[0]
            self.size.set_trait("index", 0)
            self.size.options, self.size.value = sizes, kept
        if list(self.initialisation.options) != names:
            self.initialisation.options = names
        self.state = replace(
            self.state,
            images=self.size.value,
            initialisation=self.initialisation.value,
            setting=self.setting.value,
            metric=self.metric.value,
            example=self.example.value,
        )
        self.picture.value = png_bytes(training_size_figure(self.state, self.held))

    def _repr_mimebundle_(self, **kwargs) -> dict:
        """The controls, and the picture alone for readers of the executed notebook, where there is no kernel."""
        return self.box._repr_mimebundle_(**kwargs) | {"image/png": b64encode(self.picture.value).decode()}


def training_size_panel(results: Results) -> TrainingSizePanel:
    """The panel of notebook 04; it shows itself."""
    return TrainingSizePanel(results)


def slider(name: str, options: list, value) -> ipywidgets.SelectionSlider:
    """A slider over a few values that moves the picture when it is let go."""
    return ipywidgets.SelectionSlider(
        options=options, value=value, description=name, continuous_update=False, **_LABELLED
    )


def buttons(name: str, options: list, value) -> ipywidgets.ToggleButtons:
    """A row of buttons, one of them pressed."""
    style = {"button_width": "auto", "description_width": "60px"}
    return ipywidgets.ToggleButtons(options=options, value=value, description=name, style=style)
