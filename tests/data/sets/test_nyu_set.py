"""The nyu profile: its data, its plan as section 4.3 has it, and the whole study on a tiny set of the true format."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import tiny_nyu
from helpers.claimed import results
from helpers.shrunk_study import ShrunkStudy
from helpers.tiny import truncate
from scipy.io import savemat

from depthseg_lib.analysis.claims import ledger as claims_ledger
from depthseg_lib.commands import check_data
from depthseg_lib.data import sources
from depthseg_lib.data.labels import NYU13
from depthseg_lib.data.sets import nyu
from depthseg_lib.errors import InputError
from depthseg_lib.models.published import Published
from depthseg_lib.settings import PretrainConfig
from depthseg_lib.study import plan
from depthseg_lib.study.profiles import PROFILES
from depthseg_lib.training.pretrain import load_examples


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tiny_nyu.whole(tmp_path_factory.mktemp("nyu"))


def settings(root, **changes):
    return PretrainConfig(data_set="nyu", data_folder=str(root), height=64, width=96, **changes)


def test_the_splits_are_the_sets_own(root, tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    training, test = sources.load_annotated(settings(root), 5)
    assert len(training.names) == 5 and set(training.names) < {f"{n:04}" for n in range(1, 9)}
    assert sorted(test.names) == ["0009", "0010", "0011", "0012"] and test.label_set is NYU13
    video = sources.load_video(settings(root))
    assert len(video.images) == 12 and (video.depth > 0).any() and sources.depth_camera(settings(root)) is None
    with pytest.raises(InputError, match="has 8 annotated training images, but the run asks for 795"):
        sources.check(settings(root), 795)


def test_what_is_missing_or_broken_is_said_before_anything_is_read(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="absent cannot be read .*expected one that holds nyu_depth_v2_labeled.mat"):
        nyu.check(tmp_path / "absent")
    tiny_nyu.labelled(tmp_path, images=4, test=2)
    with pytest.raises(InputError, match=r"lacks raw: expected .*; found classMapping40\.mat, nyu_depth"):
        nyu.check(tmp_path)
    tiny_nyu.raw(tmp_path / "raw", scenes=1, frames=1)
    nyu.check(tmp_path)
    truncate(tmp_path / "nyu_depth_v2_labeled.mat")
    with pytest.raises(InputError, match=r"nyu_depth_v2_labeled\.mat cannot be read"):
        nyu.check(tmp_path)


def test_changed_files_change_the_digest(tmp_path):
    tiny_nyu.labelled(tmp_path, images=4, test=2)
    tiny_nyu.raw(tmp_path / "raw", scenes=1, frames=1)
    before = sources.digest(settings(tmp_path))
    savemat(tmp_path / "splits.mat", {"trainNdxs": np.arange(1, 5), "testNdxs": np.array([]), "more": np.ones(9)})
    after = sources.digest(settings(tmp_path))
    next(tmp_path.rglob("a-*.dump")).unlink()
    assert len({before, after, sources.digest(settings(tmp_path))}) == 3


def test_the_plan_is_that_of_section_4_3():
    runs = {run.name: run.parameters for run in plan.plan("nyu", published=Published({"imagenet": "weights"})).runs}
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


def test_its_figures_are_those_that_it_has_runs_for():
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


def test_check_data_looks_into_it(root, tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(PROFILES, "nyu", replace(PROFILES["nyu"], sizes=(8,), images=8))
    lines = []
    assert check_data.check("nyu", str(root), runs=str(tmp_path / "runs"), say=lines.append) == 0, lines
    said = "\n".join(lines)
    assert "train: 8 labelled images" in said and "video: 12 frames in 3 sequences" in said
    assert "measured depth, in 4 images" in said and "1.5 to 4." in said


@pytest.mark.timeout(1200)
def test_the_whole_study_on_a_tiny_set(root, tmp_path, monkeypatch):
    few = dict(initialisations=("none", "depth-supervised"), parts=(), sizes=(4,), finetune_of={})
    tiny = ShrunkStudy(tmp_path, monkeypatch, "nyu", root, **few)
    said = "\n".join(tiny.make())
    images, truth, predicted = load_examples(tiny.runs / "pretrain" / "resnet18-slim-depth-supervised", "network")
    assert images.shape[1:] == (3, 64, 96) and 1 < truth[truth > 0].mean() < 5 and (predicted["network"] > 0).all()
    assert "no sizes: the labels have no thing that the photographs show" in said
    assert "fig05_frozen is not drawn" in said
    assert "NYU-V2" in (tiny.figures / "fig12_supervised_depth.json").read_text()
    assert PROFILES["nyu"].data.height == 384  # the shrunk one is in the copy alone
