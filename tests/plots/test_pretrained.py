"""What pre-training runs predict: every encoder in one figure, with the errors where there is a truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import planted

from depthseg_lib import plots
from depthseg_lib.plots import pretrained, saving

SLIM, OTHER = "resnet18-slim", "resnet50"


@pytest.fixture
def one():
    return planted.everything()


@pytest.fixture
def two(one):
    """The same with a second encoder, whose depth is twice as far and which lacks depth-classification."""
    runs = one.pretrain[one.pretrain["initialisation"] != "depth-classification"]
    names = runs["name"].str.replace(SLIM, OTHER)
    other = runs.assign(name=names, encoder=OTHER, abs_rel=runs["abs_rel"] + 0.1, epe=runs["epe"] + 1)
    depth = {n.replace(SLIM, OTHER): replace(e, prediction=2 * e.prediction) for n, e in one.depth_examples.items()}
    flow = {name.replace(SLIM, OTHER): pair for name, pair in one.flow_examples.items()}
    return replace(
        one, pretrain=pd.concat([one.pretrain, other]), depth_examples=one.depth_examples | depth,
        flow_examples=one.flow_examples | flow,
    )  # fmt: skip


def test_one_encoder_has_all_frames_and_no_names_of_rows(one):
    found = pretrained.depth(one)
    assert list(found.predicted) == ["depth", "depth-classification", "depth-supervised"] and found.rows == ()
    assert len(found.images) == len(one.depth_examples[f"{SLIM}-depth"].images)
    assert set(found.runs["name"]) == {f"{SLIM}-{name}" for name in found.predicted}  # none at the large size


def test_two_encoders_stand_under_one_another(two):
    found = pretrained.depth(two)
    few = pretrained.FEW
    assert found.rows == ("ResNet-18 slim (quarter width)",) * few + ("ResNet-50",) * few
    assert np.array_equal(found.predicted["depth"][few:], 2 * found.predicted["depth"][:few])
    blank = np.isnan(found.predicted["depth-classification"])
    assert blank[few:].all() and not blank[:few].any()
    figure = plots.depth_examples(found.images, found.truth, found.predicted, "", rows=found.rows)
    written = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert written == ["ResNet-18 slim (quarter width)", "ResNet-50"]


def test_errors_of_depth_stand_in_a_sentence_for_the_caption(one, two):
    counted = one.pretrain.assign(evaluated=64)
    assert pretrained.depth(replace(one, pretrain=counted)).depth_errors == (
        "Abs-rel on 64 held-out frames: depth 0.31, depth-classification 0.31, depth-supervised 0.31, the mean depth "
        "map 0.52."
    )
    assert "ResNet-50, depth 0.41, ResNet-50, depth-supervised 0.41" in pretrained.depth(two).depth_errors
    unknown = one.pretrain.drop(columns=["abs_rel", "abs_rel_mean_map"])
    assert pretrained.depth(replace(one, pretrain=unknown)).depth_errors == ""


def test_flow_of_all_encoders_has_an_error_each(one, two):
    assert pretrained.flow(one).flow_errors == {"trained": 1.9, "no flow": 3.8, "mean flow": 2.2}
    both = pretrained.flow(two)
    assert both.flow_errors == {
        "ResNet-18 slim (quarter width)": 1.9, "ResNet-50": 2.9, "no flow": 3.8, "mean flow": 2.2,
    }  # fmt: skip
    assert both.images.shape[0] == 2 * pretrained.FEW == len(both.rows)


def test_flow_without_truth_has_no_errors(one):
    """Real sets have no exact flow: the table of runs has no such column."""
    unknown = one.pretrain.drop(columns=[name for name in one.pretrain if name.startswith("epe")])
    pairs = {name: replace(pair, true_flow=None) for name, pair in one.flow_examples.items()}
    found = pretrained.flow(replace(one, pretrain=unknown, flow_examples=pairs))
    assert found.truth is None and found.flow_errors == {}
    plots.flow_examples(found.images, found.predicted["flow"], found.truth, found.flow_errors)


def test_without_runs_there_is_nothing(one):
    assert pretrained.depth(replace(one, depth_examples={})) is None
    assert pretrained.flow(replace(one, flow_examples={})) is None


def test_the_json_of_such_a_figure_names_the_pretraining_runs(one):
    about = saving.about_pretraining(one, pretrained.depth(one).runs, "Depth", "A note.", "")
    assert about.runs == tuple(f"{SLIM}-{name}" for name in ("depth", "depth-classification", "depth-supervised"))
    assert (about.trials, about.commit, about.note) == (1, ("0123abc",), "A note.")
