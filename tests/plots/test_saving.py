"""Figures on disk: three files, the same bytes for the same data, a json beside; and what pre-training runs predict."""

import json
import subprocess
import sys
from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from helpers import planted
from matplotlib.figure import Figure

from depthseg_lib import plots
from depthseg_lib.errors import InputError
from depthseg_lib.fingerprint import LIBRARY
from depthseg_lib.plots import pretrained, saving


@pytest.fixture
def results():
    return planted.laptop().select(setting="full", images=16)


def test_png_svg_and_json_and_the_same_bytes_again(results, tmp_path):
    about = saving.about(results, "Curves", "16 training images.")
    for folder in ("a", "b"):
        shown = saving.save(plots.curves(results.history, about.footer), "fig", tmp_path / folder, about)
    for kind in ("png", "svg", "json"):
        assert (tmp_path / "a" / f"fig.{kind}").read_bytes() == (tmp_path / "b" / f"fig.{kind}").read_bytes()
    image, size = shown._repr_png_()
    assert image.startswith(b"\x89PNG") and 600 < size["width"] < 900
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["fig.json", "fig.png", "fig.svg"]


def test_the_users_own_settings_change_no_byte(results, tmp_path):
    dark = {"figure.facecolor": "black", "axes.grid": True, "font.family": "monospace", "lines.linewidth": 9}
    dark |= {"savefig.bbox": "tight", "axes.prop_cycle": matplotlib.cycler("color", ["red"]), "svg.fonttype": "none"}
    for folder, settings in (("a", {}), ("b", dark)):
        with matplotlib.rc_context(settings):
            about = saving.about(results, "Curves")
            saving.save(plots.miou_vs_accuracy(results.history, about.footer), "fig", tmp_path / folder, about)
    for kind in ("png", "svg"):
        assert (tmp_path / "a" / f"fig.{kind}").read_bytes() == (tmp_path / "b" / f"fig.{kind}").read_bytes()


DRAWN = """
import sys
from depthseg_lib import plots
from depthseg_lib.analysis import results
from depthseg_lib.analysis.claims.ledger import ledger
from depthseg_lib.plots import pretrained, saving

found = results.load("laptop", "no runs")
moved = pretrained.flow(found)
flow = plots.flow_examples(moved.images, moved.predicted["flow"], moved.truth)
for name, figure in {"claims": plots.claims(ledger(found)), "flow": flow}.items():
    saving.save(figure, name, sys.argv[1], saving.drawing(name, "laptop"))
"""


