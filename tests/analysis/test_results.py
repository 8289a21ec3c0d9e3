"""Results from run folders, from the committed tables, and what is refused; the store; scores on common images."""

import ast
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import planted

from depthseg_lib.analysis import results, store
from depthseg_lib.analysis import runs as runs_of
from depthseg_lib.analysis.results import common_scores
from depthseg_lib.analysis.store import Stored
from depthseg_lib.errors import InputError
from depthseg_lib.files import read_json
from depthseg_lib.fingerprint import LIBRARY
from depthseg_lib.losses import metrics
from depthseg_lib.plots import saving

RUN = "resnet18-slim-depth-full-n4"
NAME = f"{RUN}-t0"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    return planted.plant(tmp_path_factory.mktemp("smoke") / "runs", "smoke", examples=2)


@pytest.fixture
def runs(smoke, tmp_path):
    """Planted runs of its own for a test that changes them."""
    return shutil.copytree(smoke, tmp_path / "runs")


def load(root, figures="figures"):
    return results.load("smoke", root, root.parent / figures)


def edit(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_reads_every_run_as_it_stands_in_its_folder(runs):
    found = load(runs)
    assert (
        len(found.metrics) == 16
        and found.of_this_machine
        and found.complete
        and found.source == "16 of 16 fine-tuning trials of this machine"
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


def test_each_trial_says_from_which_draw_of_the_pretraining_it_starts(tmp_path):
    found = results.load("laptop", planted.plant(tmp_path / "runs", "laptop", examples=2, validation=3), tmp_path)
    by = {name: of for name, of in found.metrics.groupby("initialisation")}
    assert (by["depth"]["pretraining"] == by["depth"]["trial"]).all() and set(by["none"]["pretraining"]) == {-1}
    assert (found.pretrain["pretraining"] == found.pretrain["trial"]).all() and set(found.pretrain["trial"]) == {
        0,
        1,
        2,
    }


def test_a_study_that_is_not_finished_does_not_take_the_place_of_stored_results(runs):
    results.save(load(runs), runs.parent / "figures" / "data")
    (runs / "smoke" / "finetune" / RUN / "t0" / "metrics.json").unlink()
    partial = load(runs)
    assert len(partial.metrics) == 16 and not partial.of_this_machine and not partial.complete
    assert (
        "committed" in partial.source
        and "15 of 16 fine-tuning trials of this machine, no trial whole" in partial.source
    )
    without = load(runs, "nothing there")
    assert len(without.metrics) == 15 and without.of_this_machine and not without.complete


def test_while_a_study_runs_its_whole_trials_are_drawn_and_no_others(tmp_path):
    root = planted.plant(tmp_path / "runs", "laptop", examples=2, validation=3)
    results.save(results.load("laptop", root, tmp_path / "figures"), tmp_path / "figures/data")
    all_of_one = len(list((root / "laptop/finetune").glob("*/t0")))
    for folder in sorted((root / "laptop/finetune").glob("*/t[12]"))[1:]:
        (folder / "metrics.json").unlink()  # the second trial has begun
    found = results.load("laptop", root, tmp_path / "figures")
    assert set(found.metrics["trial"]) == {0} and len(found.metrics) == all_of_one
    assert found.of_this_machine and not found.complete
    counted = f"{all_of_one} of {3 * all_of_one} fine-tuning trials of this machine"
    assert found.source == f"{counted}; 1 of trials that are not whole yet left out"
    assert "1 trial: no interval." in saving.about(found, "title").footer


def test_stored_results_come_back_whole(runs):
    found = load(runs)
    results.save(found, runs.parent / "figures" / "data")
    again = results.load("smoke", runs.parent / "nowhere", runs.parent / "figures")
    assert "committed" in again.source and not again.of_this_machine
    for name in ("metrics", "history", "pretrain", "pretrain_history"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(found, name), check_dtype=False)
    key = [*runs_of.RUN, "image", "truth", "prediction"]
    ours, stored = (
        f.confusion.astype({k: str for k in key}).sort_values(key, ignore_index=True) for f in (found, again)
    )
    pd.testing.assert_frame_equal(stored, ours, check_dtype=False)
    assert np.array_equal(again.examples.images, found.examples.images)
    assert np.array_equal(again.examples.predictions[NAME], found.examples.predictions[NAME])
    assert (
        list(found.examples.course[NAME]) == list(again.examples.course[NAME]) and len(again.examples.course[NAME]) == 3
    )
    assert all(np.array_equal(of, found.examples.course[NAME][at]) for at, of in again.examples.course[NAME].items())
    larger = next(name for name in found.examples.course if "-n8-" in name)
    assert list(again.examples.course[larger]) == [max(found.examples.course[larger])]  # another size: the end alone
    assert again.examples.indices == found.examples.indices
    (name, depth), *_ = found.depth_examples.items()
    assert np.abs(again.depth_examples[name].prediction - depth.prediction).max() <= 0.0051
    ((name, flow),) = found.flow_examples.items()
    assert np.array_equal(again.flow_examples[name].images, flow.images)
    np.testing.assert_allclose(again.flow_examples[name].true_flow, flow.true_flow, rtol=1e-3)


def test_results_stored_without_the_course_of_pre_training_have_its_end(runs):
    folder = runs.parent / "figures" / "data"
    results.save(load(runs), folder)
    (folder / "pretrain_history.parquet").unlink()
    edit(folder / "about.json", tables=[name for name in read_json(folder / "about.json")["tables"] if "_" not in name])
    again = results.load("smoke", runs.parent / "nowhere", runs.parent / "figures")
    pd.testing.assert_frame_equal(again.pretrain_history, again.pretrain)


def test_predictions_stored_without_their_iterations_are_of_the_end(runs):
    folder, found = runs.parent / "figures" / "data", load(runs)
    ends = {name: {max(of): of[max(of)]} for name, of in found.examples.course.items()}
    results.save(replace(found, examples=replace(found.examples, course=ends)), folder)
    about = read_json(folder / "about.json")
    (folder / "about.json").write_text(json.dumps({key: of for key, of in about.items() if key != "iterations"}))
    again = results.load("smoke", runs.parent / "nowhere", runs.parent / "figures")
    assert list(again.examples.course[NAME]) == [4]
    assert np.array_equal(again.examples.predictions[NAME], found.examples.predictions[NAME])


def test_stored_results_are_small(tmp_path):
    """Those of the whole laptop study, three trials of each run, written as they are today."""
    results.save(results.load("laptop", tmp_path), tmp_path)
    sizes = {path: path.stat().st_size for path in tmp_path.rglob("*.*")}
    assert max(size for path, size in sizes.items() if path.suffix == ".parquet") < 2**20
    assert sum(sizes.values()) < 5 * 2**20


def test_a_run_that_is_not_the_plans_is_left_out(runs):
    edit(runs / "smoke" / "finetune" / RUN / "t0" / "metrics.json", fingerprint="of other settings or other code")
    found = load(runs)
    assert NAME not in set(found.metrics["name"]) and "made by other code, left out" in found.source
    assert len(found.metrics) == 15


def test_a_trial_that_was_copied_in_part_is_left_out_and_named(runs):
    folder = runs / "smoke" / "finetune" / RUN / "t0"
    sizes = {name: (folder / name).stat().st_size for name in ("history.parquet", "confusion.npz")}
    edit(folder / "metrics.json", files=sizes)
    assert len(load(runs).metrics) == 16
    (folder / "confusion.npz").unlink()
    found = load(runs)
    assert len(found.metrics) == 15 and f"missing or cut off: {NAME} (confusion.npz)" in found.source


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


def test_all_sizes_are_scored_on_the_images_that_all_of_them_have(smoke):
    """As on a real set, where the larger training set leaves fewer images to validate on."""
    full = load(smoke).select(setting="full")
    taken = [f"street{i:03d}" for i in range(24, 28)]
    left = full.confusion[~(full.confusion["image"].isin(taken) & (full.confusion["images"] == 8))]
    scored = common_scores(left, full.label_set)
    assert len(scored) == 8 and set(scored["validation"]) == {16}
    row = scored[(scored["initialisation"] == "depth") & (scored["images"] == 4)].iloc[0]
    with np.load(smoke / "smoke" / "finetune" / RUN / "t0" / "confusion.npz") as stored:
        common = stored["images"][~np.isin(stored["names"], taken)]
    assert len(common) == 16
    assert row["miou_seven"] == pytest.approx(metrics.miou(common, full.label_set.representative))
    assert row["miou_occurring"] == pytest.approx(metrics.miou(common, np.flatnonzero(common.sum((0, 2)))))
    assert row["accuracy"] == pytest.approx(metrics.accuracy(common))


def test_each_trial_and_setting_is_scored_on_its_own_images(smoke):
    found, frames = load(smoke).confusion, []
    own = {("frozen", 0): range(24, 30), ("full", 1): range(24, 30)}
    for (name, part), trial in product(found.groupby("setting", observed=True), (0, 1)):
        without = [f"street{i:03d}" for i in own.get((name, trial), ())]
        frames.append(part[~part["image"].isin(without)].assign(trial=trial))
    scored = common_scores(pd.concat(frames, ignore_index=True), load(smoke).label_set)
    counts = scored.groupby(["setting", "trial"], observed=True)["validation"].unique().map(list).to_dict()
    expected = {("frozen", 0): [14], ("frozen", 1): [20], ("full", 0): [20], ("full", 1): [14]}
    assert {key: counts[key] for key in expected} == expected


def made() -> Stored:
    numbers = np.random.default_rng(0)
    return Stored(
        {"profile": "smoke", "shown": [3, 5]},
        {"scores": pd.DataFrame({"name": ["a", "b"], "value": [0.5, np.nan]})},
        {"maps/first": {"layer1": numbers.random((2, 3)), "layer2": np.arange(4)}},
        {
            "images": numbers.integers(0, 256, (2, 8, 9, 3), np.uint8),
            "labels/one": numbers.integers(0, 256, (3, 8, 9), np.uint8),
            "depth": numbers.integers(0, 65536, (2, 5, 6), np.uint16),
        },
        numbers.integers(0, 256, (256, 3), np.uint8),
    )


def test_what_is_written_comes_back_whole(tmp_path):
    written = made()
    assert not store.exists(tmp_path)
    store.write(tmp_path, written)
    found = store.read(tmp_path, "smoke")
    assert store.exists(tmp_path) and found.about == written.about
    pd.testing.assert_frame_equal(found.tables["scores"], written.tables["scores"])
    assert all(np.array_equal(found.arrays["maps/first"][k], of) for k, of in written.arrays["maps/first"].items())
    assert found.pictures.keys() == written.pictures.keys()
    for name, pictures in written.pictures.items():
        assert found.pictures[name].dtype == pictures.dtype and np.array_equal(found.pictures[name], pictures)


def test_writing_again_removes_what_is_no_longer_there_and_nothing_else(tmp_path):
    store.write(tmp_path, made())
    store.write(tmp_path / "other", made())
    (tmp_path / "plan.json").write_text("{}")
    store.write(tmp_path, Stored({"profile": "smoke"}, made().tables))
    assert {path.name for path in tmp_path.rglob("*.*") if "other" not in path.parts} == {
        "about.json",
        "plan.json",
        "scores.parquet",
    }
    assert store.read(tmp_path / "other", "smoke").pictures


@pytest.mark.parametrize("file", ["scores.parquet", "maps/first.npz", "labels/one.png"])
@pytest.mark.parametrize("damage", ["broken", "missing"])
def test_what_is_broken_or_missing_says_what_to_do(tmp_path, file, damage):
    store.write(tmp_path, made())
    (tmp_path / file).write_bytes(b"broken") if damage == "broken" else (tmp_path / file).unlink()
    with pytest.raises(InputError, match="incomplete.*restore this folder with git, or remove it and run `make fig"):
        store.read(tmp_path, "smoke")


def test_results_of_another_profile_are_refused(tmp_path):
    store.write(tmp_path, made())
    with pytest.raises(InputError, match="are of profile 'smoke', expected 'laptop'"):
        store.read(tmp_path, "laptop")


PROJECT = LIBRARY.parent
TRAINS = ("01_pretrain", "02_finetune")
HEAVY = ("torch", "torchvision", "pytorch_grad_cam", "lightning", "snakemake", "papermill")
LOADED = """
from depthseg_lib.analysis import learning_curves, missing, results
from depthseg_lib.analysis.measurements import activations, census, rescaling, sizes

found = results.load("laptop", "no runs")
missing.load(found)
results.common_scores(found.main.confusion, found.label_set)
full = found.main.select(setting="full", images=found.base_images)
for measurement in (activations, census, rescaling, sizes):
    measurement.load(full, "no runs")
"""


def imports_of(notebook: Path) -> str:
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    nodes = [node for cell in cells for node in ast.parse("".join(cell["source"])).body]
    return "\n".join(ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))


def test_notebooks_that_draw_and_stored_results_load_without_pytorch():
    drawing = [path for path in sorted(PROJECT.glob("notebooks/*.ipynb")) if path.stem not in TRAINS]
    said = f"\nimport sys\nprint(sorted(set({HEAVY}) & set(sys.modules)))"
    code = "\n".join(map(imports_of, drawing)) + LOADED + said
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
