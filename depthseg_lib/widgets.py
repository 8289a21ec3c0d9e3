"""Panels: a pure function from what the controls say to a Figure, and the ipywidgets around it."""

from dataclasses import dataclass, replace
from functools import cached_property

import ipywidgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.data.labels import VOID
from depthseg_lib.saved import pixels, png_bytes
from depthseg_lib.plots import style
from depthseg_lib.plots.training_size import dodge, size_axes
from depthseg_lib.results import Results
from depthseg_lib.scores import common_scores

METRICS = ("miou_seven", "miou", "accuracy")
DPI = 100
SIZE = (9.6, 4.8)
CURVE = (0.075, 0.105, 0.915, 0.525)
"""Figure size in inches, and where in it the curve stands: the layout is fixed, a solver would cost more than drawing."""


@dataclass(frozen=True)
class SizeState:
    """What the controls of the training-size panel say."""

    images: int
    """Training images."""
    initialisation: str
    """One of the initialisations that were run."""
    setting: str
    """full or frozen."""
    metric: str
    """miou_seven, miou or accuracy."""
    example: int
    """Which of the stored validation images, from 0."""


class SizeResults:
    """What the panel draws from, computed once for each setting; `Results` go in."""

    def __init__(self, results: Results):
        self.results = results
        self._curves = {}
        self._backgrounds = {}

    @cached_property
    def settings(self) -> list[str]:
        """Settings that were run, full first."""
        return sorted(map(str, self.results.metrics["setting"].unique()), key=lambda name: name != "full")

    def sizes(self, setting: str) -> list[int]:
        """Training-set sizes that were run in a setting."""
        metrics = self.results.metrics
        return sorted(int(size) for size in metrics.loc[metrics["setting"] == setting, "images"].unique())

    def initialisations(self, setting: str) -> list[str]:
        """Initialisations that were run in a setting."""
        metrics = self.results.metrics
        return style.present(metrics.loc[metrics["setting"] == setting, "initialisation"])

    def scores(self, setting: str):
        """`scores.common_scores` of a setting."""
        if setting not in self._curves:
            self._curves[setting] = common_scores(self.results.select(setting=setting).confusion, self.results.label_set)
        return self._curves[setting]

    @style.styled
    def background(self, setting: str, metric: str) -> tuple[np.ndarray, tuple]:
        """The curve of a setting and metric as pixels (H W 4, uint8), with its axes' limits."""
        if (setting, metric) not in self._backgrounds:
            figure = Figure(figsize=SIZE, dpi=DPI)
            axes = figure.add_axes(CURVE)
            size_axes(axes, self.scores(setting), metric)
            axes.set_xlabel("annotated training images")
            names = self.initialisations(setting)
            axes.legend(handles=[style.handle(name) for name in names], fontsize=8, loc="best", handlelength=3)
            limits = axes.get_xlim(), axes.get_ylim()
            self._backgrounds[setting, metric] = pixels(figure), limits
        return self._backgrounds[setting, metric]

    def first_run(self, state: SizeState) -> str | None:
        """The name of the first trial with this state, whose prediction is shown; None when there is none."""
        chosen = self.results.metrics
        for column in ("images", "initialisation", "setting"):
            chosen = chosen[chosen[column] == getattr(state, column)]
        return None if chosen.empty else str(chosen.sort_values("trial")["name"].iloc[0])


def first_state(held: SizeResults) -> SizeState:
    """Where the panel starts: the study's main size, the last initialisation."""
    setting = held.settings[0]
    sizes, base = held.sizes(setting), held.results.base_images
    return SizeState(base if base in sizes else sizes[0], held.initialisations(setting)[-1], setting, METRICS[0], 0)


