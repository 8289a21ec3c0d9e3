"""The notebooks that draw run headlessly on planted results, show their figures and leave the files."""

import ast
import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
from helpers import planted
from helpers.shared_kernel import shared_kernel

from depthseg_lib.commands.notebook import execute
from depthseg_lib.study import plan
from depthseg_lib.study.workflow import drawn as files_of

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
STEMS = ("00_overview", "03_results", "04_training_size", "05_activations", "06_scale_mismatch")
STEMS += ("07_miou_vs_accuracy", "10_claims")
PANELS = ("04_training_size", "05_activations", "06_scale_mismatch", "07_miou_vs_accuracy")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = planted.plant(tmp_path_factory.mktemp("runs"), "smoke", examples=2)
    planted.plant_weights(root, "smoke", 4)
    return root


@pytest.fixture
def kernel(monkeypatch):
    with shared_kernel(NOTEBOOKS, monkeypatch):
        yield


def run(stem: str, runs: Path, figures: Path, log: Path, **values: str):
    values |= {"profile": "smoke", "runs": str(runs), "figures": str(figures)}
    execute(NOTEBOOKS / f"{stem}.ipynb", values, log, print)
    return nbformat.read(log, as_version=4)


def pictures(notebook) -> int:
    return sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))


@pytest.mark.timeout(600)
def test_run_headlessly_show_and_save_their_figures(runs, tmp_path, kernel):
    """The first two, 05 and 06 find runs; the rest, and 05 and 06 again, draw from what those stored."""
    drawn = plan.plan("smoke").figures
    figures, nowhere = tmp_path / "figures", tmp_path / "no_runs"
    measured = ("05_activations", "06_scale_mismatch")
    places = [(stem, runs if stem in (*STEMS[:2], *measured) else nowhere) for stem in STEMS]
    for stem, where in [*places, *((stem, nowhere) for stem in measured)]:
        executed = run(stem, where, figures, tmp_path / f"{stem}.ipynb")
        assert pictures(executed) >= len(drawn[stem]) + (stem in PANELS)
        assert ("committed results" in str(executed.cells)) == (where == nowhere)
        for name in drawn[stem]:
            written = {path.suffix for path in figures.glob(f"{name}.*")}
            assert written == {Path(file).suffix for file in files_of(figures, (name,))}
            assert json.loads((figures / f"{name}.json").read_text())["profile"] == "smoke"
        if where == nowhere and stem in measured:
            assert "committed " + {"05": "activations", "06": "rescaled predictions"}[stem[:2]] in str(executed.cells)


@pytest.mark.timeout(300)
def test_an_unfinished_study_is_drawn_but_not_stored(tmp_path, kernel):
    """Else what is stored would stand in for the runs in every later notebook, also when more of them have finished."""
    runs, figures = planted.plant(tmp_path / "runs", "smoke", examples=2), tmp_path / "figures"
    (runs / "smoke/finetune/resnet18-slim-depth-full-n4/t0/metrics.json").unlink()
    run("03_results", runs, figures, tmp_path / "03.ipynb", photographs="hidden")
    about = json.loads((figures / "predictions.json").read_text())
    assert about["title"] == "Predictions" and "images and labels are left out" in about["note"]
    assert "Not run: depth" in json.loads((figures / "fig03_curves.json").read_text())["note"]
    assert not (figures / "data").exists()
    assert "17 of 18" in str(run("04_training_size", runs, figures, tmp_path / "04.ipynb").cells)


@pytest.mark.parametrize("stem", STEMS)
def test_is_short_clean_and_portable(stem):
    notebook = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert len(code) <= 15 and max(len(cell.source.splitlines()) for cell in code) <= 25
    (parameters,) = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    assert all(isinstance(ast.literal_eval(line.value), str) for line in ast.parse(parameters.source).body)
    assert all("#" in line for line in parameters.source.splitlines())
    assert not any(
        isinstance(node, ast.ClassDef | ast.While) for cell in code for node in ast.walk(ast.parse(cell.source))
    )
    assert "MPLBACKEND" not in str(code) and '"/' not in "".join(cell.source for cell in code)


@pytest.mark.timeout(600)
def test_what_a_figure_lacks_stands_in_its_caption(tmp_path):
    """Real sets have no exact flow, and a study that is going on has not all runs."""
    root = planted.plant(tmp_path / "runs", "smoke", examples=2)
    flow = root / "smoke" / "pretrain" / "resnet18-slim-flow"
    values = json.loads((flow / "metrics.json").read_text())
    planted.write(flow / "metrics.json", {name: v for name, v in values.items() if not name.startswith("epe")})
    with np.load(flow / "flow_examples.npz") as stored:
        kept = {name: stored[name] for name in ("images", "flow")}
    np.savez_compressed(flow / "flow_examples.npz", **kept)
    for name in ("classification-frozen-n4", "classification-full-n4"):
        (root / "smoke" / "finetune" / f"resnet18-slim-{name}" / "t0" / "metrics.json").unlink()
    figures = tmp_path / "figures"
    run("03_results", root, figures, tmp_path / "03.ipynb")
    notes = {path.stem: json.loads(path.read_text())["note"] for path in figures.glob("*.json")}
    assert "exact flow of this set is not known" in notes["flow"]
    for name in ("fig03_curves", "fig05_frozen", "table1"):
        assert "Not run: classification." in notes[name], name
    unplanned = "Not planned in this profile: none (random weights), classification."
    assert unplanned in notes["fig08_deeplab_high_resolution"]
    assert "The paper's Figure 3 is of KITTI" in notes["fig03_curves"]
