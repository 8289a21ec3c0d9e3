"""Controls around the panels: ipywidgets that read a state, draw it as a pure function does, and show one PNG."""

from abc import ABC, abstractmethod
from base64 import b64encode
from itertools import chain

import ipywidgets
from matplotlib.figure import Figure

from depthseg_lib.analysis.results import Results
from depthseg_lib.panels.training_size import METRICS, SizeResults, SizeState, first_state, training_size_figure
from depthseg_lib.plots import style
from depthseg_lib.plots.saving import png_bytes

_LABELLED = {"style": {"description_width": "initial"}, "layout": {"width": "380px"}}


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

    def values(self, *names: str) -> dict:
        """The values of the controls of these names."""
        return {name: getattr(self, name).value for name in names}

    def _repr_mimebundle_(self, **kwargs) -> dict:
        """The controls, and the picture alone for readers of the executed notebook, where there is no kernel."""
        return self.box._repr_mimebundle_(**kwargs) | {"image/png": b64encode(self.picture.value).decode()}


class TrainingSizePanel(Panel):
    """Sliders over size, initialisation, setting, metric, image and encoder."""

    def __init__(self, results: Results):
        self.held = SizeResults(results)
        self.state = first_state(self.held)
        here = self.state.encoder, self.state.setting
        self.size = slider("training images", self.held.sizes(*here), self.state.images)
        self.initialisation = buttons("start", self.held.initialisations(*here), self.state.initialisation)
        self.setting = buttons("setting", self.held.settings(self.state.encoder), self.state.setting)
        self.encoder = buttons("encoder", self.held.encoders, self.state.encoder)
        self.metric = metrics(METRICS)
        self.example = numbers("image", len(results.examples.indices))
        self._draw_backgrounds()
        rows = [self.size, self.example], [self.initialisation], [self.setting, self.metric]
        super().__init__(*rows, *([[self.encoder]] if len(self.held.encoders) > 1 else []))

    def figure(self) -> Figure:
        """What was run with the chosen encoder in the chosen setting, at the chosen size."""
        offer(self.setting, self.held.settings(self.encoder.value))
        here = self.encoder.value, self.setting.value
        offer(self.size, self.held.sizes(*here))
        offer(self.initialisation, self.held.initialisations(*here))
        chosen = self.values("encoder", "initialisation", "setting", "metric", "example")
        self.state = SizeState(images=self.size.value, **chosen)
        return training_size_figure(self.state, self.held)

    def _draw_backgrounds(self) -> None:
        """Now, so that no later move of a control waits for it."""
        for encoder in self.held.encoders:
            for setting in self.held.settings(encoder):
                for metric in METRICS:
                    self.held.background(encoder, setting, metric)


def training_size_panel(results: Results) -> TrainingSizePanel:
    """The panel of notebook 04; it shows itself."""
    return TrainingSizePanel(results)


def slider(name: str, options: list, value) -> ipywidgets.SelectionSlider:
    """A slider over a few values that moves the picture when it is let go."""
    return ipywidgets.SelectionSlider(
        options=options, value=value, description=name, continuous_update=False, **_LABELLED
    )


def numbers(name: str, count: int) -> ipywidgets.IntSlider:
    """A slider over 0 to count - 1 that moves the picture when it is let go."""
    return ipywidgets.IntSlider(0, 0, count - 1, description=name, continuous_update=False, **_LABELLED)


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
