"""Every measurement: computed from runs, kept for as long as these are the same, committed, and read without runs."""

import io
import json
import shutil
from contextlib import redirect_stdout
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import planted
from helpers.real_data import real_set
from helpers.small import finetuning

from depthseg_lib.analysis import results
from depthseg_lib.analysis.measurements import activations, census, load, rescaling, sizes
from depthseg_lib.analysis.measurements.grad_cam import LAYERS
from depthseg_lib.analysis.runs import RunFolder
from depthseg_lib.analysis.statistics import differences
from depthseg_lib.data.image_files import label_ids
from depthseg_lib.data.labels import CAMVID, KITTI, VOID
from depthseg_lib.data.resize import FACTORS
from depthseg_lib.data.sets.kitti import Kitti
from depthseg_lib.errors import InputError
from depthseg_lib.training import finetune

MEASUREMENTS = {"activations": activations, "census": census, "rescaled predictions": rescaling, "object sizes": sizes}
OF_RUNS = ("activations", "rescaled predictions")
RUN = "resnet18-slim-depth-full-n4"
NAME = f"{RUN}-t0"

pytestmark = pytest.mark.timeout(600)  # the first test waits for all measurements: 60 to 100 s on busy cores
each = pytest.mark.parametrize("name", MEASUREMENTS)


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """A folder with planted runs and their committed results, everything that was measured, and what was said."""
    root = planted.plant(tmp_path_factory.mktemp("planted") / "runs", "smoke", examples=2)
    planted.plant_weights(root, "smoke", 4)
    found, said = {}, io.StringIO()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(said):
        patched.setattr(sizes, "PHOTOGRAPHS", 4)
        for name, measurement in MEASUREMENTS.items():
            found[name] = measurement.load(chosen(root), root, root.parent / "figures")
    results.save(results.load("smoke", root, root.parent / "figures"), root.parent / "figures" / "data")
    for measured in found.values():
        measured.save(root.parent / "figures")
    return root, found, said.getvalue().splitlines()


def chosen(runs, figures="figures"):
    return results.load("smoke", runs, runs.parent / figures).main.select(setting="full", images=4)


def same(a, b) -> None:
    """Whether two measurements hold the same."""
    for name, table in a.stored.tables.items():
        pd.testing.assert_frame_equal(b.stored.tables[name], table)
    for name, arrays in a.stored.arrays.items():
        assert all(np.array_equal(b.stored.arrays[name][key], array) for key, array in arrays.items())


def test_activations_score_every_run_layer_and_image(taken):
    _, found, said = taken
    active = found["activations"]
    scores = active.scores
    assert len(scores) == 3 * 5 * 20 and not active.missing and active.note == ""  # runs, layers, images
    assert list(dict.fromkeys(scores["layer"])) == list(LAYERS) and scores["image"].nunique() == 20
    assert scores[["energy", "area", "edges"]].stack().dropna().between(0, 1).all()
    assert scores.loc[scores["layer"] == "stem", "energy"].notna().all()  # deep maps of random networks may be zero
    assert (scores.groupby("image")["area"].nunique() == 1).all()  # the same scenes for every run
    assert sum(line.startswith("activations of") for line in said) == 3
    assert active.shown["resnet18-slim", "depth"] == NAME and len(active.maps) == 3
    assert {layer: of.shape for layer, of in active.maps[NAME].items()} == {
        layer: (2, 64 >> s, 192 >> s) for s, layer in enumerate(LAYERS, 1)
    }
    assert active.maps[NAME]["stem"].dtype == np.uint8 and active.maps[NAME]["stem"].max() == 255


def test_rescaling_scores_every_run_at_every_factor(taken):
    _, found, said = taken
    scaled = found["rescaled predictions"]
    assert len(scaled.scores) == 3 * 5 and not scaled.missing and scaled.note == ""
    assert scaled.factors == pytest.approx(FACTORS) and set(scaled.scores["scored"]) == {20}
    assert scaled.scores[["miou_seven", "miou", "accuracy"]].stack().between(0, 1).all()
    assert sum(line.startswith("rescaled predictions of") for line in said) == 3
    assert scaled.shown["resnet18-slim", "depth"] == NAME
    assert scaled.predictions[NAME].shape == (5, 2, 64, 192) and scaled.predictions[NAME].dtype == np.uint8


