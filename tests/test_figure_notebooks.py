"""Notebooks 00, 03 and 04 run headlessly on planted results, show their figures and leave the files."""

import ast
import json
from pathlib import Path

import nbformat
import planted
import pytest

from depthseg_lib.notebook import NotebookFailed, execute
from depthseg_lib.study import FIGURES

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
STEMS = ("00_overview", "03_results", "04_training_size")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return planted.plant(tmp_path_factory.mktemp("runs"), "smoke", examples=2)


def run(stem: str, runs: Path, figures: Path, log: Path):
    execute(NOTEBOOKS / f"{stem}.ipynb", {"profile": "smoke", "runs": str(runs), "figures": str(figures)}, log, print)
    return nbformat.read(log, as_version=4)


def pictures(notebook) -> int:
    return sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))


@pytest.mark.parametrize("stem", STEMS)
def test_runs_headlessly_shows_and_saves_its_figures(stem, runs, tmp_path):
    executed = run(stem, runs, tmp_path / "figures", tmp_path / "log.ipynb")
    assert pictures(executed) >= len(FIGURES[stem])
    for name in FIGURES[stem]:
        written = {path.suffix for path in (tmp_path / "figures").glob(f"{name}.*")}
        assert written == {".png", ".svg", ".json"} | ({".csv", ".md"} if name.startswith("table") else set())
        assert json.loads((tmp_path / "figures" / f"{name}.json").read_text())["profile"] == "smoke"


def test_draws_from_the_stored_results_when_the_runs_are_gone(runs, tmp_path):
    figures = tmp_path / "figures"
    run("03_results", runs, figures, tmp_path / "log.ipynb")
    before = (figures / "table1.csv").read_bytes(), (figures / "fig03_curves.svg").read_bytes()
    executed = run("03_results", tmp_path / "no_runs", figures, tmp_path / "again.ipynb")
    assert "committed results" in str(executed.cells)
    assert ((figures / "table1.csv").read_bytes(), (figures / "fig03_curves.svg").read_bytes()) == before


def test_without_any_results_says_what_to_run(tmp_path):
    with pytest.raises(NotebookFailed, match="make figures PROFILE=smoke"):
        run("04_training_size", tmp_path / "runs", tmp_path / "figures", tmp_path / "log.ipynb")


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
    assert not any(isinstance(node, ast.ClassDef | ast.While) for cell in code for node in ast.walk(ast.parse(cell.source)))
    assert "MPLBACKEND" not in str(code) and '"/' not in "".join(cell.source for cell in code)
