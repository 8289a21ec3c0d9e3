"""Who may import whom: downwards only, so that a room can be understood with those below it."""

import ast
from pathlib import Path

import depthseg_lib

LIBRARY = Path(depthseg_lib.__file__).parent
FLOORS = (
    *({"commands", "panels"}, {"plots"}, {"analysis"}, {"training", "study"}),
    *({"models"}, {"losses"}, {"data"}, {"world"}, {"errors", "files", "settings", "fingerprint"}),
)
"""From the top down. The rooms of one floor don't import one another."""
MAY = {("fingerprint", "models")}
"""What a fingerprint of published weights is made of has to be read."""


def arrows() -> set[tuple[str, str, str]]:
    """Room, imported room and file of every import of the library by itself."""
    found = set()
    for file in LIBRARY.rglob("*.py"):
        room = file.relative_to(LIBRARY).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == LIBRARY.name:
                parts = node.module.split(".")[1:2] or [alias.name for alias in node.names]
                found |= {(room, other, str(file.relative_to(LIBRARY))) for other in parts if other != room}
    return found


def test_no_import_runs_upwards_or_aside():
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    ground = len(FLOORS) - 1
    wrong = [
        (file, other)
        for room, other, file in arrows()
        if room != "__init__" and floor[other] <= floor[room] and not floor[room] == floor[other] == ground
    ]
    assert sorted(one for one in wrong if (one[0].split("/")[0].removesuffix(".py"), one[1]) not in MAY) == []


def test_analysis_imports_neither_the_study_nor_plots():
    assert (
        sorted(
            file for room, other, file in arrows() if (room, other) in {("analysis", "study"), ("analysis", "plots")}
        )
        == []
    )


def test_the_house_has_rooms_that_a_newcomer_can_name():
    files = [file for file in LIBRARY.rglob("*.py") if file.name != "__init__.py"]
    rooms = {file.relative_to(LIBRARY).parts[0] for file in files}
    assert rooms == set().union(*FLOORS) - {"errors", "files", "settings", "fingerprint"} | {
        f"{name}.py" for name in ("errors", "files", "settings", "fingerprint")
    }
    assert max(len(file.read_text().splitlines()) for file in files) <= 400
