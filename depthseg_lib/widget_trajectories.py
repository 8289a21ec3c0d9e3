"""Controls around the trajectory panel: iteration, initialisation, metric, setting and encoder."""

from base64 import b64encode

import ipywidgets

from depthseg_lib.panel_trajectories import TrajectoryResults, TrajectoryState, first_state, trajectory_figure
from depthseg_lib.plots import style
from depthseg_lib.plots.trajectories import SUBSETS
from depthseg_lib.results import Results
from depthseg_lib.saved import png_bytes


class TrajectoryPanel:
    """A slider over the iterations and choices of what is drawn; the picture is one PNG that is replaced whole."""

    def __init__(self, results: Results):
        self.held = TrajectoryResults(results)
        self.state = first_state(self.held)
        self.encoder = _buttons("encoder", self.held.encoders, self.state.encoder)
        self.setting = _buttons("setting", self.held.settings(self.state.encoder), self.state.setting)
        self.initialisation = _buttons("start", self._initialisations(), self.state.initialisation)
        options = [(style.METRICS[metric], metric) for metric in SUBSETS]
        self.metric = ipywidgets.Dropdown(options=options, description="metric")
        self.iteration = ipywidgets.SelectionSlider(
            options=self._iterations(), value=self.state.iteration, description="iteration", continuous_update=False
        )
        self.iteration.layout.width = "480px"
        self.picture = ipywidgets.Image(format="png", width=960)
        for name in ("encoder", "setting", "initialisation", "metric", "iteration"):
            getattr(self, name).observe(lambda _: self.update(), "value")
        self.update()
        rows = [[self.iteration, self.metric], [self.initialisation], [self.setting, self.encoder]]
        self.box = ipywidgets.VBox([*map(ipywidgets.HBox, rows), self.picture])

    def update(self) -> None:
        """Read the controls, offer what was run with the chosen encoder and setting, and draw."""
        _offer(self.setting, self.held.settings(self.encoder.value))
        _offer(self.initialisation, self._initialisations())
        _offer(self.iteration, self._iterations(), last=True)
        names = ("encoder", "setting", "initialisation", "metric", "iteration")
        self.state = TrajectoryState(**{name: getattr(self, name).value for name in names})
        self.picture.value = png_bytes(trajectory_figure(self.state, self.held))

    def _initialisations(self) -> list[str]:
        return self.held.initialisations(self.encoder.value, self.setting.value)

    def _iterations(self) -> list[int]:
        return self.held.iterations(self.encoder.value, self.setting.value)

    def _repr_mimebundle_(self, **kwargs) -> dict:
        """The controls, and the picture alone for readers of the executed notebook, where there is no kernel."""
        return self.box._repr_mimebundle_(**kwargs) | {"image/png": b64encode(self.picture.value).decode()}


def trajectory_panel(results: Results) -> TrajectoryPanel:
    """The panel of notebook 07; it shows itself."""
    return TrajectoryPanel(results)


def _offer(control, options: list, last: bool = False) -> None:
    """Give a control other options, keeping its value where it is among them."""
    if list(control.options) == options:
        return
    kept = control.value if control.value in options else options[-1 if last else 0]
    with control.hold_trait_notifications():
        control.options = options
        control.value = kept


def _buttons(name: str, options: list[str], value: str) -> ipywidgets.ToggleButtons:
    widths = {"button_width": "auto", "description_width": "60px"}
    return ipywidgets.ToggleButtons(options=options, value=value, description=name, style=widths)
