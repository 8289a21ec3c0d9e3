"""Which runs at two resolutions stand beside which, and what is said of those that are not there."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import planted

from depthseg_lib.analysis import cross_resolution, paper
from depthseg_lib.analysis.cross_resolution import ROWS


@pytest.fixture(scope="module")
def rows():
    return cross_resolution.compared(cross_resolution.crossed(planted.crossed(planted.laptop())))


def test_without_a_run_at_two_resolutions_there_is_nothing_to_compare():
    assert cross_resolution.crossed(planted.laptop()) is None
    only_high = planted.crossed(planted.laptop(), without=("large-to-small", "small-to-large"))
    assert cross_resolution.crossed(only_high) is None


def test_every_row_has_the_runs_of_its_experiment_and_no_others(rows):
    for at, initialisation, experiment, name in ROWS:
        of = rows[(rows["fine_tuned_at"] == at) & (rows["row"] == name)]
        assert sorted(of["trial"]) == [0, 1, 2], (at, name)
        assert set(of["initialisation"]) == {initialisation} and set(of["experiment"]) == {experiment}
    assert len(rows) == 3 * len(ROWS) and cross_resolution.not_run(rows) == ""


def test_only_full_runs_on_the_usual_number_of_images_are_compared():
    found = cross_resolution.crossed(planted.crossed(planted.laptop()))
    assert set(found.metrics["setting"]) == {"full"} and set(found.metrics["images"]) == {16}
    assert "depth-classification" not in set(found.metrics["initialisation"])


def test_imagenet_stands_where_classification_was_not_run():
    found = planted.crossed(planted.laptop())
    metrics = found.metrics.assign(initialisation=found.metrics["initialisation"].replace("classification", "imagenet"))
    rows = cross_resolution.compared(cross_resolution.crossed(replace(found, metrics=metrics)))
    assert cross_resolution.not_run(rows) == ""
    assert set(rows.loc[rows["row"] == "imagenet", "experiment"]) == {"main", "high"}
    assert cross_resolution.rows_of(["imagenet", "classification"]) == cross_resolution.rows_of(["depth"]) == ROWS


def test_what_was_not_run_is_named():
    found = cross_resolution.crossed(planted.crossed(planted.laptop(), without=("small-to-large", "high")))
    text = cross_resolution.not_run(cross_resolution.compared(found))
    assert text == (
        "Not run: none at the large size, classification at the large size, depth, from large at the large size, "
        "depth, from small at the large size."
    )


def test_diverged_trials_are_counted_by_encoder_size_and_row():
    found = planted.crossed(planted.laptop())
    wrong = (found.metrics["experiment"] == "small-to-large") & (found.metrics["trial"] < 2)
    metrics = found.metrics.assign(diverged_at=np.where(wrong, 40.0, np.nan))
    rows = cross_resolution.compared(cross_resolution.crossed(replace(found, metrics=metrics)))
    key = ("resnet18-slim", "large", "depth, from small")
    assert cross_resolution.divergence(rows) == {key: "2 of 3 diverged"}


def test_the_papers_numbers_stand_at_our_rows():
    published = paper.cross_resolution()
    ours = {(at, initialisation, experiment) for at, initialisation, experiment, _ in ROWS}
    for row in published.to_dict("records"):
        initialisation = row["initialisation"].replace("imagenet", "classification")
        assert (row["fine_tuned_at"], initialisation, row["experiment"]) in ours
    percent = {(r.initialisation, r.experiment): round(100 * r.miou_seven, 2) for r in published[:4].itertuples()}
    assert percent == {
        ("none", "main"): 41.35,
        ("imagenet", "main"): 45.15,
        ("depth", "main"): 46.00,
        ("depth", "large-to-small"): 48.54,
    }
    last = published.iloc[-1]
    assert last["experiment"] == "small-to-large" and last["diverged"] and np.isnan(last["miou_seven"])
