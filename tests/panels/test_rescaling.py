"""The resize-factor panel: its controls move the picture, which shows what they say."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import planted
from helpers.panel_checks import check_control, check_shows_itself
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from depthseg_lib.analysis.statistics import mean_interval
from depthseg_lib.data.resize import FACTORS, rescaled
from depthseg_lib.panels.panel import PICTURE, Paste, fitted
from depthseg_lib.panels.rescaling import RescalingPanel, RescalingResults, first_state, rescaling_figure
from depthseg_lib.plots import style


@pytest.fixture(scope="module")
def full():
    return planted.laptop().select(setting="full", images=16)


@pytest.fixture(scope="module")
def held(full):
    return RescalingResults(full, planted.rescaling(full))


@pytest.fixture(scope="module")
def panel(full):
    return RescalingPanel(full, planted.rescaling(full))


@pytest.mark.parametrize(
    ("control", "value"), [("factor", 2.0), ("example", 2), ("initialisation", "none"), ("metric", "accuracy")]
)
def test_every_control_changes_the_picture(panel, control, value):
    check_control(panel, control, value)


def test_sliders_redraw_when_they_are_let_go_and_the_panel_shows_itself_without_a_kernel(panel):
    assert not panel.factor.continuous_update and not panel.example.continuous_update
    assert [value for _, value in panel.factor.options] == list(FACTORS)
    check_shows_itself(panel)


def test_another_encoder_offers_its_own_initialisations(full):
    found = planted.rescaling(full)
    chosen = found.shown["resnet18-slim", "classification"]
    scores = found.scores.assign(encoder=found.scores["encoder"].where(found.scores["name"] != chosen, "resnet18"))
    panel = RescalingPanel(full, replace(found, scores=scores))
    assert "classification" not in panel.initialisation.options
    panel.encoder.value = "resnet18"
    assert panel.initialisation.options == ("classification",) and panel.state.initialisation == "classification"


def test_figure_shows_image_prediction_and_truth_of_the_state(held, full):
    state = replace(first_state(held), initialisation="depth", factor=1.5, example=1)
    _, image, prediction, truth = (a.pixels for a in rescaling_figure(state, held).artists if isinstance(a, Paste))
    examples, colour, run = full.examples, full.label_set.colour, "resnet18-slim-depth-full-n16-t0"
    small = tuple(0.75 * side for side in PICTURE)
    assert np.array_equal(image, fitted(rescaled(examples.images[1], 1.5).transpose(1, 2, 0), small))
    assert np.array_equal(prediction, fitted(colour(held.rescaling.predictions[run][3, 1])))
    assert np.array_equal(truth, fitted(colour(examples.truth[1])))


def test_a_larger_factor_shows_a_larger_image(held):
    widths = []
    for factor in FACTORS:
        figure = rescaling_figure(replace(first_state(held), factor=factor), held)
        widths.append([artist.pixels.shape[1] for artist in figure.artists if isinstance(artist, Paste)][1])
    assert np.array(widths) / widths[-1] == pytest.approx(np.array(FACTORS) / 2, abs=0.02)


def test_the_sentence_has_mean_and_interval_over_trials(held):
    state = replace(first_state(held), initialisation="depth", factor=0.5)
    chosen = held.scores(state.encoder).query("initialisation == 'depth' and factor == 0.5")["miou_seven"]
    mean, texts = mean_interval(100 * chosen), [text.get_text() for text in rescaling_figure(state, held).texts]
    assert texts[-1].startswith(f"depth, factor 0.5: {mean.mean:.1f} % [{mean.low:.1f}, {mean.high:.1f}]")
    assert "72 validation images, 3 trials" in texts[-1] and "32 x 96 pixels" in texts[0]


def test_ring_stands_on_the_drawn_point(held):
    for name, factor in (("none", 0.5), ("depth", 2.0)):
        state = replace(first_state(held), initialisation=name, factor=factor)
        ring = next(a for a in rescaling_figure(state, held).artists if isinstance(a, Line2D))
        ((x,), (y,)), background = ring.get_data(), held.background(state.encoder, state.metric)[0]
        row, column = round((1 - y) * background.shape[0]), round(x * background.shape[1])
        assert np.abs(background[row, column] - np.array(to_rgb(style.LOOK[name][0])) * 255).max() < 60
