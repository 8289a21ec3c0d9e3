"""The picture of the training-size panel: a pure function from what the controls say to a Figure, built for speed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure

from depthseg_lib.analysis.results import Results, common_scores
from depthseg_lib.data.labels import VOID
from depthseg_lib.panels.panel import (
    CURVE,
    DPI,
    METRICS,
    SIZE,
    Panel,
    Paste,
    add_picture,
    buttons,
    mark,
    metrics,
    numbers,
    offer,
    pixels,
    slider,
    write,
)
from depthseg_lib.plots import style
from depthseg_lib.plots.against import size_axes


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
    """miou_seven, miou or accuracy."""
    example: int
    """Which of the stored validation images, from 0."""


class SizeResults:
    """What the panel draws from, computed once for each encoder and setting; `Results` go in."""

    def __init__(self, results: Results):
        self.results = results
        self._curves = {}
        self._backgrounds = {}

    @cached_property
    def encoders(self) -> list[str]:
        """Encoders that were run."""
        return list(dict.fromkeys(self._runs()["encoder"].astype(str)))

    def settings(self, encoder: str) -> list[str]:
        """Settings that were run with an encoder, full first."""
        return sorted(map(str, self._runs(encoder=encoder)["setting"].unique()), key=lambda name: name != "full")

    def sizes(self, encoder: str, setting: str) -> list[int]:
        """Training-set sizes that were run so."""
        return sorted(map(int, self._runs(encoder=encoder, setting=setting)["images"].unique()))

    def initialisations(self, encoder: str, setting: str) -> list[str]:
        """Initialisations that were run so."""
        return style.present(self._runs(encoder=encoder, setting=setting)["initialisation"])

    def scores(self, encoder: str, setting: str):
        """`scores.common_scores` of an encoder and setting."""
        if (encoder, setting) not in self._curves:
            chosen = self.results.select(encoder=encoder, setting=setting)
            self._curves[encoder, setting] = common_scores(chosen.confusion, self.results.label_set)
        return self._curves[encoder, setting]

    @style.styled
    def background(self, encoder: str, setting: str, metric: str) -> tuple[np.ndarray, tuple]:
        """The curve of an encoder, setting and metric as pixels (H W 3, uint8), with its axes' limits."""
        key = encoder, setting, metric
        if key not in self._backgrounds:
            figure = Figure(figsize=SIZE, dpi=DPI)
            axes = figure.add_axes(CURVE)
            size_axes(axes, self.scores(encoder, setting), metric)
            axes.set_xlabel("annotated training images")
            names = self.initialisations(encoder, setting)
            axes.legend(handles=[style.handle(name) for name in names], fontsize=8, loc="best", handlelength=3)
            self._backgrounds[key] = pixels(figure), (axes.get_xlim(), axes.get_ylim())
        return self._backgrounds[key]

    def first_run(self, state: SizeState) -> str | None:
        """The name of the first trial with this state, whose prediction is shown; None when there is none."""
        columns = ("encoder", "images", "initialisation", "setting")
        chosen = self._runs(**{column: getattr(state, column) for column in columns})
        return None if chosen.empty else str(chosen.sort_values("trial")["name"].iloc[0])

    def _runs(self, **wanted):
        """Trials that did not diverge: the others have no confusion matrices."""
        chosen = self.results.metrics[self.results.metrics["diverged_at"].isna()]
        for column, value in wanted.items():
            chosen = chosen[chosen[column] == value]
        return chosen


def first_state(held: SizeResults) -> SizeState:
    """Where the panel starts: the study's main size, the last initialisation."""
    encoder = held.encoders[0]
    setting = held.settings(encoder)[0]
    sizes, base = held.sizes(encoder, setting), held.results.base_images
    start = held.initialisations(encoder, setting)[-1]
    return SizeState(encoder, base if base in sizes else sizes[0], start, setting, METRICS[0], 0)


@style.styled
def training_size_figure(state: SizeState, held: SizeResults) -> Figure:
    """Image, truth and prediction of one run side by side, and the curve over sizes with the current point ringed.

    What stands still while a slider moves, the curve with its axes, is drawn once and pasted; nothing here has axes of
    its own, since matplotlib spends more time on their ticks than on everything else.
    """
    figure = Figure(figsize=SIZE, dpi=DPI)
    background, limits = held.background(state.encoder, state.setting, state.metric)
    figure.add_artist(Paste(background))
    examples, labels, run = held.results.examples, held.results.label_set, held.first_run(state)
    predicted = examples.predictions[run][state.example] if run else np.full_like(examples.truth[0], VOID)
    title = f"{state.initialisation}, {state.setting}, {state.images} images" if run else "not run"
    add_picture(figure, 0, examples.images[state.example].transpose(1, 2, 0), "image")
    add_picture(figure, 1, labels.colour(examples.truth[state.example]), "truth")
    add_picture(figure, 2, labels.colour(predicted), f"prediction: {title}")
    _here(figure, state, held.scores(state.encoder, state.setting), limits)
    return figure


def _here(figure: Figure, state: SizeState, scores, limits) -> None:
    """Mark the current size, and ring and name the current point; `limits` are those of the curve's axes."""
    here = scores[(scores["images"] == state.images) & (scores["initialisation"] == state.initialisation)]
    mean = here[state.metric].mean() * style.scale(state.metric)
    mark(figure, limits, state.images, mean, state.initialisation, scores["initialisation"].unique())
    counted = f"{int(scores['validation'].iloc[0])} validation images, {here[state.metric].count()} trials"
    value = "no result" if np.isnan(mean) else f"{mean:.1f} %"
    write(figure, f"{state.initialisation}, {state.images} images: {value}  ({counted})")


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