def test_sizes_are_of_objects_in_photographs_and_streets(taken):
    measured = taken[1]["object sizes"]
    assert set(measured.objects["where"]) == {"photographs", "streets"}
    photographs = measured.objects[measured.objects["where"] == "photographs"]
    assert photographs["size"].between(8, 64).all() and photographs.groupby("thing").size().max() == 4
    assert {"car", "person"} <= set(measured.mismatch["thing"]) and measured.mismatch["smaller"].between(0, 1).all()
    assert list(measured.shown["kind"]) == ["photograph", "small", "large"] * 3
    for row in measured.shown.to_dict("records"):
        picture = measured.examples[f"{row['thing']}.{row['kind']}"]
        assert picture.shape[0] == 3 and picture.dtype == np.uint8 and min(picture.shape[1:]) >= 64
        assert 0 <= row["top"] <= row["top"] + row["height"] <= picture.shape[1]
        assert 0 <= row["left"] <= row["left"] + row["width"] <= picture.shape[2]


def test_the_census_counts_all_annotated_images(taken):
    counted = taken[1]["census"]
    assert counted.images == 24 and counted.classes["images"].max() == 24
    assert counted.classes["pixels"].sum() == 24 * 64 * 96
    assert counted.classes["share"].iloc[:-1].sum() == pytest.approx(1, abs=1e-5)


@each
def test_nothing_is_measured_again_until_a_run_changes(taken, tmp_path, monkeypatch, name):
    root, found, _ = taken
    measurement, figures = MEASUREMENTS[name], root.parent / "none"
    monkeypatch.setattr(measurement, "_compute", lambda *_: 1 / 0)
    again = measurement.load(chosen(root, "none"), root, figures)
    assert again.source == f"{name} from 3 runs of this machine"
    same(found[name], again)
    plan = root / "smoke" / "plan.json"
    files = [plan, *(root / "smoke" / "finetune" / RUN).rglob("metrics.json")]
    before = {file: file.read_text() for file in files}
    (run,) = (run for run in json.loads(plan.read_text())["runs"] if run["name"] == RUN)
    for file, text in before.items():  # the run was made anew, and is another one
        file.write_text(text.replace(run["trials"][0]["fingerprint"], "of another run"))
    with pytest.raises(ZeroDivisionError):
        measurement.load(chosen(root, "none"), root, figures)
    for file, text in before.items():
        file.write_text(text)


@each
def test_what_is_committed_comes_back_without_runs(taken, monkeypatch, name):
    root, found, _ = taken
    monkeypatch.setattr(MEASUREMENTS[name], "_compute", pytest.fail)
    nowhere = root.parent / "nowhere"
    again = MEASUREMENTS[name].load(chosen(nowhere), nowhere, root.parent / "figures")
    assert again.source.startswith(f"committed {name} under")
    same(found[name], again)


@each
def test_neither_runs_nor_committed_ones_says_what_to_run(taken, tmp_path, name):
    root, _, _ = taken
    nowhere = root.parent / "nowhere"
    with pytest.raises(InputError, match=f"no committed {name}.*make figures PROFILE=smoke"):
        MEASUREMENTS[name].load(chosen(nowhere), nowhere, tmp_path)


def test_runs_without_their_weights_say_what_to_run(taken, tmp_path):
    ignored = shutil.ignore_patterns("weights.safetensors", "measured")
    root = shutil.copytree(taken[0], tmp_path / "runs", ignore=ignored)
    with pytest.raises(InputError, match="none of the 3 runs has its weights.safetensors.*make figures PROFILE=smoke"):
        activations.load(chosen(root), root, tmp_path / "figures")


