"""Results from run folders, from the committed tables, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers import planted

from depthseg_lib.analysis import results
from depthseg_lib.analysis import runs as runs_of
from depthseg_lib.errors import InputError

RUN = "resnet18-slim-depth-full-n4"
NAME = f"{RUN}-t0"


@pytest.fixture
def runs(tmp_path):
    return planted.plant(tmp_path / "runs", "smoke", examples=2)


def load(root, figures="figures"):
    return results.load("smoke", root, root.parent / figures)


def edit(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_reads_every_run_as_it_stands_in_its_folder(runs):
    found = load(runs)
    assert (
        len(found.metrics) == 18
        and found.of_this_machine
        and found.complete
        and found.source == "18 of 18 fine-tuning trials of this machine"
    )
    row = found.metrics.set_index("name").loc[NAME]
    folder = runs / "smoke" / "finetune" / RUN / "t0"
    assert row["miou_seven"] == json.loads((folder / "metrics.json").read_text())["miou_seven"]
    assert (row["initialisation"], row["images"], row["commit"]) == ("depth", 4, "0123abc")
    cells = found.select(initialisation="depth", setting="full", images=4).confusion
    with np.load(folder / "confusion.npz") as stored:
        assert cells["count"].sum() == stored["images"].sum()
        truth = list(found.label_set.classes).index("road")
        assert cells.loc[cells["truth"] == "road", "count"].sum() == stored["images"][:, truth].sum()
    assert list(dict.fromkeys(found.metrics["initialisation"])) == [
        "none",
        "classification",
        "depth",
        "depth-classification",
        "depth-supervised",
        "flow",
    ]


def test_a_study_that_is_not_finished_does_not_take_the_place_of_stored_results(runs):
    results.save(load(runs), runs.parent / "figures" / "data")
    (runs / "smoke" / "finetune" / RUN / "t0" / "metrics.json").unlink()
    partial = load(runs)
    assert len(partial.metrics) == 18 and not partial.of_this_machine and not partial.complete
    assert "committed" in partial.source and "17 of 18 fine-tuning trials of this machine: too few" in partial.source
    without = load(runs, "nothing there")
    assert len(without.metrics) == 17 and without.of_this_machine and not without.complete


def test_stored_results_come_back_whole(runs):
    found = load(runs)
    results.save(found, runs.parent / "figures" / "data")
    again = results.load("smoke", runs.parent / "nowhere", runs.parent / "figures")
    assert "committed" in again.source and not again.of_this_machine
    for name in ("metrics", "history", "pretrain"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(found, name), check_dtype=False)
    key = [*runs_of.RUN, "image", "truth", "prediction"]
    ours, stored = (
        f.confusion.astype({k: str for k in key}).sort_values(key, ignore_index=True) for f in (found, again)
    )
    pd.testing.assert_frame_equal(stored, ours, check_dtype=False)
    assert np.array_equal(again.examples.images, found.examples.images)
    assert np.array_equal(again.examples.predictions[NAME], found.examples.predictions[NAME])
    assert again.examples.indices == found.examples.indices
    (name, depth), *_ = found.depth_examples.items()
    assert np.abs(again.depth_examples[name].prediction - depth.prediction).max() <= 0.0051
    ((name, flow),) = found.flow_examples.items()
    assert np.array_equal(again.flow_examples[name].images, flow.images)
    np.testing.assert_allclose(again.flow_examples[name].true_flow, flow.true_flow, rtol=1e-3)


def test_stored_results_are_small(tmp_path):
    """Bytes of one trial's runs on 184 images; the tables three times, for three trials, the pictures once."""
    planted.plant(tmp_path, "laptop", trials=1, validation=184)
    results.save(results.load("laptop", tmp_path, tmp_path), tmp_path / "data")
    sizes = {path: path.stat().st_size for path in (tmp_path / "data").rglob("*.*")}
    tables = [size for path, size in sizes.items() if path.suffix == ".parquet"]
    assert 3 * max(tables) < 2**20
    assert sum(sizes.values()) + 2 * sum(tables) < 5 * 2**20


def test_a_run_that_is_not_the_plans_is_left_out(runs):
    edit(runs / "smoke" / "finetune" / RUN / "t0" / "metrics.json", fingerprint="of other settings or other code")
    found = load(runs)
    assert NAME not in set(found.metrics["name"]) and "made by other code, left out" in found.source
    assert len(found.metrics) == 17


def test_a_diverged_run_is_named_but_has_no_final_numbers(runs):
    planted.diverge(runs / "smoke" / "finetune" / RUN / "t0", at=2)
    found = load(runs)
    row = found.metrics.set_index("name").loc[NAME]
    assert row["diverged_at"] == 2 and np.isnan(row["miou_seven"])
    chosen = found.select(initialisation="depth", setting="full", images=4)
    assert chosen.confusion.empty and not chosen.history.empty


@pytest.mark.parametrize("file", ["confusion.npz", "history.parquet", "predictions.npz", "metrics.json"])
def test_a_broken_file_is_named(runs, file):
    path = runs / "smoke" / "finetune" / RUN / "t0" / file
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=f"{RUN}/t0/{file}"):
        load(runs)


def test_matrices_of_other_classes_are_refused(runs):
    path = runs / "smoke" / "finetune" / RUN / "t0" / "confusion.npz"
    np.savez(path, images=np.zeros((20, 11, 11), np.uint32), names=np.arange(20).astype(str))
    with pytest.raises(InputError, match="expected 19 classes of KITTI"):
        load(runs)


def test_without_any_run_of_the_main_comparison_it_says_so(runs):
    folder = runs / "smoke" / "finetune"
    for path in folder.glob("*/t0/metrics.json"):
        if not path.parts[-3].endswith(("-high", "-whole")):
            path.unlink()
    with pytest.raises(InputError, match="runs/smoke: no finished .* of the main comparison.* high, whole: run `make"):
        load(runs)


def test_nothing_at_all_says_what_to_run(tmp_path):
    with pytest.raises(InputError, match="make figures PROFILE=smoke"):
        results.load("smoke", tmp_path / "runs", tmp_path / "figures")
    with pytest.raises(InputError, match="make figures PROFILE=labtop` first; did you mean 'laptop'"):
        results.load("labtop", tmp_path / "runs")


def test_stored_results_of_another_profile_are_refused(runs):
    results.save(load(runs), runs.parent / "figures" / "data")
    with pytest.raises(InputError, match="are of profile 'smoke', expected 'laptop'"):
        results.load("laptop", runs, runs.parent / "figures")


def test_selecting_what_was_not_run_says_so(runs):
    with pytest.raises(InputError, match="no finished run of profile 'smoke' has"):
        load(runs).select(images=999)


def test_the_main_comparison_is_without_what_stands_apart(runs):
    found = load(runs)
    assert {"high", "whole", "large-to-small"} <= set(found.metrics["experiment"])
    assert set(found.main.metrics["experiment"]) == {"main"}
    assert "flow" in set(found.metrics["initialisation"]) and "flow" not in set(found.main.metrics["initialisation"])
    assert set(found.confusion["experiment"]) == {"main"}
    both = found.main.select(setting=["full", "frozen"], images=(4,))
    assert set(both.metrics["setting"]) == {"full", "frozen"}
    assert found.has(setting="deeplab", experiment="high") and not found.has(setting="deeplab", images=8)
