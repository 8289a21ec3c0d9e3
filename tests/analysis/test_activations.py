"""Activations of runs: computed from weights, kept, stored with the results, and refused where they do not fit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import planted
from helpers.small import finetuning

from depthseg_lib.analysis import results
from depthseg_lib.analysis.measurements import activations as measured
from depthseg_lib.analysis.measurements import grad_cam, networks
from depthseg_lib.analysis.measurements.grad_cam import LAYERS
from depthseg_lib.data.arrays import Labelled
from depthseg_lib.data.labels import KITTI, VOID
from depthseg_lib.data.sources import load_annotated
from depthseg_lib.errors import InputError
from depthseg_lib.training import finetune

RUN = "resnet18-slim-depth-full-n4"
NAME = f"{RUN}-t0"


def quiet(_):
    pass


@pytest.fixture(scope="module")
def planted_runs(tmp_path_factory):
    """Planted runs with weights, and the activations computed from them."""
    root = planted.plant(tmp_path_factory.mktemp("planted") / "runs", "smoke", examples=2)
    planted.plant_weights(root, "smoke", 4)
    said = []
    return root, measured.load(chosen(root), root, root.parent / "figures", said.append), said


def chosen(runs: Path, figures="figures"):
    return results.load("smoke", runs, runs.parent / figures).main.select(setting="full", images=4)


def folder_of(runs: Path) -> Path:
    """The folder of the trial `NAME`."""
    run, _, trial = NAME.rpartition("-")
    return runs / "smoke" / "finetune" / run / trial


def test_every_run_layer_and_image_is_scored(planted_runs):
    _, active, said = planted_runs
    scores = active.scores
    assert len(scores) == 3 * 5 * 20 and not active.missing and active.note == ""  # runs, layers, images
    assert list(dict.fromkeys(scores["layer"])) == list(LAYERS) and scores["image"].nunique() == 20
    assert scores[["energy", "area", "edges"]].stack().dropna().between(0, 1).all()
    assert scores.loc[scores["layer"] == "stem", "energy"].notna().all()  # deep maps of random networks may be zero
    assert (scores.groupby("image")["area"].nunique() == 1).all()  # the same scenes for every run
    assert "3 runs of this machine" in active.source and sum("images" in line for line in said) >= 3


def test_each_initialisation_has_maps_of_the_example_images(planted_runs):
    _, active, _ = planted_runs
    assert active.shown["resnet18-slim", "depth"] == NAME and len(active.maps) == 3
    assert {layer: of.shape for layer, of in active.maps[NAME].items()} == {
        layer: (2, 64 >> s, 192 >> s) for s, layer in enumerate(LAYERS, 1)
    }
    assert active.maps[NAME]["stem"].dtype == np.uint8 and active.maps[NAME]["stem"].max() == 255


def test_nothing_is_computed_again_until_weights_change(planted_runs):
    root, active, _ = planted_runs
    again = measured.load(chosen(root), root, root.parent / "figures", pytest.fail)
    pd.testing.assert_frame_equal(again.scores, active.scores)
    weights = folder_of(root) / "weights.safetensors"
    before = weights.read_bytes()
    weights.write_bytes((weights.parents[2] / "resnet18-slim-none-full-n4" / "t0" / weights.name).read_bytes())
    with pytest.raises(InputError, match="holds weights of the initialisation 'none', but 'depth' was asked for"):
        measured.load(chosen(root), root, root.parent / "figures", quiet)
    weights.write_bytes(before)


def test_stored_activations_come_back_without_runs(planted_runs, tmp_path):
    root, active, _ = planted_runs
    results.save(results.load("smoke", root, root.parent / "figures"), tmp_path / "data")
    measured.save(active, "smoke", tmp_path)
    results.save(results.load("smoke", root, root.parent / "figures"), tmp_path / "data")  # leaves them alone
    found = results.load("smoke", tmp_path / "nowhere", tmp_path).main.select(setting="full", images=4)
    stored = measured.load(found, tmp_path / "nowhere", tmp_path, pytest.fail)
    assert "committed activations under" in stored.source and not stored.missing
    pd.testing.assert_frame_equal(stored.scores, active.scores)
    assert all(np.array_equal(stored.maps[name][k], of) for name, m in active.maps.items() for k, of in m.items())
    assert stored.shown == active.shown


def test_stored_activations_are_small(tmp_path):
    """Within 100 KiB for the scores of all runs of the laptop profile on 72 images, and as much again for the maps."""
    full = planted.laptop().select(setting="full", images=16)
    measured.save(planted.activations(full, images=72), "laptop", tmp_path)
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "data" / "activations").iterdir()}
    assert set(sizes) == {"about.json", "maps.npz", "scores.parquet"} and max(sizes.values()) < 100 * 2**10


def test_what_was_asked_for_and_is_not_there_is_named(planted_runs, tmp_path):
    root, active, _ = planted_runs
    results.save(results.load("smoke", root, root.parent / "figures"), tmp_path / "data")
    kept = active.scores[active.scores["name"] != NAME]
    measured.save(replace(active, scores=kept), "smoke", tmp_path)
    found = results.load("smoke", tmp_path / "nowhere", tmp_path).main.select(setting="full", images=4)
    stored = measured.load(found, tmp_path / "nowhere", tmp_path)
    assert stored.missing == (NAME,) and NAME in stored.note and NAME not in stored.maps


def test_neither_weights_nor_committed_activations_says_what_to_run(tmp_path):
    root = planted.plant(tmp_path / "runs", "smoke", examples=2)
    with pytest.raises(InputError, match="none of the 3 runs has its weights.safetensors.*make figures PROFILE=smoke"):
        measured.load(chosen(root), root, tmp_path / "figures")
    results.save(results.load("smoke", root, tmp_path / "figures"), tmp_path / "figures" / "data")
    found = chosen(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no committed activations.*make figures PROFILE=smoke"):
        measured.load(found, tmp_path / "nowhere", tmp_path / "figures")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (dict(profile="laptop"), "of profile 'laptop', version 3 of the study, expected 'smoke'"),
        (dict(study=0), "version 0 of the study"),
        ("maps.npz", "cannot be read.*restore this folder with git"),
        ("scores.parquet", "cannot be read.*restore this folder with git"),
    ],
)
def test_stored_activations_that_do_not_fit_are_refused(planted_runs, tmp_path, damage, message):
    root, active, _ = planted_runs
    results.save(results.load("smoke", root, root.parent / "figures"), tmp_path / "data")
    measured.save(active, "smoke", tmp_path)
    folder = tmp_path / "data" / "activations"
    if isinstance(damage, dict):
        about = json.loads((folder / "about.json").read_text())
        (folder / "about.json").write_text(json.dumps(about | damage))
    else:
        (folder / damage).write_bytes((folder / damage).read_bytes()[:50])
    found = results.load("smoke", tmp_path / "nowhere", tmp_path).main.select(setting="full", images=4)
    with pytest.raises(InputError, match=message):
        measured.load(found, tmp_path / "nowhere", tmp_path)


def test_a_diverged_run_is_not_asked_for(tmp_path):
    root = planted.plant(tmp_path / "runs", "smoke", examples=2)
    planted.diverge(folder_of(root), at=2)
    planted.plant_weights(root, "smoke", 4)
    active = measured.load(chosen(root), root, tmp_path / "figures", quiet)
    assert NAME not in set(active.scores["name"]) and not active.missing and len(active.maps) == 2


def test_boundary_scores_are_means_over_images():
    full = planted.laptop().select(setting="full", images=16)
    active = planted.activations(full)
    scores = active.scores.copy()
    here = (scores["name"] == scores["name"].iloc[0]) & (scores["layer"] == "stem")
    scores.loc[here, "energy"], scores.loc[here, "area"] = [0.2, 0.4, np.nan, 0.1, 0.9], [0.1, 0.4, 0.5, 0.2, np.nan]
    row = replace(active, scores=scores).boundary_scores().iloc[0]
    assert row["ratio"] == pytest.approx((2 + 1 + 0.5) / 3) and row["scored"] == 3
    assert row["highest"] == pytest.approx((10 + 2.5 + 2 + 5) / 4) and row["edges"] == pytest.approx(0.6 * 19.5 / 4)


def test_the_network_of_a_run_is_the_one_that_predicted(tmp_path):
    config = finetuning(iterations=2)
    run = finetune.run(config, tmp_path, quiet)
    network = networks.network_of(config, tmp_path / "weights.safetensors", 19)
    shown = load_annotated(config, config.images)[1].images[run.shown]
    images = torch.from_numpy(shown).float() / 255
    with torch.no_grad():
        again = network(images).argmax(1).numpy()
    assert (again == run.predictions).mean() > 0.999  # sums in another order may tip a pixel


def test_scenes_are_the_last_images_with_void_left_out():
    labels = np.zeros((80, 64, 96), np.uint8)
    labels[:, :, 48:] = 1
    labels[:, 60:] = VOID
    labels[-1] = 4  # no border at all
    seen = grad_cam.scenes(Labelled(np.zeros((80, 3, 64, 96), np.uint8), labels, KITTI, tuple(map(str, range(80)))))
    assert seen.names[0] == "8" and len(seen.images) == 72
    assert seen.area[0] == pytest.approx(6 * 60 / (96 * 60)) and np.isnan(seen.area[-1])
    assert np.isnan(grad_cam.edge_shares(seen)).all()  # black images have no gradient