@pytest.mark.parametrize("name", OF_RUNS)
def test_what_was_asked_for_and_is_not_there_is_named(taken, tmp_path, name):
    root, found, _ = taken
    tables = found[name].stored.tables
    scores = tables["scores"][tables["scores"]["name"] != NAME]
    before, tables["scores"] = tables["scores"], scores
    found[name].save(tmp_path)
    tables["scores"] = before
    nowhere = root.parent / "nowhere"
    again = MEASUREMENTS[name].load(chosen(nowhere), nowhere, tmp_path)
    assert again.missing == (NAME,) and again.note == f"No {name} of {NAME}."
    assert "depth" not in {start for _, start in again.shown}


def test_diverged_runs_are_not_asked_for(taken):
    full = chosen(taken[0])
    diverged = full.metrics.assign(diverged_at=np.where(full.metrics["name"] == NAME, 2, np.nan))
    assert len(load.asked_for(full)) == 3 and NAME not in load.asked_for(replace(full, metrics=diverged))


def test_stored_activations_are_small(tmp_path):
    """Within 100 KiB for the scores of all runs of the laptop profile on 72 images, and as much again for the maps."""
    full = planted.laptop().select(setting="full", images=16)
    planted.activations(full, images=72).save(tmp_path)
    files = {path.name: path.stat().st_size for path in (tmp_path / "data" / "activations").iterdir()}
    assert set(files) == {"about.json", "maps.npz", "scores.parquet"} and max(files.values()) < 100 * 2**10


def test_factor_1_has_the_score_that_the_run_itself_had(tmp_path):
    config = finetuning(iterations=2, annotated=12)
    run = finetune.run(config, tmp_path / "a" / "t0", lambda _: None)
    folder = RunFolder(tmp_path / "a" / "t0", config.to_mapping())
    full = planted.laptop().select(setting="full", images=16)
    tables, arrays = rescaling._compute(full, {folder.name: folder})
    row = tables["scores"].set_index("factor").loc[1.0]
    for metric in ("miou_seven", "miou", "accuracy"):
        assert row[metric] == pytest.approx(run.metrics[metric], abs=0.002)
    assert row["scored"] == 12 and row["name"] == "a-t0" and set(arrays["predictions"]) == {"a-t0"}


def test_losses_are_taken_run_by_run():
    full = planted.laptop().select(setting="full", images=16)
    found = planted.rescaling(full)
    losses = found.losses()
    assert len(losses) == 4 * len(full.metrics) and 1.0 not in set(losses["factor"])
    row = losses.iloc[0]
    own = found.scores[found.scores["name"] == row["name"]].set_index("factor")["miou"]
    assert row["miou"] == pytest.approx(own[row["factor"]] - own[1.0])
    gaps = differences(losses, [("depth", "none")], "miou", by=["encoder", "factor"]).set_index("factor")
    assert gaps.loc[2.0, "verdict"] == "higher" and gaps.loc[2.0, "mean"] == pytest.approx(0.09, abs=0.02)


def test_images_and_pixels_of_every_class_and_of_void():
    labels = np.full((3, 4, 5), 1, np.uint8)
    labels[0, 0] = 0
    labels[0, 1, :2] = VOID
    labels[2] = VOID
    found = census.census(labels, CAMVID).set_index("class")
    assert list(found.index) == [*CAMVID.classes, "void"]
    assert found.loc["sky"].tolist() == [1, 5, 5 / 38]
    assert found.loc["building"].tolist() == [2, 33, 33 / 38]
    assert found.loc["void"].tolist() == [2, 22, 22 / 60]
    assert not found.loc["pole":"bicyclist"].any(axis=None)
    assert found["images"].dtype == found["pixels"].dtype == np.int64


def test_nothing_labelled_has_no_share():
    found = census.census([np.full((2, 2), VOID, np.uint8)], CAMVID)
    assert found["share"].tolist() == [0.0] * 11 + [1.0]


def test_the_real_labels_of_kitti():
    files = [pair.files[1] for pair in Kitti(real_set("kitti_semantics")).labelled["training"]]
    labels = [KITTI.encode(label_ids(file), str(file)) for file in files]
    found = census.census(labels, KITTI).set_index("class")
    assert found["pixels"].sum() == sum(image.size for image in labels)
    assert found["images"].max() == len(files) == 5 == found.loc["road", "images"]
    assert found.loc[["road", "vegetation", "car", "sky"], "share"].sum() > 0.5
