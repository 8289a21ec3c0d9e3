"""What a notebook is given: by its parameters cell, or by its mapping of further settings."""

import ast
from pathlib import Path

import nbformat
import pytest
from helpers.tiny_project import write_notebook

from depthseg_lib.commands import notebook
from depthseg_lib.errors import InputError

NOTEBOOKS = sorted(Path(__file__).parents[2].glob("notebooks/*.ipynb"))


@pytest.fixture
def book(tmp_path):
    return write_notebook(tmp_path / "book.ipynb", 'rate = 1e-4  # step size\nname = "a"\nother = {}', "print(rate)")


def test_what_the_parameters_cell_does_not_name_is_a_further_setting(book):
    assert notebook.fitted(book, {"rate": 2e-4, "height": 96}) == {"rate": 2e-4, "other": {"height": 96}}
    assert notebook.fitted(book, {"other": {"width": 32}, "height": 96})["other"] == {"width": 32, "height": 96}


def test_without_further_settings_an_unknown_name_is_refused(tmp_path):
    plain = write_notebook(tmp_path / "plain.ipynb", 'rate = 1e-4\nname = "a"', "print(rate)")
    assert notebook.fitted(plain, {"name": "b"}) == {"name": "b"}
    with pytest.raises(InputError, match="plain.ipynb has no parameter 'naem'; did you mean 'name'"):
        notebook.fitted(plain, {"naem": "b"})
    with pytest.raises(InputError, match="no parameter 'zzz'; it has: rate, name"):
        notebook.fitted(plain, {"zzz": 1})


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_parameters_are_literals_with_a_comment_each(file):
    """Papermill's values come after that cell, so a value derived in it would be stale."""
    (cell,) = [c for c in nbformat.read(file, 4).cells if "parameters" in c.metadata.get("tags", [])]
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign) and len(statement.targets) == 1
        ast.literal_eval(statement.value)
    assert all("  # " in line for line in cell.source.splitlines())
    assert len(cell.source.splitlines()) <= 12
