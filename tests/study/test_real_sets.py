"""The studies on real sets, planned: settings, runs and figures are the paper's."""

from dataclasses import replace

import pytest
from helpers.claimed import results

from depthseg_lib.analysis.claims import ledger as claims_ledger
from depthseg_lib.data.labels import NYU13
from depthseg_lib.errors import InputError
from depthseg_lib.models.published import Published
from depthseg_lib.settings import PROTOCOLS, FinetuneConfig
from depthseg_lib.study import plan
from depthseg_lib.study.profiles import get_profile

IMAGENET = Published({"imagenet": "weights"})


@pytest.fixture(autouse=True)
def weights(monkeypatch):
    """Published weights are not on this machine; their fingerprint is asked for all the same."""
    monkeypatch.setattr(plan, "_published", lambda encoder, initialisation, place: f"{encoder} {initialisation}")


def test_kitti_has_the_papers_settings():
    runs = {run.name: run.parameters for run in plan.plan("kitti", published=IMAGENET).runs}
    assert {run["encoder"] for run in runs.values()} == {"resnet18", "resnet50"}
    tuned = runs["resnet50-depth-imagenet-full-n16"]
    expected = dict(iterations=20000, batch=16, learning_rate=1e-5, evaluate_every=1000, trials=4)
    assert (expected | dict(height=192, width=640)).items() <= tuned.items()
    depth, started = runs["resnet18-depth"], runs["resnet18-depth-imagenet"]
    assert (depth["batch"], depth["learning_rate"], depth["evaluated"]) == (12, 1e-4, 697)
    assert 12 * depth["iterations"] == pytest.approx(30 * 39810, rel=1e-3)
    assert 12 * started["iterations"] == pytest.approx(20 * 39810, rel=1e-3)
    assert 8 * runs["resnet18-flow"]["iterations"] == pytest.approx(50 * 39810, rel=1e-3)
    whole = runs["resnet18-imagenet-full-n200-whole"]
    assert (whole["iterations"], whole["height"], whole["width"]) == (50000, 320, 1024)
    assert {f"resnet18-{n}-deeplab-n16" for n in ("none", "imagenet", "depth", "depth-imagenet")} <= set(runs)
    assert not [name for name in runs if "classification" in name or "supervised" in name]


def test_without_weights_no_profile_has_imagenet_and_with_them_all_parts_have():
    for name in ("kitti", "cityscapes", "gpu"):
        without, given = ([run.name for run in plan.plan(name, published=p).runs] for p in (Published(), IMAGENET))
        assert not [run for run in without if "imagenet" in run]
        assert [run for run in given if "imagenet" not in run] == without
        parts = get_profile(name, published=IMAGENET).parts
        assert all("imagenet" in part.initialisations for part in parts if "none" in part.initialisations)
    at_large = {(part.experiment, part.settings) for part in parts if "depth-imagenet" in part.initialisations}
    assert {("high", ("full",)), ("high", ("deeplab",)), ("whole", ("full",)), ("main", ("deeplab",))} <= at_large
    assert get_profile("laptop", published=IMAGENET).parts == get_profile("laptop").parts  # no such slim encoder


def test_monodepth2s_own_weights_join_where_depth_from_imagenet_is_compared():
    given = Published({"depth": "models", "depth-imagenet": "models"})
    names = {run.name for run in plan.plan("kitti", published=given).runs}
    assert {"resnet18-depth-imagenet-encoder-only-n16", "resnet50-depth-imagenet-deeplab-n16"} <= names
    assert not {"resnet18-depth", "resnet18-depth-imagenet", "resnet18-imagenet-full-n16"} & names
    assert "resnet18-depth-large" in names  # theirs are of 192x640
    assert not {name for name in names if "depth-imagenet" in name and ("large" in name or "high" in name)}


def test_depth_from_imagenet_is_learned_at_the_large_size_too():
    runs = {(run.kind, run.name): run for run in plan.plan("kitti", published=IMAGENET).runs}
    learned = runs["pretrain", "resnet50-depth-imagenet-large"].parameters
    assert (learned["height"], learned["width"], learned["start_weights"]) == (320, 1024, "weights")
    assert learned["iterations"] == runs["pretrain", "resnet50-depth-imagenet"].parameters["iterations"]
    for name in ("full-n16-high", "deeplab-n16-high", "full-n200-whole"):
        assert runs["finetune", f"resnet50-depth-imagenet-{name}"].needs == ("resnet50-depth-imagenet-large",)
    given = Published({"imagenet": "weights", "depth": "models", "depth-imagenet": "models"})
    runs = {run.name: run for run in plan.plan("kitti", published=given).runs}
    assert runs["resnet18-depth-imagenet-full-n16-high"].needs == ("resnet18-depth-imagenet-large",)
    assert "resnet18-depth-imagenet" not in runs


