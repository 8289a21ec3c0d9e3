"""The picture of the trajectory panel: a pure function from what the controls say to a Figure, built for speed."""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from depthseg_lib.analysis.learning_curves import PREFIX, class_shares
from depthseg_lib.analysis.results import Results
from depthseg_lib.data.labels import VOID
from depthseg_lib.panels import panel
from depthseg_lib.panels.panel import Panel, ShownRuns
from depthseg_lib.plots import style
from depthseg_lib.plots.trajectories import SUBSETS, trajectory_axes
from depthseg_lib.settings import encoder_name

SIZE = (9.6, 6.0)
COURSE, CLASSES = (0.07, 0.1, 0.45, 0.58), (0.665, 0.1, 0.315, 0.58)
"""The figure in inches, and the places of the course and of the classes in it: left, bottom, width, height."""


@dataclass(frozen=True)
class TrajectoryState:
    """What the controls of the trajectory panel say."""

    encoder: str
    """One of the encoders that were run."""
    setting: str
    """full, frozen, encoder-only or deeplab."""
    initialisation: str
    """Whose classes are shown."""
    metric: str
    """miou_occurring or miou_seven: what pixel accuracy is drawn against."""
    iteration: int
    """The evaluation that is marked."""
    example: int
    """Which of the stored validation images, from 0."""


class TrajectoryResults(ShownRuns):
    """What the panel draws from: means over trials at each evaluation. `Results` go in."""

    def __init__(self, results: Results):
        super().__init__(results.history)
        self.results = results

    @cached_property
    def shares(self) -> pd.Series:
        """Each class's share of the labelled pixels, largest first."""
        return class_shares(self.results.confusion, self.results.label_set)

    @cached_property
    def means(self) -> pd.DataFrame:
        """Metrics and IoU per class by encoder, setting, initialisation and iteration."""
        values = [*SUBSETS, "accuracy", *(PREFIX + name for name in self.shares.index)]
        by = ["encoder", "setting", "initialisation", "iteration"]
        return self.rows.groupby(by, observed=True)[values].mean().sort_index()

    def iterations(self, encoder: str, setting: str) -> list[int]:
        """Iterations at which these runs were evaluated."""
        return self.numbers("iteration", encoder, setting)

    def shown(self, state: TrajectoryState) -> tuple[int, np.ndarray] | None:
        """What the first trial of these runs predicted for the example (H W class indices) at the stored iteration next
        to the chosen one, and that iteration; None where nothing is stored."""
        rows = self.of(state.encoder, state.setting)
        course = self.results.examples.course
        names = [n for n in rows.loc[rows["initialisation"] == state.initialisation, "name"].unique() if n in course]
        if not names:
            return None
        nearest = min(course[names[0]], key=lambda iteration: abs(iteration - state.iteration))
        return nearest, course[names[0]][nearest][state.example]

    @cache
    @style.styled
    def background(self, encoder: str, setting: str, metric: str) -> tuple[np.ndarray, tuple]:
        """What stands still: the courses and the axes of the classes, as pixels (H W 3, uint8), and the limits."""
        figure = Figure(figsize=SIZE, dpi=panel.DPI)
        course, rows = figure.add_axes(COURSE), self.of(encoder, setting)
        trajectory_axes(course, rows[rows["iteration"] > 0], metric)
        panel.name_lines(course, self.initialisations(encoder, setting))
        axes = figure.add_axes(CLASSES)
        labels = [f"{name}, {100 * share:.2g} %" for name, share in self.shares.items()]
        axes.set(xlim=(0, 100), ylim=(len(labels) - 0.5, -0.5), xlabel="IoU (%)")
        axes.set_yticks(range(len(labels)), labels, fontsize=8)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        return panel.pixels(figure), (course.get_xlim(), course.get_ylim())


def first_state(held: TrajectoryResults) -> TrajectoryState:
    """Where the panel starts: the last initialisation at the end of training, mIoU over the classes that occur."""
    encoder = held.encoders[0]
    setting = held.settings(encoder)[0]
    last = held.iterations(encoder, setting)[-1]
    return TrajectoryState(encoder, setting, held.initialisations(encoder, setting)[-1], SUBSETS[0], last, 0)