def test_another_process_writes_the_same_bytes(tmp_path):
    """Of the figures whose layouts differ from process to process, in the last bits, by which clips are named."""
    for folder in ("a", "b"):
        subprocess.run([sys.executable, "-c", DRAWN, tmp_path / folder], cwd=LIBRARY.parent, check=True)
    for name in ("claims.png", "claims.svg", "flow.png", "flow.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_name_of_the_plots_is_either_a_figure_or_a_module():
    modules = {path.stem for path in (LIBRARY / "plots").glob("*.py")}
    assert not modules & {name for name, of in vars(plots).items() if callable(of)}


def test_json_tells_data_profile_commit_device_runs_and_trials(results, tmp_path):
    about = saving.about(results, "Curves")
    saving.save(Figure(), "fig", tmp_path, about)
    found = json.loads((tmp_path / "fig.json").read_text())
    assert found["data"] == "embedded street world" and found["profile"] == "laptop" and found["trials"] == 3
    assert (
        found["commit"] == ["0123abc"]
        and found["device"] == ["2 CPU threads"]
        and found["interval"] == "95 % t-interval"
    )
    assert len(found["runs"]) == 12 and "resnet18-slim-depth-full-n16-t2" in found["runs"]


def test_footer_names_everything(results):
    footer = saving.about(results, "", "A note.").footer
    assert footer == (
        "embedded street world, profile laptop, ResNet-18 slim (quarter width), 3 trials, "
        "95 % t-interval of the mean. A note. mIoU over the data set; representative: road, sidewalk, building, "
        "vegetation, terrain, sky, car."
    )
    assert "(quarter width), 1 trial: no interval. mIoU" in saving.about(results.select(trial=0), "").footer
    assert "trial" not in saving.about(results, "").plain


def test_diverged_runs_are_named(results):
    metrics = results.metrics.copy()
    metrics.loc[metrics["name"] == "resnet18-slim-depth-full-n16-t1", "diverged_at"] = 120.0
    note = saving.about(replace(results, metrics=metrics), "").note
    assert "left out of the means: resnet18-slim-depth-full-n16-t1 at iteration 120" in note


def test_a_table_is_also_csv_and_markdown(results, tmp_path):
    table = results.metrics[["initialisation", "miou_seven"]]
    saving.save_table(Figure(), table, "| text |\n", "table1", tmp_path, saving.about(results, "Table"))
    assert (tmp_path / "table1.md").read_text() == "| text |\n"
    assert (tmp_path / "table1.csv").read_text().startswith("initialisation,miou_seven\nnone,0.")


def test_a_folder_that_cannot_be_written_is_named(results, tmp_path):
    (tmp_path / "figures").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        saving.save(Figure(), "fig", tmp_path / "figures", saving.drawing("x", "laptop"))


def test_empty_notes_are_left_out(results):
    assert saving.about(results, "", "A note.", "", "Another.", scores=False).note == "A note. Another."


def test_trials_that_differ_are_a_range(results):
    depth = results.metrics["initialisation"] == "depth"
    fewer = replace(results, metrics=results.metrics[~depth | (results.metrics["trial"] > 0)])
    described = saving.about(fewer, "")
    assert (described.fewest_trials, described.trials) == (2, 3)
    assert ", 2 to 3 trials, 95 % t-interval of the mean." in described.footer
    lost = results.metrics.assign(diverged_at=results.metrics["diverged_at"].mask(results.metrics["trial"] == 1, 9.0))
    assert ", 2 trials, " in saving.about(replace(results, metrics=lost), "").footer


SLIM, OTHER = "resnet18-slim", "resnet50"


@pytest.fixture
def one():
    return planted.everything()


@pytest.fixture
def two(one):
    """The same with a second encoder, whose depth is twice as far and which lacks depth-classification."""
    runs = one.pretrain[one.pretrain["initialisation"] != "depth-classification"]
    names = runs["name"].str.replace(SLIM, OTHER)
    other = runs.assign(name=names, encoder=OTHER, abs_rel=runs["abs_rel"] + 0.1, epe=runs["epe"] + 1)
    depth = {n.replace(SLIM, OTHER): replace(e, prediction=2 * e.prediction) for n, e in one.depth_examples.items()}
    flow = {name.replace(SLIM, OTHER): pair for name, pair in one.flow_examples.items()}
    return replace(
        one, pretrain=pd.concat([one.pretrain, other]), depth_examples=one.depth_examples | depth,
        flow_examples=one.flow_examples | flow,
    )  # fmt: skip


def test_one_encoder_has_all_frames_and_no_names_of_rows(one):
    found = pretrained.depth(one)
    assert list(found.predicted) == ["depth", "depth-classification", "depth-supervised"] and found.rows == ()
    assert len(found.images) == len(one.depth_examples[f"{SLIM}-depth"].images)
    assert set(found.runs["name"]) == {f"{SLIM}-{name}" for name in found.predicted}  # none at the large size


def test_two_encoders_stand_under_one_another(two):
    found = pretrained.depth(two)
    few = pretrained.FEW
    assert found.rows == ("ResNet-18 slim (quarter width)",) * few + ("ResNet-50",) * few
    assert np.array_equal(found.predicted["depth"][few:], 2 * found.predicted["depth"][:few])
    blank = np.isnan(found.predicted["depth-classification"])
    assert blank[few:].all() and not blank[:few].any()
    figure = plots.depth_examples(found.images, found.truth, found.predicted, "", rows=found.rows)
    written = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert written == ["ResNet-18 slim (quarter width)", "ResNet-50"]


def test_errors_of_depth_stand_in_a_sentence_for_the_caption(one, two):
    counted = one.pretrain.assign(evaluated=64)
    assert pretrained.depth(replace(one, pretrain=counted)).depth_errors == (
        "Abs-rel on 64 held-out frames: depth 0.31, depth-classification 0.31, depth-supervised 0.31, the mean depth "
        "map 0.52 (means over 3 pre-trainings, of which the first is shown)."
    )
    assert "ResNet-50, depth 0.41, ResNet-50, depth-supervised 0.41" in pretrained.depth(two).depth_errors
    unknown = one.pretrain.drop(columns=["abs_rel", "abs_rel_mean_map"])
    assert pretrained.depth(replace(one, pretrain=unknown)).depth_errors == ""


def test_flow_of_all_encoders_has_an_error_each(one, two):
    assert pretrained.flow(one).flow_errors == pytest.approx({"trained": 1.9, "no flow": 3.8, "mean flow": 2.2})
    both = pretrained.flow(two)
    errors = {"ResNet-18 slim (quarter width)": 1.9, "ResNet-50": 2.9, "no flow": 3.8, "mean flow": 2.2}
    assert both.flow_errors == pytest.approx(errors)
    assert both.images.shape[0] == 2 * pretrained.FEW == len(both.rows)


def test_flow_without_truth_has_no_errors(one):
    """Real sets have no exact flow: the table of runs has no such column."""
    unknown = one.pretrain.drop(columns=[name for name in one.pretrain if name.startswith("epe")])
    pairs = {name: replace(pair, true_flow=None) for name, pair in one.flow_examples.items()}
    found = pretrained.flow(replace(one, pretrain=unknown, flow_examples=pairs))
    assert found.truth is None and found.flow_errors == {}
    plots.flow_examples(found.images, found.predicted["flow"], found.truth, found.flow_errors)


def test_without_runs_there_is_nothing(one):
    assert pretrained.depth(replace(one, depth_examples={})) is None
    assert pretrained.flow(replace(one, flow_examples={})) is None


def test_the_json_of_such_a_figure_names_the_pretraining_runs(one):
    about = saving.about_pretraining(one, pretrained.depth(one).runs, "Depth", "A note.", "")
    assert about.runs == tuple(f"{SLIM}-{name}" for name in ("depth", "depth-classification", "depth-supervised"))
    assert (about.trials, about.commit, about.note) == (1, ("0123abc",), "A note.")
