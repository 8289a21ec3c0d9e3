"""The activation panel: its controls move the picture, which shows what they say."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import planted
from helpers.panel_checks import check_control, check_shows_itself, pasted

from depthseg_lib.analysis.measurements.activations import boundary_score, label_borders
from depthseg_lib.analysis.statistics import mean_interval
from depthseg_lib.data.labels import VOID
from depthseg_lib.panels.activations import PLACE, ActivationPanel, ActivationResults, activation_figure, first_state
from depthseg_lib.panels.panel import fitted
from depthseg_lib.plots.activation_maps import coloured


@pytest.fixture(scope="module")
def full():
    return planted.laptop().select(setting="full", images=16)


@pytest.fixture(scope="module")
def held(full):
    return ActivationResults(full, planted.activations(full))


@pytest.fixture(scope="module")
def panel(full):
    return ActivationPanel(full, planted.activations(full))


@pytest.mark.parametrize(
    ("control", "value"), [("example", 2), ("layer", "layer3"), ("initialisation", "none"), ("borders", True)]
)
def test_every_control_changes_the_picture(panel, control, value):
    check_control(panel, control, value)


def test_another_encoder_offers_its_own_initialisations(full):
    active = planted.activations(full)
    first = active.shown["resnet18-slim", "classification"]
    scores = active.scores.assign(encoder=active.scores["encoder"].where(active.scores["name"] != first, "resnet18"))
    panel = ActivationPanel(full, replace(active, scores=scores))
    assert "classification" not in panel.initialisation.options
    panel.encoder.value = "resnet18"
    assert panel.initialisation.options == ("classification",) and panel.state.initialisation == "classification"
    panel.encoder.value = "resnet18-slim"
    assert panel.state.encoder == "resnet18-slim" and panel.state.initialisation in panel.initialisation.options


def test_the_panel_shows_itself_without_a_kernel_too(panel):
    check_shows_itself(panel)
    assert panel.example.max == 2 and not panel.example.continuous_update


def test_figure_shows_image_truth_prediction_and_map_of_the_state(held, full):
    state = replace(first_state(held), initialisation="depth", layer="layer2", example=1)
    image, truth, prediction, activation = pasted(activation_figure(state, held))
    examples, run = full.examples, "resnet18-slim-depth-full-n16-t0"
    assert np.array_equal(image, fitted(examples.images[1].transpose(1, 2, 0), PLACE))
    assert np.array_equal(truth, fitted(full.label_set.colour(examples.truth[1]), PLACE))
    assert np.array_equal(prediction, fitted(full.label_set.colour(examples.predictions[run][1]), PLACE))
    assert np.array_equal(activation, coloured(held.activations.maps[run]["layer2"][1], *truth.shape[:2]))


def test_borders_are_drawn_where_labels_meet_and_nowhere_else(held, full):
    plain = replace(first_state(held), example=1)
    without, within = (pasted(activation_figure(replace(plain, borders=b), held))[3] for b in (False, True))
    expected = label_borders(fitted(full.examples.truth[1], PLACE))
    changed = (without != within).any(-1)
    assert changed.any() and not changed[~expected].any() and len(np.unique(within[expected], axis=0)) == 1


def test_the_sentence_has_the_scores_of_this_map_and_over_trials(held):
    state = replace(first_state(held), initialisation="depth", layer="layer1")
    scores = held.scores.query("initialisation == 'depth' and layer == 'layer1'")["ratio"]
    text = activation_figure(state, held).texts[-1].get_text()
    mean = mean_interval(scores)
    assert f"of depth at layer1: {mean.mean:.2f} [{mean.low:.2f}, {mean.high:.2f}]" in text and "3 trials" in text
    run, truth = held.activations.maps[held.run(state)], held.results.examples.truth[0]
    assert f"this map: {boundary_score(run['layer1'][0], truth):.2f};" in text


def test_score_of_one_map_by_hand():
    truth = np.zeros((64, 96), np.uint8)
    truth[:, 48:] = 1
    truth[32:] = VOID
    assert boundary_score(np.full((32, 48), 9, np.uint8), truth) == pytest.approx(1)
    on_the_border = np.zeros((64, 96), np.uint8)
    on_the_border[:, 47:49] = 255
    assert boundary_score(on_the_border, truth) == pytest.approx(96 / 6)
    assert np.isnan(boundary_score(on_the_border, np.zeros_like(truth))) and np.isnan(
        boundary_score(np.zeros((64, 96), np.uint8), truth)
    )
