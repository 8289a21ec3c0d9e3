"""Predictions of rescaled images and object sizes: computed from runs, kept, stored with the results, read again."""

import numpy as np
import pandas as pd
import pytest
from helpers import planted

from depthseg_lib.analysis import results
from depthseg_lib.analysis.measurements import rescaling
from depthseg_lib.analysis.measurements import sizes as object_sizes
from depthseg_lib.analysis.statistics import differences
from depthseg_lib.data.resize import FACTORS
from depthseg_lib.errors import InputError
from depthseg_lib.training import finetune

NAME = "resnet18-slim-depth-full-n4-t0"


@pytest.fixture(scope="module")
def planted_runs(tmp_path_factory):
    """Planted runs with weights, and what was measured from them."""
    root = planted.plant(tmp_path_factory.mktemp("planted") / "runs", "smoke", examples=2)
    planted.plant_weights(root, "smoke", 4)
    full, figures, said = chosen(root), root.parent / "figures", []
    found = rescaling.load(full, root, figures, said.append)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(object_sizes, "PHOTOGRAPHS", 4)
        return root, found, object_sizes.load(full, root, figures, said.append), said


def chosen(runs, figures=None):
    return results.load("smoke", runs, figures or runs.parent / "figures").main.select(setting="full", images=4)


def test_every_run_is_scored_at_every_factor(planted_runs):
    _, found, _, said = planted_runs
    assert len(found.scores) == 3 * 5 and not found.missing and found.note == ""
    assert found.factors == pytest.approx(FACTORS) and set(found.scores["scored"]) == {20}
    assert found.scores[["miou_seven", "miou", "accuracy"]].stack().between(0, 1).all()
    assert "rescaled predictions from 3 runs of this machine" in found.source and sum(NAME in s for s in said) == 1
    assert found.shown["resnet18-slim", "depth"] == NAME
    assert found.predictions[NAME].shape == (5, 2, 64, 192) and found.predictions[NAME].dtype == np.uint8


def test_factor_1_has_the_score_that_the_run_itself_had(tmp_path):
    from helpers.small import finetuning

    from depthseg_lib.analysis.runs import RunFolder

    config = finetuning(iterations=2, annotated=12)
    run = finetune.run(config, tmp_path / "a" / "t0", lambda _: None)
    folder = RunFolder(tmp_path / "a" / "t0", config.to_mapping())
    full = planted.laptop().select(setting="full", images=16)
    tables, arrays = rescaling._compute(full, {folder.name: folder}, lambda _: None)
    row = tables["scores"].set_index("factor").loc[1.0]
    for metric in ("miou_seven", "miou", "accuracy"):
        assert row[metric] == pytest.approx(run.metrics[metric], abs=0.002)
    assert row["scored"] == 8 and row["name"] == "a-t0" and set(arrays["predictions"]) == {"a-t0"}


def test_objects_of_photographs_and_streets_are_measured_and_shown(planted_runs):
    _, _, sizes, _ = planted_runs
    assert set(sizes.objects["where"]) == {"photographs", "streets"}
    photographs = sizes.objects[sizes.objects["where"] == "photographs"]
    assert photographs["size"].between(8, 64).all() and photographs.groupby("thing").size().max() == 4
    assert {"car", "person"} <= set(sizes.mismatch["thing"]) and sizes.mismatch["smaller"].between(0, 1).all()
    assert list(sizes.shown["kind"]) == ["photograph", "small", "large"] * 3
    for row in sizes.shown.to_dict("records"):
        picture = sizes.examples[f"{row['thing']}.{row['kind']}"]
        assert picture.shape[0] == 3 and picture.dtype == np.uint8 and min(picture.shape[1:]) >= 64
        assert 0 <= row["top"] <= row["top"] + row["height"] <= picture.shape[1]
        assert 0 <= row["left"] <= row["left"] + row["width"] <= picture.shape[2]
    assert sizes.made_from["data"]["height"] == 64 and "data_folder" not in sizes.made_from["data"]


def test_a_crop_shows_the_object_that_its_box_says():
    image = np.zeros((3, 64, 192), np.uint8)
    image[:, 30:40, 100:190] = 9
    for left, width in ((100, 90), (0, 8)):
        box = {"top": 30, "left": left, "height": 10, "width": width}
        top, start, picture = object_sizes._around(image, box)
        assert np.array_equal(picture, image[:, top : top + 64, start : start + picture.shape[2]])
        assert picture.shape[2] == max(64, int(1.15 * width)) and start <= left <= start + picture.shape[2] - width


def test_real_images_are_not_among_the_examples():
    rows = [("car", 0, 5, 5, 20, 30, 400, 24.5, "photographs"), ("car", 0, 1, 1, 4, 4, 16, 4.0, "streets")]
    columns = ["thing", "image", "top", "left", "height", "width", "pixels", "size", "where"]
    photographs = np.zeros((1, 3, 64, 64), np.uint8)
    shown, examples = object_sizes._examples(pd.DataFrame(rows, columns=columns), photographs, None)
    assert list(shown["kind"]) == ["photograph"] and set(examples) == {"car.photograph"}


def test_nothing_is_computed_again_until_weights_change(planted_runs, monkeypatch):
    root, found, sizes, _ = planted_runs
    again = rescaling.load(chosen(root), root, root.parent / "figures", pytest.fail)
    pd.testing.assert_frame_equal(again.scores, found.scores)
    same = object_sizes.load(chosen(root), root, root.parent / "figures", pytest.fail)
    pd.testing.assert_frame_equal(same.objects, sizes.objects)
    weights = root / "smoke" / "finetune" / NAME[:-3] / "t0" / "weights.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(ZeroDivisionError):
        rescaling.load(chosen(root), root, root.parent / "figures", lambda _: 1 / 0)
    object_sizes.load(chosen(root), root, root.parent / "figures", pytest.fail)  # sizes are not of the weights
    weights.write_bytes(before)


def test_both_come_back_without_runs(planted_runs, tmp_path):
    root, found, sizes, _ = planted_runs
    results.save(results.load("smoke", root, root.parent / "figures"), tmp_path / "data")
    rescaling.save(found, "smoke", tmp_path)
    object_sizes.save(sizes, "smoke", tmp_path)
    results.save(results.load("smoke", root, root.parent / "figures"), tmp_path / "data")  # leaves them alone
    stored = chosen(tmp_path / "nowhere", tmp_path)
    again = rescaling.load(stored, tmp_path / "nowhere", tmp_path, pytest.fail)
    pd.testing.assert_frame_equal(again.scores, found.scores)
    assert np.array_equal(again.predictions[NAME], found.predictions[NAME]) and "committed" in again.source
    same = object_sizes.load(stored, tmp_path / "nowhere", tmp_path, pytest.fail)
    pd.testing.assert_frame_equal(same.objects, sizes.objects)
    assert all(np.array_equal(same.examples[name], of) for name, of in sizes.examples.items())
    (tmp_path / "data" / "object_sizes" / "examples.npz").write_bytes(b"broken")
    with pytest.raises(InputError, match="the object sizes cannot be read.*restore this folder with git"):
        object_sizes.load(stored, tmp_path / "nowhere", tmp_path)


def test_neither_runs_nor_committed_ones_says_what_to_run(planted_runs, tmp_path):
    root, *_ = planted_runs
    results.save(results.load("smoke", root, root.parent / "figures"), tmp_path / "data")
    stored = chosen(tmp_path / "nowhere", tmp_path)
    with pytest.raises(InputError, match="no committed rescaled predictions.*make figures PROFILE=smoke"):
        rescaling.load(stored, tmp_path / "nowhere", tmp_path)


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