@style.styled
def trajectory_figure(state: TrajectoryState, held: TrajectoryResults) -> Figure:
    """Where every initialisation stands at an iteration, ringed on its course, and the IoU of each class beside.

    Bars are the chosen initialisation's classes, from the one with most pixels; small marks are the others'.
    Above is what it predicts for an image. At iteration 0 no course has begun, and there are no rings.
    """
    figure = Figure(figsize=SIZE, dpi=panel.DPI)
    background, limits = held.background(state.encoder, state.setting, state.metric)
    figure.add_artist(panel.Paste(background))
    value = "no evaluation"
    for name in held.initialisations(state.encoder, state.setting):
        key = (state.encoder, state.setting, name, state.iteration)
        if key in held.means.index:
            here, chosen = held.means.loc[key], name == state.initialisation
            if chosen:
                value = f"mIoU {100 * here[state.metric]:.1f} %, pixel accuracy {100 * here['accuracy']:.1f} %"
            if state.iteration > 0:
                _ring(figure, name, here[state.metric], here["accuracy"], limits, chosen)
            _classes(figure, name, here[[PREFIX + c for c in held.shares.index]].to_numpy(float), chosen)
    where = f"{state.initialisation}, {encoder_name(state.encoder)}, {state.setting}, iteration {state.iteration}"
    figure.text(COURSE[0], 0.735, f"{where}: {value}", fontsize=9)
    figure.text(CLASSES[0], 0.695, "share of pixels beside the class", fontsize=8, color=style.GREY)
    examples, colour, shown = held.results.examples, held.results.label_set.colour, held.shown(state)
    title = f"prediction: {state.initialisation}, iteration {shown[0]}" if shown else "no prediction is stored"
    prediction = shown[1] if shown else np.full_like(examples.truth[0], VOID)
    panel.add_picture(figure, 0, panel.fitted(examples.images[state.example].transpose(1, 2, 0)), "image")
    panel.add_picture(figure, 1, panel.fitted(colour(examples.truth[state.example])), "truth")
    panel.add_picture(figure, 2, panel.fitted(colour(prediction)), title)
    return figure


def _ring(figure: Figure, name: str, miou: float, accuracy: float, limits: tuple, chosen: bool) -> None:
    (left, bottom, width, height), ((low, high), (floor, ceiling)) = COURSE, limits
    x = left + width * (100 * miou - low) / (high - low)
    y = bottom + height * (100 * accuracy - floor) / (ceiling - floor)
    size, line = (15, 2.2) if chosen else (10, 1.2)
    look = dict(markerfacecolor="none", markeredgecolor=style.LOOK[name][0], markeredgewidth=line)
    figure.add_artist(Line2D([x], [y], marker="o", markersize=size, **look))


def _classes(figure: Figure, name: str, values: np.ndarray, chosen: bool) -> None:
    (left, bottom, width, height), (colour, _, marker) = CLASSES, style.LOOK[name]
    row = height / len(values)
    for place, value in enumerate(values):
        if np.isnan(value):
            continue
        y = bottom + height - (place + 0.5) * row
        if chosen:
            bar = Rectangle((left, y - 0.36 * row), width * value, 0.72 * row, color=colour, alpha=0.55, linewidth=0)
            figure.add_artist(bar)
        else:
            look = dict(markersize=4, markerfacecolor=colour, markeredgecolor="white", markeredgewidth=0.4)
            figure.add_artist(Line2D([left + width * value], [y], marker=marker, **look))


class TrajectoryPanel(Panel):
    """The panel of notebook 07: a slider over the iterations and choices of what is drawn."""

    def __init__(self, results: Results):
        self.held = TrajectoryResults(results)
        self.state = first_state(self.held)
        self.encoder = panel.buttons("encoder", self.held.encoders, self.state.encoder)
        self.setting = panel.buttons("setting", self.held.settings(self.state.encoder), self.state.setting)
        here = self.state.encoder, self.state.setting
        self.initialisation = panel.buttons("start", self.held.initialisations(*here), self.state.initialisation)
        self.metric = panel.metrics(SUBSETS)
        self.iteration = panel.slider("iteration", self.held.iterations(*here), self.state.iteration)
        self.example = panel.numbers("image", len(results.examples.indices))
        rows = [self.iteration, self.example], [self.initialisation], [self.setting, self.encoder, self.metric]
        super().__init__(*rows)

    def figure(self) -> Figure:
        """What was run with the chosen encoder and setting, up to the chosen iteration."""
        panel.offer(self.setting, self.held.settings(self.encoder.value))
        here = self.encoder.value, self.setting.value
        panel.offer(self.initialisation, self.held.initialisations(*here))
        panel.offer(self.iteration, self.held.iterations(*here), last=True)
        self.state = self.read(TrajectoryState)
        return trajectory_figure(self.state, self.held)
