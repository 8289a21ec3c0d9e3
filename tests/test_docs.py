"""README and docs: short enough to be read, and what they name is there; and the rooms that they describe.

Imports run downwards only, so that a room can be understood with those below it.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "depthseg_lib"
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
ROOMS = sorted(path.stem for path in LIBRARY.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file())

FLOORS = (
    *({"commands", "panels"}, {"plots"}, {"analysis"}, {"training", "study"}),
    *({"models"}, {"losses"}, {"data"}, {"world"}, {"errors", "files", "settings", "fingerprint"}),
)
"""From the top down. The rooms of one floor don't import one another."""
MAY = {("fingerprint", "models")}
"""What a fingerprint of published weights is made of has to be read."""


def text_of(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """What its headings are called in links."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def names_in(file: Path) -> frozenset[str]:
    """What a module defines at its top, and the methods and fields of its classes as `Class.name`."""
    found = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        found |= (names := defined(node))
        if isinstance(node, ast.ClassDef):
            found |= {f"{name}.{inner}" for name in names for part in node.body for inner in defined(part)}
    return frozenset(found)


def defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    parts = [part for target in targets for part in getattr(target, "elts", [target])]
    return {part.id for part in parts if isinstance(part, ast.Name)}


def is_there(dotted: str) -> bool:
    """Whether `room.file`, `room.file.name` or `room.file.Class.name` is in the library."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = LIBRARY.joinpath(*parts[:length])
        rest = ".".join(parts[length:])
        if place.with_suffix(".py").is_file():
            return not rest or rest in names_in(place.with_suffix(".py"))
        if place.is_dir():
            return not rest
    return False


def test_the_readme_is_short_and_gives_both_commands():
    text = README.read_text("utf-8")
    assert len(text.splitlines()) <= 150
    assert re.search(r"^make figures\b", text, re.M) and re.search(r"^make test\b", text, re.M)


def test_every_page_is_reached_from_the_readme():
    linked = set(re.findall(r"\]\((docs/[^)#]+)", README.read_text("utf-8")))
    assert linked == {f"docs/{page.name}" for page in PAGES if page != README} and len(linked) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_are_there(page):
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(page))
    for link in (link for link in links if "://" not in link):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_places_in_the_library_that_a_page_names_are_there(page):
    text = text_of(page)
    dotted = [name for name in re.findall(r"`([a-z_]+(?:\.\w+)+)`", text) if name.split(".")[0] in ROOMS]
    files = re.findall(rf"`(?:depthseg_lib/)?((?:{'|'.join(ROOMS)})/[\w/]+\.py)`", text)
    assert [name for name in dotted if not is_there(name)] == []
    assert [name for name in files if not (LIBRARY / name).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_has_typed_into_a_terminal_is_there(page):
    text = page.read_text("utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)[1].split())
    assert set(re.findall(r"^make ([a-z-]+)", text, re.M)) <= targets
    variables = set(re.findall(r"^([A-Z0-9_]+) \?=", (ROOT / "Makefile").read_text(), re.M))
    asked = {name for line in re.findall(r"^make .*$", text, re.M) for name in re.findall(r" ([A-Z0-9_]+)=", line)}
    assert asked <= variables
    modules = re.findall(r"python -m depthseg_lib\.commands\.([a-z0-9_]+)", text)
    assert all((LIBRARY / "commands" / f"{name}.py").is_file() for name in modules)


def test_every_room_has_its_line_in_the_architecture():
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    packages = [file.parent.relative_to(LIBRARY).as_posix() for file in LIBRARY.rglob("__init__.py")]
    assert [room for room in packages if room != "." and f"| `{room}` |" not in page] == []


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
