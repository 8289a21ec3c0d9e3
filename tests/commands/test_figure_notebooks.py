"""The notebooks that draw, where the whole smoke study (tests/test_workflow.py) does not show it: from committed results
alone, and from an unfinished study."""

import ast
import json
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from helpers import planted
from helpers.shared_kernel import shared_kernel

from depthseg_lib import fingerprint
from depthseg_lib.commands.notebook import execute
from depthseg_lib.study.workflow import drawn

ROOT = Path(__file__).parents[2]
COMMITTED = {
    "00_overview": (),
    "04_training_size": ("committed results",),
    "05_activations": ("committed results", "committed activations"),
    "06_scale_mismatch": ("committed results", "committed rescaled predictions"),
    "07_miou_vs_accuracy": ("committed results",),
    "10_claims": ("committed results",),
}
"""What notebooks say of where their numbers come from."""
PANELS = ("04_training_size", "05_activations", "06_scale_mismatch", "07_miou_vs_accuracy")


@pytest.fixture(scope="module")
def kernel():
    with pytest.MonkeyPatch.context() as patched, shared_kernel(ROOT / "notebooks", patched):
        yield


def run(stem: str, profile: str, runs: Path, figures: Path, **values: str) -> list:
    """The cells of the notebook, executed."""
    values |= {"profile": profile, "runs": str(runs), "figures": str(figures)}
    execute(ROOT / f"notebooks/{stem}.ipynb", values, log := figures.with_name(f"{stem}.ipynb"), print)
    return nbformat.read(log, as_version=4).cells


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stem", COMMITTED)
def test_figures_are_drawn_from_committed_results_alone(stem, tmp_path, kernel):
    figures, committed = tmp_path / "figures", ROOT / "figures/laptop/data"
    shutil.copytree(committed, figures / "data")
    cells = run(stem, "laptop", tmp_path / "no_runs", figures)
    names = json.loads((committed / "plan.json").read_text())["figures"][stem]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= len(names) + (stem in PANELS)
    assert all(said in str(cells) for said in COMMITTED[stem])
    assert {str(file) for file in figures.glob("*.*")} == set(drawn(figures, names))
    assert {json.loads(file.read_text())["profile"] for file in figures.glob("*.json")} == {"laptop"}


@pytest.mark.timeout(300)
def test_an_unfinished_study_is_drawn_but_not_stored_and_captions_say_what_is_missing(tmp_path, kernel):
    """Else what is stored would stand in for the runs in every later notebook, also when more of them have finished.
    Here some runs are missing, the exact flow is unknown as on real sets, and images are not to be shown."""
    runs, figures = planted.plant(tmp_path / "runs", "smoke", examples=2), tmp_path / "figures"
    flow = runs / "smoke/pretrain/resnet18-slim-flow/t0"
    values = json.loads((flow / "metrics.json").read_text())
    planted.write(flow / "metrics.json", {name: v for name, v in values.items() if not name.startswith("epe")})
    with np.load(flow / "flow_examples.npz") as stored:
        kept = {name: stored[name] for name in ("images", "flow")}
    np.savez_compressed(flow / "flow_examples.npz", **kept)
    (runs / "smoke/finetune/resnet18-slim-classification-full-n4/t0/metrics.json").unlink()
    run("03_results", "smoke", runs, figures, photographs="hidden")
    about = {path.stem: json.loads(path.read_text()) for path in figures.glob("*.json")}
    notes = {name: of["note"] for name, of in about.items()}
    for name in ("fig03_curves", "fig05_frozen", "table1"):
        assert "Not run: classification." in notes[name], name
    unplanned = "Not planned in this profile: none (random weights), classification."
    assert unplanned in notes["fig08_deeplab_high_resolution"]
    assert "The paper's Figure 3 is of KITTI" in notes["fig03_curves"]
    assert "exact flow of this set is not known" in notes["flow"]
    assert about["predictions"]["title"] == "Predictions" and "images and labels are left out" in notes["predictions"]
    assert "15 of 16" in str(run("04_training_size", "smoke", runs, figures))
    assert not (figures / "data").exists()


@pytest.mark.parametrize("file", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda file: file.stem)
def test_is_short_clean_and_portable(file):
    """Parameters are literals with a comment each: papermill's values come after them, so what is derived were stale."""
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert len(code) <= 15 and max(len(cell.source.splitlines()) for cell in code) <= 25
    (parameters,) = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    for statement in ast.parse(parameters.source).body:
        assert isinstance(statement, ast.Assign) and len(statement.targets) == 1
        value = ast.literal_eval(statement.value)
        assert isinstance(value, str) or file.stem[:2] in ("01", "02")
    assert all("  # " in line for line in parameters.source.splitlines())
    assert len(parameters.source.splitlines()) <= 12
    nodes = [node for cell in code for node in ast.walk(ast.parse(cell.source))]
    assert not any(isinstance(node, ast.ClassDef | ast.While) for node in nodes)
    assert "MPLBACKEND" not in str(code) and '"/' not in "".join(fingerprint.code(cell.source) for cell in code)
