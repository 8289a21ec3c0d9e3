"""The picture of the training-size panel: a pure function from what the controls say to a Figure, built for speed."""

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from matplotlib.figure import Figure

from depthseg_lib.analysis.results import Results, common_scores, rows_with
from depthseg_lib.data.labels import VOID
from depthseg_lib.panels import panel
from depthseg_lib.panels.panel import Panel, ShownRuns
from depthseg_lib.plots import style
from depthseg_lib.plots.against import axes_against


@dataclass(frozen=True)
class SizeState:
    """What the controls of the training-size panel say."""

    encoder: str
    """One of the encoders that were run."""
    images: int
    """Training images."""
    initialisation: str
    """One of the initialisations that were run."""
    setting: str
    """full, frozen, encoder-only or deeplab."""
    metric: str
    """miou_seven, miou_occurring or accuracy."""
    example: int
    """Which of the stored validation images, from 0."""


class SizeResults(ShownRuns):
    """What the panel draws from, computed once for each encoder and setting; `Results` go in.

    Trials that diverged are left out: they have no confusion matrices."""

    def __init__(self, results: Results):
        super().__init__(results.metrics[results.metrics["diverged_at"].isna()])
        self.results = results

    def sizes(self, encoder: str, setting: str) -> list[int]:
        """Training-set sizes that were run so."""
        return self.numbers("images", encoder, setting)

    @cache
    def scores(self, encoder: str, setting: str):
        """`scores.common_scores` of an encoder and setting."""
        chosen = self.results.select(encoder=encoder, setting=setting)
        return common_scores(chosen.confusion, self.results.label_set)

    @cache
    @style.styled
    def background(self, encoder: str, setting: str, metric: str) -> tuple[np.ndarray, tuple]:
        """The curve of an encoder, setting and metric as pixels (H W 3, uint8), with its axes' limits."""
        figure = Figure(figsize=panel.SIZE, dpi=panel.DPI)
        axes = figure.add_axes(panel.CURVE)
        axes_against(axes, self.scores(encoder, setting), metric, "images")
        axes.set_xlabel("annotated training images")
        panel.name_lines(axes, self.initialisations(encoder, setting))
        return panel.pixels(figure), (axes.get_xlim(), axes.get_ylim())

    def first_run(self, state: SizeState) -> str | None:
        """The name of the first trial with this state, whose prediction is shown; None when there is none."""
        columns = ("encoder", "images", "initialisation", "setting")
        chosen = rows_with(self.rows, {column: getattr(state, column) for column in columns})
        return None if chosen.empty else str(chosen.sort_values("trial")["name"].iloc[0])


def first_state(held: SizeResults) -> SizeState:
    """Where the panel starts: the study's main size, the last initialisation."""
    encoder = held.encoders[0]
    setting = held.settings(encoder)[0]
    sizes, base = held.sizes(encoder, setting), held.results.base_images
    start = held.initialisations(encoder, setting)[-1]
    return SizeState(encoder, base if base in sizes else sizes[0], start, setting, panel.METRICS[0], 0)


@style.styled
def training_size_figure(state: SizeState, held: SizeResults) -> Figure:
    """Image, truth and prediction of one run side by side, and the curve over sizes with the current point ringed.

    What stands still while a slider moves, the curve with its axes, is drawn once and pasted; nothing here has axes of
    its own, since matplotlib spends more time on their ticks than on everything else.
    """
    figure = Figure(figsize=panel.SIZE, dpi=panel.DPI)
    background, limits = held.background(state.encoder, state.setting, state.metric)
    figure.add_artist(panel.Paste(background))
    examples, labels, run = held.results.examples, held.results.label_set, held.first_run(state)
    predicted = examples.predictions[run][state.example] if run else np.full_like(examples.truth[0], VOID)
    title = f"{state.initialisation}, {state.setting}, {state.images} images" if run else "not run"
    panel.add_picture(figure, 0, panel.fitted(examples.images[state.example].transpose(1, 2, 0)), "image")
    panel.add_picture(figure, 1, panel.fitted(labels.colour(examples.truth[state.example])), "truth")
    panel.add_picture(figure, 2, panel.fitted(labels.colour(predicted)), f"prediction: {title}")
    scores = held.scores(state.encoder, state.setting)
    here = scores[(scores["images"] == state.images) & (scores["initialisation"] == state.initialisation)]
    mean = here[state.metric].mean() * style.scale(state.metric)
    panel.mark(figure, limits, state.images, mean, state.initialisation, scores["initialisation"].unique())
    counted = f"{int(scores['validation'].iloc[0])} validation images, {here[state.metric].count()} trials"
    value = "no result" if np.isnan(mean) else f"{mean:.1f} %"
    panel.write(figure, f"{state.initialisation}, {state.images} images: {value}  ({counted})")
    return figure


class TrainingSizePanel(Panel):
    """The panel of notebook 04: sliders over size, initialisation, setting, metric, image and encoder."""

    def __init__(self, results: Results):
        self.held = SizeResults(results)
        self.state = first_state(self.held)
        here = self.state.encoder, self.state.setting
        self.images = panel.slider("training images", self.held.sizes(*here), self.state.images)
        self.initialisation = panel.buttons("start", self.held.initialisations(*here), self.state.initialisation)
        self.setting = panel.buttons("setting", self.held.settings(self.state.encoder), self.state.setting)
        self.encoder = panel.buttons("encoder", self.held.encoders, self.state.encoder)
        self.metric = panel.metrics(panel.METRICS)
        self.example = panel.numbers("image", len(results.examples.indices))
        for encoder in self.held.encoders:  # drawn now, so that no later move of a control waits for it
            for setting, metric in product(self.held.settings(encoder), panel.METRICS):
                self.held.background(encoder, setting, metric)
        rows = [self.images, self.example], [self.initialisation], [self.setting, self.metric]
        super().__init__(*rows, *([[self.encoder]] if len(self.held.encoders) > 1 else []))

    def figure(self) -> Figure:
        """What was run with the chosen encoder in the chosen setting, at the chosen size."""
        panel.offer(self.setting, self.held.settings(self.encoder.value))
        here = self.encoder.value, self.setting.value
        panel.offer(self.images, self.held.sizes(*here))
        panel.offer(self.initialisation, self.held.initialisations(*here))
        self.state = self.read(SizeState)
        return training_size_figure(self.state, self.held)
