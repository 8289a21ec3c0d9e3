"""The trajectory panel: controls move the picture, rings stand on their courses."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import planted
from helpers.panel_checks import check_control, drawn, pasted
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from depthseg_lib.panels.panel import fitted
from depthseg_lib.panels.trajectories import (
    CLASSES,
    COURSE,
    TrajectoryPanel,
    TrajectoryResults,
    first_state,
    trajectory_figure,
)


@pytest.fixture(scope="module")
def results():
    return planted.laptop().select(images=16)


@pytest.fixture(scope="module")
def panel(results):
    return TrajectoryPanel(results)


@pytest.mark.parametrize(
    ("control", "value"),
    [
        ("iteration", 105),
        ("iteration", 0),
        ("example", 2),
        ("initialisation", "none"),
        ("metric", "miou_seven"),
        ("setting", "frozen"),
    ],
)
def test_every_control_changes_the_picture(panel, control, value):
    check_control(panel, control, value)


def test_the_slider_waits_until_it_is_let_go(panel):
    assert panel.iteration.continuous_update is False


def test_a_setting_offers_only_what_was_run_with_it(results):
    frozen = results.history["setting"] == "frozen"
    kept = ~frozen | results.history["initialisation"].isin(["none", "depth"]) & (results.history["iteration"] < 200)
    panel = TrajectoryPanel(replace(results, history=results.history[kept]))
    panel.initialisation.value, panel.iteration.value = "classification", 280
    panel.setting.value = "frozen"
    assert panel.initialisation.options == ("none", "depth") and panel.state.initialisation == "none"
    assert panel.iteration.options[-1] < 200 and panel.state.iteration == panel.iteration.options[-1]
    panel.setting.value = "full"
    assert len(panel.initialisation.options) == 4 and panel.iteration.options[-1] == 280


def test_encoders_have_their_own_course(results):
    both = np.concatenate([results.history.index, results.history.index])
    history = results.history.loc[both].reset_index(drop=True)
    history.loc[len(results.history) :, "encoder"] = "resnet50"
    history.loc[len(results.history) :, "accuracy"] /= 2
    panel = TrajectoryPanel(replace(results, history=history))
    before = drawn(panel)
    panel.encoder.value = "resnet50"
    assert panel.encoder.options == ("resnet18-slim", "resnet50") and (drawn(panel) != before).any()


def test_rings_and_bars_are_the_means_of_the_iteration(results):
    held = TrajectoryResults(results)
    state = replace(first_state(held), initialisation="depth", iteration=105)
    figure = trajectory_figure(state, held)
    runs = results.select(setting="full", initialisation="depth").history.query("iteration == 105")
    (low, high), (floor, ceiling) = held.background(state.encoder, "full", "miou_occurring")[1]
    ring = next(line for line in figure.artists if isinstance(line, Line2D) and line.get_markersize() == 15)
    x, y = (float(data[0]) for data in ring.get_data())
    assert low + (x - COURSE[0]) / COURSE[2] * (high - low) == pytest.approx(100 * runs["miou_occurring"].mean())
    assert floor + (y - COURSE[1]) / COURSE[3] * (ceiling - floor) == pytest.approx(100 * runs["accuracy"].mean())
    bars = [bar.get_width() / CLASSES[2] for bar in figure.artists if isinstance(bar, Rectangle)]
    expected = [runs[f"iou_{name}"].mean() for name in held.shares.index]
    assert bars == pytest.approx(expected) and held.shares.index[0] == "road" and len(bars) == 11
    assert f"iteration 105: mIoU {100 * runs['miou_occurring'].mean():.1f} %" in figure.texts[0].get_text()


def test_the_prediction_is_that_of_the_stored_iteration_next_to_the_chosen_one(results):
    held, colour = TrajectoryResults(results), results.label_set.colour
    examples, run = results.examples, "resnet18-slim-depth-full-n16-t0"
    assert list(examples.course[run]) == [0, 105, 280]
    for iteration, stored in ((0, 0), (35, 0), (105, 105), (245, 280), (280, 280)):
        state = replace(first_state(held), initialisation="depth", iteration=iteration, example=1)
        figure = trajectory_figure(state, held)
        *_, image, truth, prediction = pasted(figure)
        assert np.array_equal(prediction, fitted(colour(examples.course[run][stored][1])))
        assert np.array_equal(truth, fitted(colour(examples.truth[1])))
        assert figure.texts[-1].get_text() == f"prediction: depth, iteration {stored}"


def test_before_training_no_ring_stands_beside_the_courses(results):
    held = TrajectoryResults(results)
    assert held.iterations("resnet18-slim", "full")[0] == 0
    figure = trajectory_figure(replace(first_state(held), iteration=0), held)
    assert "iteration 0: mIoU" in figure.texts[0].get_text()
    assert not [line for line in figure.artists if isinstance(line, Line2D) and line.get_markersize() >= 10]


def test_without_a_stored_prediction_that_is_said(results):
    held = TrajectoryResults(replace(results, examples=replace(results.examples, course={})))
    assert "no prediction is stored" in trajectory_figure(first_state(held), held).texts[-1].get_text()


def test_what_was_not_evaluated_is_said(results):
    held = TrajectoryResults(results)
    figure = trajectory_figure(replace(first_state(held), iteration=7), held)
    assert "no evaluation" in figure.texts[0].get_text()
    assert not [artist for artist in figure.artists if isinstance(artist, Rectangle)]
