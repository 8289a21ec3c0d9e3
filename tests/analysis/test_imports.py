"""Reading and drawing stored results needs no PyTorch, which takes seconds to load."""

import ast
import json
import subprocess
import sys
from pathlib import Path

from depthseg_lib.fingerprint import LIBRARY

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