def test_cityscapes_follows_the_released_code():
    planned = plan.plan("cityscapes", published=IMAGENET)
    tuned = [run.parameters for run in planned.runs if run.kind == "finetune"]
    wanted = dict(setting="deeplab", protocol="cityscapes", images=2975, height=1024, width=2048, batch=32)
    wanted |= dict(iterations=50000, learning_rate=0.01)
    assert len(tuned) == 8 and all(run[name] == value for run in tuned for name, value in wanted.items())
    protocol = PROTOCOLS["cityscapes"]
    assert (protocol.optimiser, protocol.schedule, protocol.crop, protocol.output_stride) == ("sgd", "poly", 512, 16)
    depth = [run.parameters for run in planned.runs if run.kind == "pretrain"]
    assert {(run["height"], run["width"]) for run in depth} == {(512, 512)}


def test_crops_larger_than_the_images_are_refused():
    with pytest.raises(InputError, match="images of 256x1024 are smaller than the crops of 512x512 of the protocol"):
        FinetuneConfig(protocol="cityscapes", height=256, width=1024)


def test_cityscapes_has_kittis_protocol_too_with_all_training_images_besides():
    planned = plan.plan("cityscapes-as-kitti", published=IMAGENET)
    runs = {run.name: run.parameters for run in planned.runs}
    for name in ("none", "depth", "imagenet", "depth-imagenet"):
        assert {f"resnet50-{name}-full-n{n}" for n in (8, 16, 32, 64, 128, 2975)} <= set(runs)
        run = runs[f"resnet18-{name}-frozen-n16"]
        assert (run["height"], run["width"], run["batch"], run["learning_rate"]) == (512, 512, 16, 1e-5)
    assert runs["resnet18-depth"]["batch"] == 12 and "resnet50-none-deeplab-n16" in runs
    assert {f"resnet50-{name}-deeplab-n16" for name in ("depth", "imagenet", "depth-imagenet")} <= set(runs)
    assert {f"resnet18-{name}-encoder-only-n16" for name in ("depth", "depth-imagenet")} <= set(runs)
    drawn = {name for names in plan.plan("cityscapes-as-kitti").figures.values() for name in names}
    assert {"fig04_training_size", "fig05_frozen", "fig10_scale_mismatch", "table1", "table2", "claims"} <= drawn


def test_nyu_is_that_of_section_4_3():
    runs = {run.name: run.parameters for run in plan.plan("nyu", published=IMAGENET).runs}
    starts = ("none", "imagenet", "depth-supervised")
    tuned = {f"{encoder}-{start}-full-n795" for encoder in ("resnet18", "resnet50") for start in starts}
    assert set(runs) == tuned | {"resnet18-depth-supervised", "resnet50-depth-supervised"}
    for name in tuned:
        run = runs[name]
        assert (run["height"], run["width"], run["trials"], run["iterations"]) == (384, 448, 4, 20000)
        assert (run["learning_rate"], run["batch"]) == (1e-5, 32 if "resnet18" in name else 16)
    camera = runs["resnet18-depth-supervised"]
    assert (camera["iterations"], camera["batch"], camera["learning_rate"]) == (10 * 407024 // 8, 8, 1e-4)
    assert {r.name for r in plan.plan("nyu").runs} == {name for name in runs if "imagenet" not in name}


def test_nyus_figures_are_those_that_it_has_runs_for():
    drawn = {name for names in plan.plan("nyu").figures.values() for name in names}
    assert {"fig12_supervised_depth", "fig03_curves", "table1", "claims", "depth", "resize_factor"} <= drawn
    assert not drawn & {"fig05_frozen", "table2", "fig04_training_size", "fig10_scale_mismatch", "cross_resolution"}


@pytest.mark.parametrize(("order", "verdict"), [((0.3, 0.4, 0.5), "agrees"), ((0.5, 0.4, 0.3), "disagrees")])
def test_claim_13_is_decided_by_its_results(order, verdict):
    starts = ("none", "imagenet", "depth-supervised")
    scores = {(start, "full", "main", 795): score for start, score in zip(starts, order, strict=True)}
    planted = results(scores, reverse=verdict == "disagrees", encoder="resnet50")
    found = replace(planted, data_set="nyu", label_set=NYU13, confusion=planted.metrics)
    ledger = claims_ledger.ledger(found)
    of = ledger[ledger["id"].str.startswith("C13")]
    assert of["verdict"].tolist() == [verdict] * 4 and set(of["overall"]) == {verdict} and (of["stand_in"] == "").all()
    others = ledger[~ledger["id"].str.startswith("C13")]
    assert set(others["verdict"]) == {claims_ledger.NOT_RUN}
    assert set(found.main.metrics["initialisation"]) == set(starts)
