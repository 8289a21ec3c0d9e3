"""Figures on disk: three files, the same bytes for the same data, and a json that says what they show."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from helpers import planted
from matplotlib.figure import Figure

from depthseg_lib import plots
from depthseg_lib.errors import InputError
from depthseg_lib.fingerprint import LIBRARY
from depthseg_lib.plots import saving


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
    assert not modules & set(plots.__all__) and all(callable(getattr(plots, name)) for name in plots.__all__)


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
    assert "interval" not in saving.about(results.select(trial=0), "").footer
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
