import nbformat
import pytest

from depthseg_lib.commands import notebook
from depthseg_lib.errors import InputError

DEFAULTS = {"rate": 1.0, "count": 3, "flip": False, "name": "depth"}


def book(*cells: str, tag: str = "parameters") -> nbformat.NotebookNode:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.cells[0].metadata.tags = [tag]
    return made


def test_the_parameters_cell_is_read_as_it_is_written():
    cell = 'rate = 1e-4  # step size\ncount = -3\nname = "a # b"\nflip = False\nsizes = [8, 16]'
    expected = {"rate": 1e-4, "count": -3, "name": "a # b", "flip": False, "sizes": [8, 16]}
    assert notebook.declared(book(cell, "other = 1"), "book") == expected
    assert notebook.declared(book(cell, tag="other"), "book") == {}


@pytest.mark.parametrize("cell", ["rate = 2 * base", "import os", "a = b = 1", "rate: float = 1.0", "a, b = 1, 2"])
def test_the_parameters_cell_may_hold_literals_only(cell):
    with pytest.raises(InputError, match="move it to the next cell"):
        notebook.declared(book(cell), "book")


def test_fitting_values_pass():
    notebook.check({"rate": 2, "count": 4, "flip": True, "name": ""}, DEFAULTS, "book")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rate": "1e-4"}, 'rate = "1e-4": expected a number'),
        ({"rate": True}, "rate = true: expected a number"),
        ({"count": 3.0}, "count = 3.0: expected a whole number"),
        ({"count": True}, "count = true: expected a whole number"),
        ({"flip": 1}, "flip = 1: expected true or false"),
        ({"name": None}, "name = null: expected a text"),
        ({"naem": "x"}, "no parameter 'naem'; did you mean 'name'?"),
        ({"zzz": 1}, "no parameter 'zzz'; it has: rate, count, flip, name"),
    ],
)
def test_other_values_are_refused(values, said):
    with pytest.raises(InputError) as error:
        notebook.check(values, DEFAULTS, "book")
    assert said in str(error.value)


def test_a_file_of_parameters_must_be_a_mapping(tmp_path):
    file = tmp_path / "run.json"
    with pytest.raises(InputError, match="cannot be read"):
        notebook.read(file)
    for text, said in (("{", "is not JSON"), ("[1]", "holds list")):
        file.write_text(text)
        with pytest.raises(InputError, match=said):
            notebook.read(file)
    file.write_text('{"rate": 1e-4}')
    assert notebook.read(file) == {"rate": 1e-4}


def test_assignments_of_the_command_line():
    assert notebook.assignments(["a=1=2", "b="], "--set") == {"a": "1=2", "b": ""}
    with pytest.raises(InputError, match="--set a: expected name=value"):
        notebook.assignments(["a"], "--set")
