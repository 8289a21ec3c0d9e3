"""What makes a result the same, and what does not."""

import json
import os

import pytest
import torch
from helpers.tiny_project import write_notebook

from depthseg_lib import fingerprint
from depthseg_lib.files import write_json
from depthseg_lib.fingerprint import LIBRARY
from depthseg_lib.models.networks import DepthNetwork
from depthseg_lib.models.weights import save_weights
from depthseg_lib.settings import FinetuneConfig, PretrainConfig


def names(kind, **settings):
    config = {"pretrain": PretrainConfig, "finetune": FinetuneConfig}[kind](**settings)
    return {file.relative_to(LIBRARY).as_posix() for file in fingerprint.sources(kind, config)}


def notebook(path, *cells, **about):
    """A notebook of code cells, the first tagged `parameters`."""
    made = [{"cell_type": "code", "metadata": {}, "source": cell, "outputs": []} | about for cell in cells]
    made[0]["metadata"] = {"tags": ["parameters"]}
    path.write_text(json.dumps({"cells": made, "metadata": about, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_comments_docstrings_and_blank_lines_compute_nothing():
    plain = 'def half(x):\n    return x / 2\nNAME = "# no comment"\n'
    more = '"""What it is."""\n\n# why\ndef half(x):\n    """Half\n    of it."""\n    return x / 2  # by two\nNAME = "# no comment"\n"""Told."""\n'
    assert fingerprint.code(more) == fingerprint.code(plain)
    assert fingerprint.code(plain.replace("2", "3")) != fingerprint.code(plain)
    assert fingerprint.code('text = """one"""\n') != fingerprint.code('text = """two"""\n')


def test_a_cell_that_is_no_python_by_itself_counts_as_it_is():
    assert fingerprint.code("%matplotlib inline") == "%matplotlib inline"


def test_where_files_lie_changes_no_fingerprint():
    plain = fingerprint.of_run("finetune", FinetuneConfig(), "weights")
    moved = FinetuneConfig(data_folder="/elsewhere", start_weights="/there/weights.safetensors", fingerprint="known")
    assert fingerprint.of_run("finetune", moved, "weights") == plain
    assert fingerprint.of_run("finetune", FinetuneConfig(trial=3), "weights") == plain  # all trials are of one run


@pytest.mark.parametrize("other", [{"images": 8}, {"learning_rate": 2e-3}, {"data_digest": "new"}, {"world_seed": 1}])
def test_every_other_setting_does(other):
    assert fingerprint.of_run("finetune", FinetuneConfig(**other)) != fingerprint.of_run("finetune", FinetuneConfig())


def test_what_a_run_starts_from_is_part_of_it():
    config = FinetuneConfig(initialisation="depth")
    assert fingerprint.of_run("finetune", config, "one") != fingerprint.of_run("finetune", config, "other")


def test_a_run_depends_on_what_computes_it_and_on_no_drawing():
    for kind in ("pretrain", "finetune"):
        found = names(kind)
        assert {f"training/{kind}.py", "training/engine.py", "losses/losses.py", "models/encoder.py"} <= found
        assert {name.split("/")[0] for name in found} <= {"training", "losses", "models", "data", "world"}


def test_a_task_depends_on_its_own_procedure():
    assert "training/depth.py" in names("pretrain") and "training/flow.py" not in names("pretrain")
    assert "training/depth.py" in names("pretrain", initialisation="depth-supervised")
    assert not {"training/depth.py", "training/flow.py"} & names("pretrain", initialisation="classification")
    assert not {"training/depth.py", "training/classification.py"} & names("finetune")


@pytest.mark.parametrize(
    ("data_set", "reads"),
    [("kitti", "data/sets/kitti.py"), ("nyu", "data/sets/nyu.py"), ("folder", "data/sets/own.py")],
)
def test_a_readers_mending_retrains_no_other_set(data_set, reads):
    found, streets = names("pretrain", data_set=data_set), names("pretrain")
    assert reads in found and not {name for name in found if name.startswith("world/")}
    assert not {name for name in streets if name.startswith("data/sets/")} and "world/render.py" in streets
    assert "data/image_files.py" in found and "data/image_files.py" not in streets


def test_classification_depends_on_its_photographs():
    assert "data/photographs.py" in names("pretrain", initialisation="classification", data_set="kitti")
    own = names("pretrain", initialisation="classification", data_set="kitti", photographs_folder="/photographs")
    assert "data/sets/image_folder.py" in own and "data/photographs.py" not in own


def test_published_formats_are_part_of_what_starts_from_them_alone():
    assert "models/checkpoints.py" in names("finetune", initialisation="imagenet", encoder="resnet18")
    assert "models/checkpoints.py" not in names("finetune", initialisation="depth")


def test_only_a_notebooks_code_counts(tmp_path):
    plain = fingerprint.of_notebook(notebook(tmp_path / "a.ipynb", "x = 1", "print(x)"))
    saved = notebook(tmp_path / "b.ipynb", "x = 2", "print(x)  # shown", outputs=[{"text": "1"}], execution_count=7)
    assert fingerprint.of_notebook(saved) == plain
    assert fingerprint.of_notebook(notebook(tmp_path / "c.ipynb", "x = 1", "print(x + 1)")) != plain


def test_the_same_tensors_agree_whatever_file_they_are_in(tmp_path):
    torch.manual_seed(0)
    network = DepthNetwork("resnet18-slim")
    files = [tmp_path / name for name in ("one.safetensors", "two.safetensors")]
    save_weights(network, files[0], encoder="resnet18-slim", initialisation="depth")
    save_weights(network, files[1], initialisation="depth", made="elsewhere", encoder="resnet18-slim")
    assert files[0].read_bytes() != files[1].read_bytes()
    assert fingerprint.of_weights(files[0]) == fingerprint.of_weights(files[1])
    torch.save(network.state_dict(), tmp_path / "three.pth")
    assert fingerprint.of_weights(tmp_path / "three.pth") == fingerprint.of_weights(files[0])
    with torch.no_grad():
        next(network.parameters()).add_(1e-6)
    assert fingerprint.of_tensors(network.state_dict()) != fingerprint.of_tensors(torch.load(tmp_path / "three.pth"))


def test_a_file_of_weights_is_read_once_until_it_changes(tmp_path, monkeypatch):
    file, read = tmp_path / "encoder.pth", []
    torch.save({"conv1.weight": torch.zeros(2)}, file)
    whole = fingerprint.of_tensors
    monkeypatch.setattr(fingerprint, "of_tensors", lambda state: read.append(state) or whole(state))
    (tmp_path / "linked.pth").symlink_to(file)
    first = fingerprint.of_weights(file)
    assert fingerprint.of_weights(tmp_path / "linked.pth") == fingerprint.of_weights(file) == first and len(read) == 1
    torch.save({"conv1.weight": torch.ones(2)}, file)
    os.utime(file, ns=(1, 1))
    assert fingerprint.of_weights(file) != first and len(read) == 2


def test_weights_of_a_run_have_the_runs_fingerprint(tmp_path):
    save_weights(DepthNetwork("resnet18-slim"), tmp_path / "weights.safetensors", encoder="resnet18-slim")
    write_json(tmp_path / "metrics.json", {"fingerprint": "0123456789abcdef"})
    assert fingerprint.of_weights(tmp_path / "weights.safetensors") == "0123456789abcdef"


def test_a_result_is_current_when_it_says_so(tmp_path):
    assert not fingerprint.is_current(tmp_path, "abc") and not fingerprint.is_current(tmp_path, "")
    write_json(tmp_path / "metrics.json", {"fingerprint": "abc"})
    assert fingerprint.is_current(tmp_path, "abc") and not fingerprint.is_current(tmp_path, "abd")


def test_a_result_without_one_of_its_files_is_not_current(tmp_path):
    (tmp_path / "history.parquet").write_bytes(b"twelve bytes")
    write_json(tmp_path / "metrics.json", {"fingerprint": "abc", "files": {"history.parquet": 12}})
    assert fingerprint.is_current(tmp_path, "abc") and fingerprint.missing(tmp_path) == []
    (tmp_path / "history.parquet").write_bytes(b"twelve")
    assert not fingerprint.is_current(tmp_path, "abc") and fingerprint.missing(tmp_path) == ["history.parquet"]
    (tmp_path / "history.parquet").unlink()
    assert not fingerprint.is_current(tmp_path, "abc")


def test_the_hash_of_sources_follows_what_they_compute(tmp_path):
    file, found = tmp_path / "a.py", []
    for text in ("a = 1", "a = 1  # the same", "a = 2"):
        file.write_text(text)
        found.append(fingerprint.source_hash(file))
    assert found[0] == found[1] != found[2]


def test_what_a_notebook_imports_is_read_from_its_cells_and_magics_are_no_obstacle(tmp_path):
    cells = "a = 1", "%matplotlib inline", "import a.b as c\nif a:\n    from depthseg_lib.plots import style, saving"
    book = write_notebook(tmp_path / "book.ipynb", *cells)
    names = {"a.b", "depthseg_lib.plots", "depthseg_lib.plots.style", "depthseg_lib.plots.saving"}
    assert fingerprint.modules(book) == names
    assert fingerprint.of_figures(book, ["abc"]) != fingerprint.of_figures(book, ["abd"])
