"""Published weights at the front door: what was given, what is then not trained, and what is refused early."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import planted
from helpers.published_files import (
    moco,
    monodepth2,
    resnet,
    without_classifier,
    write,
    write_imagenet,
    write_monodepth2,
)
from helpers.small import finetuning

from depthseg_lib import fingerprint
from depthseg_lib.analysis import results
from depthseg_lib.errors import InputError
from depthseg_lib.models.published import ENCODERS, Published
from depthseg_lib.settings import SELF_SUPERVISED, TRAINED_HERE
from depthseg_lib.study import plan
from depthseg_lib.study.profiles import PROFILES


def test_what_was_given_goes_by_initialisation(tmp_path):
    given = Published.given(str(tmp_path), "", f"moco-v2={tmp_path}/m, dino={tmp_path}/d")
    assert given.places == {"imagenet": f"{tmp_path}", "moco-v2": f"{tmp_path}/m", "dino": f"{tmp_path}/d"}
    assert given.initialisations == ("imagenet", "moco-v2", "dino", "depth-imagenet")
    assert Published.given("download").places == {"imagenet": "download"}
    assert Published.given(weights="dino=here.pth").places["dino"] == str(Path("here.pth").absolute())
    assert plan.NONE == Published.given() and plan.NONE.initialisations == ()
    assert set(ENCODERS) - set(TRAINED_HERE) == {"imagenet", *SELF_SUPERVISED}


def test_monodepth2s_folders_are_found_by_encoder_and_initialisation(tmp_path):
    given = Published.given(monodepth2=str(tmp_path))
    assert given.place("resnet18", "depth") == str(tmp_path / "mono_no_pt_640x192")
    assert given.place("resnet50", "depth-imagenet") == str(tmp_path / "mono_resnet50_640x192")
    assert given.initialisations == ("depth", "depth-imagenet")


def test_one_checkpoint_has_to_be_named(tmp_path):
    write(monodepth2("resnet18"), tmp_path)
    with pytest.raises(
        InputError, match="is one checkpoint: expected the folder above, with mono_no_pt.*WEIGHTS=depth="
    ):
        Published.given(monodepth2=str(tmp_path))
    given = Published.given(weights=f"depth-imagenet={tmp_path}")
    assert given.place("resnet18", "depth-imagenet") == str(tmp_path)


@pytest.mark.parametrize("text", ["dino", "dino=", "mae=file", "=file", "dino=a,b"])
def test_weights_of_another_form_are_refused(text):
    with pytest.raises(
        InputError, match=f"WEIGHTS={text}: expected name=file, .* imagenet, moco-v2, dino, depth, depth-"
    ):
        Published.given(weights=text)


def runs(published, profile="gpu"):
    return {(run.kind, run.name): run for run in plan.plan(profile, published=published).runs}


def test_given_depth_is_not_pre_trained_but_at_the_large_size(tmp_path):
    planned = runs(Published.given(monodepth2=str(tmp_path)))
    trained = {name for kind, name in planned if kind == "pretrain"}
    assert not {"resnet18-depth", "resnet50-depth", "resnet18-depth-imagenet"} & trained
    assert {"resnet18-depth-large", "resnet18-classification", "resnet18-depth-classification"} <= trained
    usual = planned["finetune", "resnet50-depth-imagenet-frozen-n16"]
    assert usual.needs == () and usual.trials[3]["start_weights"] == str(tmp_path / "mono_resnet50_640x192")
    assert planned["finetune", "resnet18-depth-full-n16-high"].needs == ("resnet18-depth-large",)
    assert planned["finetune", "resnet18-depth-full-n16-small-to-large"].needs == ()
    assert "depth" in plan.plan("gpu").figures["03_results"]


def test_weights_of_one_encoder_are_compared_on_that_one():
    planned = runs(Published.given(weights="moco-v2=m.pth,dino=d.pth"))
    names = {run.name for run in planned.values()}
    assert {"resnet50-moco-v2-full-n8", "resnet50-dino-frozen-n16"} <= names
    assert not any("resnet18-dino" in name or "resnet18-moco" in name or "depth-imagenet" in name for name in names)
    assert planned["finetune", "resnet50-dino-full-n16"].trials[0]["start_weights"] == str(Path("d.pth").absolute())


def test_imagenet_is_where_depth_starts_from(tmp_path):
    planned = runs(Published.given(imagenet=str(write_imagenet(tmp_path))))
    assert planned["pretrain", "resnet50-depth-imagenet"].trials[0]["start_weights"] == str(tmp_path)
    assert planned["finetune", "resnet18-depth-imagenet-full-n16"].needs == ("resnet18-depth-imagenet",)
    assert planned["finetune", "resnet18-imagenet-frozen-n16"].trials[0]["start_weights"] == str(tmp_path)


def test_whole_weights_are_accepted_before_anything_runs(tmp_path):
    write({"moco.pth.tar": moco(), "dino.pth": without_classifier(resnet("resnet50"))}, tmp_path)
    others = f"moco-v2={tmp_path}/moco.pth.tar,dino={tmp_path}/dino.pth"
    plan.check("gpu", published=Published.given(str(write_imagenet(tmp_path)), str(write_monodepth2(tmp_path)), others))


def swapped(root):
    write(monodepth2("resnet18"), root / "mono_resnet50_640x192")


def missing(root):
    (root / "mono_no_pt_640x192" / "depth.pth").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (swapped, "mono_resnet50_640x192/encoder.pth does not hold the whole resnet50 .*encoder.layer1.0.conv1.weight"),
        (missing, "mono_no_pt_640x192/depth.pth: there is no such file; expected a checkpoint of Monodepth2"),
    ],
)
def test_a_broken_checkpoint_is_said_before_anything_runs(damage, message, tmp_path):
    damage(write_monodepth2(tmp_path))
    with pytest.raises(InputError, match=message):
        plan.check("gpu", published=Published.given(monodepth2=str(tmp_path)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(weights="dino=nowhere.pth"), "nowhere.pth: there is no such file; expected weights"),
        (dict(monodepth2="nowhere"), "nowhere/mono_no_pt_640x192/encoder.pth: there is no such file"),
        (dict(imagenet="nowhere"), "nowhere: there is no such file; expected ImageNet weights"),
    ],
)
def test_what_is_not_there_is_said_before_anything_runs(given, message):
    with pytest.raises(InputError, match=message):
        plan.check("gpu", published=Published.given(**given))


def test_weights_that_no_encoder_of_the_profile_can_use_are_refused():
    with pytest.raises(
        InputError, match="'dino' were given, but they are of resnet50, and the profile has resnet18-slim"
    ):
        plan.check("laptop", published=Published.given(weights="dino=d.pth"))


def test_figures_find_runs_that_start_from_published_weights(tmp_path, monkeypatch):
    fewer = dict(encoders=("resnet18", "resnet50"), initialisations=("none", "depth"), sizes=(4,), parts=())
    fewer |= dict(settings=("full", "frozen"))
    monkeypatch.setitem(PROFILES, "smoke", replace(PROFILES["smoke"], **fewer))
    write_imagenet(tmp_path)
    given = Published.given(str(tmp_path), str(tmp_path), f"moco-v2={tmp_path}/m")
    assert "depth" not in plan.plan("smoke", published=given).figures["03_results"]
    planted.plant(tmp_path / "runs", "smoke", examples=2, published=given)
    found = results.load("smoke", tmp_path / "runs", tmp_path / "figures")
    assert found.source == "18 of 18 fine-tuning trials of this machine" and found.pretrain.empty
    assert list(dict.fromkeys(found.metrics["initialisation"])) == [
        "none",
        "imagenet",
        "moco-v2",
        "depth",
        "depth-imagenet",
    ]


def test_other_weights_make_another_run(tmp_path):
    def digest():
        config = finetuning(encoder="resnet18", initialisation="depth", start_weights=str(tmp_path))
        return fingerprint.of_run("finetune", config)

    digests = [digest()]
    for bias in (1, 2):
        write({"encoder.pth": {}, "depth.pth": {"bias": torch.tensor(bias)}, "pose.pth": {"bias": bias}}, tmp_path)
        digests.append(digest())
    write({"pose.pth": {}}, tmp_path)  # of no account to fine-tuning
    assert len(set(digests)) == 3 and digest() == digests[-1]
