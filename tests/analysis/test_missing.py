"""What captions say of a profile's plan: sizes, counts, and initialisations without a finished run."""

from dataclasses import replace

import pytest
from helpers import planted

from depthseg_lib.analysis import missing
from depthseg_lib.models.published import Published
from depthseg_lib.study import plan as study_plan


@pytest.fixture(scope="module")
def everything():
    return planted.everything()


@pytest.fixture(scope="module")
def plan(everything):
    return missing.load(everything)


def without(results, **lacking):
    """The results without the runs that have these values."""
    metrics, gone = results.metrics, True
    for column, value in lacking.items():
        gone = gone & (metrics[column] == value)
    return replace(results, metrics=metrics[~gone])


def test_nothing_is_missing_from_a_study_that_is_finished(everything, plan):
    assert plan.missing(everything) == "" and plan.main.missing(everything.main) == ""
    kinds = {run.kind for run in study_plan.plan("laptop").runs}
    assert kinds == {"finetune", "pretrain"} and len(plan.finetune) + len(plan.pretrain) == len(
        study_plan.plan("laptop").runs
    )


def test_an_initialisation_without_any_run_is_named_alone_and_else_with_what_it_lacks(everything, plan):
    asked = plan.main.select(images=16, setting=["full", "frozen"])
    lacking = without(everything, initialisation="classification")
    assert asked.missing(lacking) == "Not run: classification."
    assert asked.missing(without(lacking, initialisation="depth", setting="frozen")) == (
        "Not run: classification, depth (frozen)."
    )
    assert plan.main.select(setting="full").missing(without(everything, initialisation="depth", images=32)) == (
        "Not run: depth (32 images)."
    )
    one_trial = everything.metrics[everything.metrics["trial"] == 1]
    assert plan.missing(replace(everything, metrics=one_trial)) == ""


def test_what_the_paper_compares_and_the_profile_does_not_plan_is_named(everything, plan):
    wanted = dict(experiment="high", setting="deeplab")
    expected = ("none", "classification", "depth")
    asked, found = plan.select(**wanted), everything.select(**wanted)
    assert asked.missing(found, expected) == "Not planned in this profile: none (random weights)."
    assert asked.missing(found, expected[1:]) == ""
    assert plan.select(experiment="main", setting="full", initialisation=["flow"]).missing(everything, ("flow",)) == ""


def test_the_main_comparison_is_that_of_the_results(everything, plan):
    assert set(plan.main.finetune["initialisation"]) == set(everything.main.metrics["initialisation"])


def test_sizes_counts_and_iterations_are_those_of_the_runs(plan):
    runs = {run.name: run.parameters for run in study_plan.plan("laptop").runs}
    high, whole = (runs[f"resnet18-slim-depth-full-n{name}"] for name in ("16-high", "200-whole"))
    assert plan.main.sizes == "64x192" and plan.main.of_size == " of 64x192 pixels"
    large = plan.select(experiment=["high", "whole"], setting="full")
    assert large.sizes == f"{high['height']}x{high['width']}"
    assert large.counts(184) == (
        f"Large images: 16 training, 184 validation images of 96x288 pixels, {high['iterations']} iterations; "
        f"large images, the whole annotated set: 200 training images of 96x288 pixels, scored on the same ones, "
        f"{whole['iterations']} iterations."
    )
    assert plan.select(experiment="nothing").counts(184) == plan.select(experiment="nothing").of_size == ""


def test_how_pretraining_at_the_two_sizes_differs_is_read_from_the_settings(everything, plan):
    runs = {run.name: run.parameters for run in study_plan.plan("laptop").runs}
    words = [f"{runs[name]['streets']} streets" for name in ("resnet18-slim-depth", "resnet18-slim-depth-large")]
    assert plan.lengths().endswith(f"than the size: small {words[0]}; large {words[1]}.")
    assert missing.load(replace(everything, plan=study_plan.plan("smoke").to_mapping())).lengths() == ""


def test_published_weights_that_were_asked_for_are_planned(everything, monkeypatch):
    monkeypatch.setattr(study_plan, "_published", lambda *_: "of published weights")
    given = study_plan.plan("kitti", published=Published({"imagenet": "weights"}))
    asked = missing.load(replace(everything, plan=given.to_mapping())).main.select(setting="full", images=16)
    expected = "Not run: none (random weights), depth, imagenet, depth-imagenet."
    assert asked.select(encoder="resnet18").missing(everything) == expected


def test_nothing_is_said_where_no_run_is_planned(everything):
    none = missing.load(replace(everything, plan={"runs": []}))
    assert none.missing(everything, ("imagenet",)) == none.main.sizes == none.lengths() == none.counts(3) == ""
