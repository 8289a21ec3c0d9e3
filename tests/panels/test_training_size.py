"""The training-size panel: controls move the picture, fast."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import planted
from helpers.panel_checks import check_control, pasted
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from depthseg_lib.panels.panel import fitted
from depthseg_lib.panels.training_size import (
    SizeResults,
    SizeState,
    TrainingSizePanel,
    first_state,
    training_size_figure,
)
from depthseg_lib.plots import style

ENCODER = "resnet18-slim"


@pytest.fixture(scope="module")
def panel():
    return TrainingSizePanel(planted.laptop())


@pytest.mark.parametrize(
    ("control", "value"),
    [("images", 128), ("initialisation", "none"), ("metric", "accuracy"), ("example", 2), ("setting", "frozen")],
)
def test_every_control_changes_the_picture(panel, control, value):
    check_control(panel, control, value)


def test_a_setting_offers_only_the_sizes_that_it_was_run_with(panel):
    panel.images.value = 64
    panel.setting.value = "frozen"
    assert panel.images.options == (16,) and panel.state.images == 16
    panel.setting.value = "full"
    assert panel.images.options == (8, 16, 32, 64, 128)


def with_second_encoder(results):
    """The same, and a resnet50 whose `none` is what the slim encoder's fully fine-tuned `depth` is: other scores."""
    depth = results.select(setting="full", initialisation="depth")
    frames = {}
    for name in ("metrics", "history", "confusion"):
        renamed = {"encoder": "resnet50", "initialisation": "none"}
        if "name" in getattr(depth, name):
            renamed["name"] = getattr(depth, name)["name"].astype(str).str.replace("slim-depth", "50-none")
        frames[name] = pd.concat([getattr(results, name), getattr(depth, name).assign(**renamed)], ignore_index=True)
    given = results.examples.course
    more = {name.replace("slim-depth", "50-none"): given[name] for name in depth.metrics["name"] if name in given}
    return replace(results, **frames, examples=replace(results.examples, course=given | more))


def test_encoders_are_not_mixed():
    slim = planted.laptop()
    panel = TrainingSizePanel(with_second_encoder(slim))
    before = panel.held.scores(ENCODER, "full")
    alone = SizeResults(slim).scores(ENCODER, "full")
    pd.testing.assert_frame_equal(before, alone, check_dtype=False, check_categorical=False)
    panel.initialisation.value = "depth"
    prediction, place = pasted(panel.figure())[3], ring(panel.figure()).get_data()
    panel.encoder.value = "resnet50"
    assert panel.initialisation.options == ("none",) and panel.setting.options == ("full",)
    figure = panel.figure()
    assert np.array_equal(pasted(figure)[3], prediction) and panel.state.encoder == "resnet50"
    mean = before[(before["initialisation"] == "depth") & (before["images"] == panel.state.images)]["miou_seven"].mean()
    assert f"none, {panel.state.images} images: {100 * mean:.1f} %" in titles(figure)
    assert "3 trials" in titles(figure) and ring(figure).get_data() != place


def test_what_diverged_in_all_trials_is_not_offered():
    slim = planted.laptop()
    frozen = slim.metrics["setting"] == "frozen"
    metrics = slim.metrics.assign(diverged_at=slim.metrics["diverged_at"].mask(frozen, 7.0))
    kept = slim.confusion[slim.confusion["setting"].astype(str) != "frozen"]
    panel = TrainingSizePanel(replace(slim, metrics=metrics, confusion=kept))
    assert panel.setting.options == ("full",)


def test_figure_shows_image_truth_and_the_prediction_of_the_state():
    held = SizeResults(planted.laptop())
    state = replace(first_state(held), initialisation="depth", images=32, example=1)
    figure = training_size_figure(state, held)
    image, truth, prediction = pasted(figure)[1:]
    examples, labels = held.results.examples, held.results.label_set
    assert np.array_equal(image, fitted(examples.images[1].transpose(1, 2, 0)))
    assert np.array_equal(truth, fitted(labels.colour(examples.truth[1])))
    assert np.array_equal(prediction, fitted(labels.colour(examples.predictions["resnet18-slim-depth-full-n32-t0"][1])))
    scores = held.scores(ENCODER, "full").query("images == 32 and initialisation == 'depth'")
    assert f"depth, 32 images: {100 * scores['miou_seven'].mean():.1f} %" in titles(figure)


def test_ring_stands_on_the_drawn_point():
    """The background and the ring are drawn apart: the point's colour is under the ring's centre."""
    held = SizeResults(planted.laptop())
    for state in (replace(first_state(held), initialisation=name, images=64) for name in ("none", "depth")):
        figure = training_size_figure(state, held)
        ((x,), (y,)) = ring(figure).get_data()
        background = held.background(state.encoder, state.setting, state.metric)[0]
        row, column = round((1 - y) * background.shape[0]), round(x * background.shape[1])
        colour = np.array(to_rgb(style.LOOK[state.initialisation][0])) * 255
        assert np.abs(background[row, column] - colour).max() < 60


def test_what_was_not_run_is_said_not_drawn():
    held = SizeResults(planted.laptop())
    figure = training_size_figure(SizeState(ENCODER, 64, "depth", "frozen", "accuracy", 0), held)
    assert "not run" in titles(figure) and "no result" in titles(figure) and not ring(figure)


@pytest.mark.parametrize(("height", "width"), [(32, 96), (64, 192), (96, 128), (192, 640)])
def test_pictures_of_any_shape_fit_their_place(height, width):
    shown = fitted(np.zeros((height, width, 3), np.uint8)).shape
    assert shown[1] <= 312 and shown[0] <= 112 and shown[1] / shown[0] == pytest.approx(width / height, rel=0.03)


def ring(figure):
    return next((artist for artist in figure.artists if isinstance(artist, Line2D)), None)


def titles(figure) -> str:
    return " | ".join(text.get_text() for text in figure.texts)
