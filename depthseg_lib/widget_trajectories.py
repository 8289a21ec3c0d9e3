"""Controls around the trajectory panel: iteration, initialisation, metric, setting and encoder."""

from matplotlib.figure import Figure

from depthseg_lib.analysis.results import Results
from depthseg_lib.panels.panel import Panel, buttons, metrics, offer, slider
from depthseg_lib.panels.trajectories import TrajectoryResults, TrajectoryState, first_state, trajectory_figure
from depthseg_lib.plots.trajectories import SUBSETS


class TrajectoryPanel(Panel):
    """A slider over the iterations and choices of what is drawn."""

    def __init__(self, results: Results):
        self.held = TrajectoryResults(results)
        self.state = first_state(self.held)
        self.encoder = buttons("encoder", self.held.encoders, self.state.encoder)
        self.setting = buttons("setting", self.held.settings(self.state.encoder), self.state.setting)
        self.initialisation = buttons("start", self._initialisations(), self.state.initialisation)
        self.metric = metrics(tuple(SUBSETS))
        self.iteration = slider("iteration", self._iterations(), self.state.iteration)
        super().__init__([self.iteration, self.metric], [self.initialisation], [self.setting, self.encoder])

    def figure(self) -> Figure:
        """What was run with the chosen encoder and setting, up to the chosen iteration."""
        offer(self.setting, self.held.settings(self.encoder.value))
        offer(self.initialisation, self._initialisations())
        offer(self.iteration, self._iterations(), last=True)
        chosen = self.values("encoder", "setting", "initialisation", "metric", "iteration")
        self.state = TrajectoryState(**chosen)
        return trajectory_figure(self.state, self.held)

    def _initialisations(self) -> list[str]:
        return self.held.initialisations(self.encoder.value, self.setting.value)

    def _iterations(self) -> list[int]:
        return self.held.iterations(self.encoder.value, self.setting.value)


def trajectory_panel(results: Results) -> TrajectoryPanel:
    """The panel of notebook 07; it shows itself."""
    return TrajectoryPanel(results)