@style.styled
def training_size_figure(state: SizeState, held: SizeResults) -> Figure:
    """Image, truth and prediction of one run, and the curve over sizes with the current point ringed.

    What stands still while a slider moves, the curve with its axes, is drawn once and pasted.
    """
    figure = Figure(figsize=SIZE, dpi=DPI)
    pixels, limits = held.background(state.setting, state.metric)
    figure.figimage(pixels)
    examples, labels, run = held.results.examples, held.results.label_set, held.first_run(state)
    predicted = examples.predictions[run][state.example] if run else np.full_like(examples.truth[0], VOID)
    title = f"{state.initialisation}, {state.setting}, {state.images} images" if run else "not run"
    _picture(figure, 0, examples.images[state.example].transpose(1, 2, 0), "image")
    _picture(figure, 1, labels.colour(examples.truth[state.example]), "truth")
    _picture(figure, 2, labels.colour(predicted), f"prediction: {title}")
    _here(figure.add_axes(CURVE, zorder=1), state, held.scores(state.setting), limits)
    return figure


def _picture(figure: Figure, place: int, pixels: np.ndarray, title: str) -> None:
    axes = figure.add_axes((0.005 + 0.333 * place, 0.715, 0.325, 0.235), zorder=1)
    axes.imshow(pixels, interpolation="nearest")
    axes.set_title(title, fontsize=9, pad=3)
    axes.set_axis_off()


def _here(axes: Axes, state: SizeState, scores, limits) -> None:
    """Mark the current size, and ring and name the current point."""
    here = scores[(scores["images"] == state.images) & (scores["initialisation"] == state.initialisation)]
    mean, place = here[state.metric].mean() * style.scale(state.metric), np.log2(state.images)
    axes.set(xlim=np.log2(limits[0]), ylim=limits[1])
    axes.set_axis_off()
    axes.axvspan(place - 0.25, place + 0.25, color=style.GREY, alpha=0.12, linewidth=0)
    if not np.isnan(mean):
        shift = np.log2(dodge(state.initialisation, scores["initialisation"]))
        axes.plot(place + shift, mean, "o", markersize=15, markerfacecolor="none", markeredgewidth=2,
                  markeredgecolor=style.LOOK[state.initialisation][0])  # fmt: skip
    counted = f"{int(scores['validation'].iloc[0])} validation images, {here[state.metric].count()} trials"
    value = "no result" if np.isnan(mean) else f"{mean:.1f} %"
    axes.set_title(f"{state.initialisation}, {state.images} images: {value}  ({counted})", loc="left", fontsize=9)


class TrainingSizePanel:
    """Sliders over size, initialisation, setting, metric and image; the picture is one PNG that is replaced whole."""

    def __init__(self, results: Results):
        self.held = SizeResults(results)
        self.state = first_state(self.held)
        examples = len(results.examples.indices)
        self.size = _slider("training images", self.held.sizes(self.state.setting), self.state.images)
        self.initialisation = _buttons("start", self.held.initialisations(self.state.setting), self.state.initialisation)
        self.setting = _buttons("setting", self.held.settings, self.state.setting)
        self.metric = ipywidgets.Dropdown(options=[(style.METRICS[m], m) for m in METRICS], description="metric")
        self.example = ipywidgets.IntSlider(0, 0, examples - 1, description="image", continuous_update=False)
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
        self.state = replace(self.state, images=self.size.value, initialisation=self.initialisation.value,
                             setting=self.setting.value, metric=self.metric.value, example=self.example.value)  # fmt: skip
        self.picture.value = png_bytes(training_size_figure(self.state, self.held))

    def _repr_mimebundle_(self, **kwargs):
        return self.box._repr_mimebundle_(**kwargs)


def training_size_panel(results: Results) -> TrainingSizePanel:
    """The panel of notebook 04; it shows itself."""
    return TrainingSizePanel(results)


def _slider(name: str, options: list, value) -> ipywidgets.SelectionSlider:
    style_ = {"description_width": "initial"}
    return ipywidgets.SelectionSlider(options=options, value=value, description=name, style=style_, continuous_update=False)


def _buttons(name: str, options: list, value) -> ipywidgets.ToggleButtons:
    return ipywidgets.ToggleButtons(options=options, value=value, description=name, style={"button_width": "auto"})
