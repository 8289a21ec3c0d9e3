import ast
import json
import os
from pathlib import Path

import nbformat
import pytest

from depthseg_lib import fingerprint
from depthseg_lib.study import plan, workflow
from depthseg_lib.study.workflow import Request

LIBRARY = Path(fingerprint.__file__).parent
NEUTRAL = {"errors.py", "files.py", "fingerprint.py", "data/cache.py"}
"""How things are written, and where; what names a run measures nothing."""


def imported(source: str) -> set[Path]:
    """The library files that `source` imports; a package is its `__init__.py`."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    found = set()
    for name in names:
        path = LIBRARY.parent.joinpath(*name.split("."))
        if path.is_relative_to(LIBRARY) and path != LIBRARY:
            found |= {path.with_suffix(".py"), path / "__init__.py"}
    return {file for file in found if file.is_file()}


def reached(sources: list[str], without: set[str] = frozenset()) -> set[str]:
    """All library files that `sources` import, directly or not, as paths from the library's folder.

    A file of nothing but its docstring has nothing to depend on.
    """
    waiting, seen = set().union(*map(imported, sources)), set()
    while waiting:
        file = waiting.pop()
        name = str(file.relative_to(LIBRARY))
        if name in seen or name in without or len(ast.parse(file.read_text()).body) <= 1:
            continue
        seen.add(name)
        waiting |= imported(file.read_text())
    return seen


def declared(kind: str, *data_sets: str) -> set[str]:
    files = {file for data_set in data_sets or ("",) for file in fingerprint.library(kind, data_set)}
    return {str(Path(file).relative_to(LIBRARY.name)) for file in files}


@pytest.mark.parametrize("kind", ["pretrain", "finetune"])
def test_a_training_run_depends_on_all_that_its_code_imports_and_on_no_plot(kind):
    needed = reached([f"from depthseg_lib.training import {kind}"], without=NEUTRAL)
    assert needed <= declared(kind, *fingerprint.READS)
    assert not {file for file in declared(kind, *fingerprint.READS) if "plot" in file or "panel" in file}


def test_a_reader_of_real_sets_retrains_nothing_of_the_embedded_world():
    real, streets = declared("finetune", "camvid"), declared("finetune", "streets")
    assert "data/camvid.py" in real and "data/camvid.py" not in streets
    assert {"data/streets.py", "world/render.py"} <= streets


def test_a_figure_depends_on_all_that_its_notebook_imports():
    for stem in plan.FIGURES:
        notebook = nbformat.read(LIBRARY.parent / "notebooks" / f"{stem}.ipynb", as_version=4)
        cells = ["\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")]
        training = declared("pretrain", *fingerprint.READS) | declared("finetune", *fingerprint.READS)
        missing = reached(cells, without=NEUTRAL) - declared(fingerprint.FIGURES) - training
        assert not missing, stem


def test_every_pattern_of_the_graph_finds_a_file():
    patterns = {
        pattern for listed in (*fingerprint.DEPENDS_ON.values(), *fingerprint.READS.values()) for pattern in listed
    }
    assert not [pattern for pattern in patterns if not list(LIBRARY.glob(pattern))]


def test_a_picture_has_three_files_and_a_table_five():
    assert workflow.drawn("figures", ("claims",)) == [
        f"figures/claims.{s}" for s in ("png", "svg", "json", "csv", "md")
    ]
    assert workflow.drawn("figures/laptop", ("fig03_curves", "table1")) == [
        *(f"figures/laptop/fig03_curves.{suffix}" for suffix in ("png", "svg", "json")),
        *(f"figures/laptop/table1.{suffix}" for suffix in ("png", "svg", "json", "csv", "md")),
    ]


def test_gpus_are_shared_out_and_a_cluster_asks_for_one_each(tmp_path):
    local = workflow.command(Request("gpu", gpus="0,1", jobs_per_gpu=3, cores=8))
    assert local[local.index("--resources") + 1] == "gpu=6" and "gpu=1" in local
    assert local[local.index("--cores") + 1] == "8"
    cluster = workflow.command(Request("gpu", executor="slurm", gpus="all"))
    assert "--cores" not in cluster and "--resources" not in cluster and "gpu=1" in cluster
    assert "gpu=0" in workflow.command(Request("gpu", executor="slurm", gpus=""))
    plain = workflow.command(Request("laptop", cores=2))
    assert "--resources" not in plain and "gpu=0" in plain


def test_jobs_have_one_thread_each_and_keep_to_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    environment = workflow.environment(Request("gpu", gpus="0,1"))
    assert {environment[name] for name in workflow.ONE_THREAD} == {"1"}
    assert environment["XDG_CACHE_HOME"].startswith(str(tmp_path)) and environment["DEPTHSEG_GPUS"] == "0,1"
    assert environment.get("CUDA_VISIBLE_DEVICES") == os.environ.get("CUDA_VISIBLE_DEVICES")
    assert "DEPTHSEG_GPUS" not in workflow.environment(Request("gpu", executor="slurm", gpus="0"))


@pytest.mark.parametrize("executor", ["local", "slurm"])
def test_without_gpus_jobs_see_none(executor, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert workflow.environment(Request("laptop", executor=executor))["CUDA_VISIBLE_DEVICES"] == ""


def test_the_plan_for_the_snakefile_holds_no_parameters(tmp_path):
    from types import SimpleNamespace

    request = Request("laptop", runs=str(tmp_path))
    parameters = {"data_set": "streets", "rate": 1e-4}
    run = SimpleNamespace(kind="finetune", name="a", needs=("b",), cost=2.0, parameters=parameters)
    workflow.write_plan(request, [run], {"03_results": ("table1",)})
    assert json.loads(request.plan.read_text()) == {
        "profile": "laptop",
        "runs": [{"kind": "finetune", "name": "a", "needs": ["b"], "cost": 2.0, "data_set": "streets"}],
        "figures": {"03_results": ["table1"]},
        "made_from": "",
    }
