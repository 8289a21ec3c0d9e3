"""What makes a result the same: one short text, by which it is told whether a result is current.

The fingerprint of a run is made of its settings (but not of where files lie), of the fingerprint of what it starts
from, of the sources that compute it, and of the code cells of its notebook. The plan writes it into params.json, the
run copies it into its metrics.json, and whoever wants to know whether the run is current compares the two. Docstrings,
comments and blank lines of sources don't count, nor do a notebook's outputs, execution counts and metadata.
"""

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from depthseg_lib.files import project_path, read_json
from depthseg_lib.settings import PLACES, PROTOCOLS, TRAINED_HERE, FinetuneConfig, PretrainConfig, Settings

LIBRARY = Path(__file__).parent
NOTEBOOKS = {"pretrain": "01_pretrain", "finetune": "02_finetune"}
"""The notebook that does one run of each kind."""
_COMPUTES = ("training", "models", "losses", "data", "world")
"""The rooms whose sources are part of a run's fingerprint; the ground, and what plans, draws or reports, is not."""
_DRAWS = ("plots", "panels", "analysis", "losses", "data")
"""The rooms whose sources are part of a figure's fingerprint."""
_TASKS = {name: f"training/{name}.py" for name in ("classification", "depth", "flow")}
_TASKS["supervised"] = _TASKS["depth"]
_SETS = {name: f"data/sets/{name}.py" for name in ("kitti", "nyu", "cityscapes")}
_SETS |= {"streets": "data/streets.py", "folder": "data/sets/own.py"}
_PHOTOGRAPHS, _FOLDER = "data/photographs.py", "data/sets/image_folder.py"
_PUBLISHED = {"models/checkpoints.py", "models/published.py"}
_ALTERNATIVES = {*_TASKS.values(), *_SETS.values(), _PHOTOGRAPHS, _FOLDER, *_PUBLISHED}
"""Of these a run uses what its settings say: another reader, task or world is no part of its fingerprint."""


def of_run(kind: str, config: Settings, start: str = "", notebooks: str | Path = "notebooks") -> str:
    """The fingerprint of a run of `kind` (pretrain or finetune) that starts from what has the fingerprint `start`.

    Without `start`, that is looked up where `config.start_weights` lies. All trials of a run have its fingerprint.
    """
    settings = config.model_dump(exclude={*PLACES, "fingerprint", "trial"})
    if isinstance(config, FinetuneConfig):
        settings["protocol"] = PROTOCOLS[config.protocol].model_dump()
    start = start or (of_weights(config.start_weights) if config.start_weights else "")
    notebook = project_path(notebooks) / f"{NOTEBOOKS[kind]}.ipynb"
    return _digest([kind, settings, start, of_sources(sources(kind, config)), of_notebook(notebook)])


def of(kind: str, config: Settings) -> str:
    """The fingerprint of a run with these settings: what the plan has written into them, else made now."""
    return config.fingerprint or of_run(kind, config)


def of_figures(notebook: Path, runs: Iterable[str]) -> str:
    """The fingerprint of what a notebook draws from runs with these fingerprints."""
    drawing = _reached([file for file in _files(modules(notebook)) if _room(file) in _DRAWS], _DRAWS)
    return _digest([of_sources(drawing), of_notebook(notebook), sorted(runs)])


def of_weights(place: str | Path) -> str:
    """The fingerprint of a file of weights or a Monodepth2 checkpoint's folder: of its run, else of its tensors."""
    place = project_path(place)
    if place.name == "weights.safetensors" and (known := left_by(place.parent)):
        return known
    from depthseg_lib.models.published import depth_files

    files = [file.resolve() for file in ([place] if place.is_file() else depth_files(place))]
    return _digest([_of_file(file, (about := file.stat()).st_size, about.st_mtime_ns) for file in files])


@cache  # many runs of a plan start from one file
def _of_file(file: Path, size: int, modified: int) -> str:
    """The fingerprint of the tensors in a file of weights, as long as it has this size and time."""
    from depthseg_lib.models import checkpoints  # loads PyTorch

    return of_tensors(checkpoints.read(file))


def of_tensors(state: Mapping) -> str:
    """The fingerprint of tensors by name, whatever file they came from; what is no tensor does not count."""
    import torch  # takes seconds

    found = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        if isinstance(tensor, Mapping):
            found.update(f"{name} {of_tensors(tensor)}".encode())
        elif hasattr(tensor, "detach"):
            values = tensor.detach().cpu().contiguous()
            found.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
            found.update(values.flatten().view(torch.uint8).numpy())
    return found.hexdigest()[:16]


def of_sources(files: Iterable[Path]) -> str:
    """The fingerprint of what these sources compute."""
    return _digest(sorted((file.relative_to(LIBRARY).as_posix(), code(file.read_text("utf-8"))) for file in files))


def of_notebook(file: Path) -> str:
    """The fingerprint of a notebook's code cells but for its parameters, which are settings; empty for none."""
    if not file.is_file():
        return ""
    skipped = {"parameters", "injected-parameters"}
    chosen = [cell for cell in _code_cells(file) if not skipped & set(cell["metadata"].get("tags", []))]
    return _digest([code("".join(cell["source"])) for cell in chosen])


def _code_cells(notebook: Path) -> list[dict]:
    return [cell for cell in read_json(notebook)["cells"] if cell["cell_type"] == "code"]


FILES = "files"
"""The key of metrics.json that holds the other files of a result, each with its size in bytes."""


def is_current(folder: Path, fingerprint: str) -> bool:
    """Whether `folder` holds the results of a finished run with this fingerprint, all of them."""
    return bool(fingerprint) and left_by(folder) == fingerprint and not missing(folder)


def missing(folder: Path) -> list[str]:
    """The files of the finished run in `folder` that are not there, or not as long as it left them: a copy was cut off.

    Weights may be absent: a run that starts from them looks for them itself.
    """
    files = read_json(folder / "metrics.json").get(FILES, {})
    return [
        name for name, size in files.items() if not (file := folder / name).is_file() or file.stat().st_size != size
    ]


def left_by(folder: Path) -> str:
    """The fingerprint of the finished run that left its results in `folder`; empty where there is none."""
    metrics = folder / "metrics.json"
    return str(read_json(metrics).get("fingerprint", "")) if metrics.is_file() else ""


def sources(kind: str, config: Settings) -> list[Path]:
    """The sources that compute a run: what its procedure imports, directly or not, of the rooms that compute."""
    chosen = {_SETS[config.data_set]}
    if isinstance(config, PretrainConfig):
        chosen.add(_TASKS[config.task])
        if config.task == "classification":
            chosen = {_TASKS[config.task], _FOLDER if config.photographs_folder else _PHOTOGRAPHS}
    starts_from = config.starts_from if isinstance(config, PretrainConfig) else config.initialisation
    elsewhere = config.start_weights and not config.start_weights.endswith("weights.safetensors")
    if elsewhere or starts_from not in ("none", *TRAINED_HERE):
        chosen |= _PUBLISHED
    without = _ALTERNATIVES - chosen | {"data/cache.py"}  # which only keeps what a reader made
    return _reached([LIBRARY / name for name in (f"training/{kind}.py", *chosen)], _COMPUTES, without)


def _reached(starts: list[Path], rooms: tuple[str, ...], without: Iterable[str] = ()) -> list[Path]:
    """`starts` and all files of these rooms that they import, directly or not, but for those `without`."""
    waiting, seen = list(starts), set()
    while waiting:
        file = waiting.pop()
        if file in seen or file.relative_to(LIBRARY).as_posix() in without:
            continue
        seen.add(file)
        if file != LIBRARY / "data/sources.py":  # only picks a reader: its imports lead to all of them
            waiting += [other for other in _imported(file.read_text("utf-8")) if _room(other) in rooms]
    return sorted(seen)


def _room(file: Path) -> str:
    return file.relative_to(LIBRARY).parts[0]


@cache
def _imported(source: str) -> list[Path]:
    """The library's files that a source imports."""
    return _files(_modules(source))


def modules(notebook: Path) -> set[str]:
    """The modules that a notebook's code cells import, by name; of `from a import b` both `a` and `a.b`.

    A cell that is no Python by itself, as one with a magic, imports nothing.
    """
    names = set()
    for cell in _code_cells(notebook):
        with suppress(SyntaxError):
            names |= _modules("".join(cell["source"]))
    return names


def _modules(source: str) -> set[str]:
    """The modules that a source imports, wherever in it the import stands."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def _files(names: Iterable[str]) -> list[Path]:
    """The library's files among modules of these names."""
    places = [LIBRARY.joinpath(*name.split(".")[1:]) for name in names if name.startswith(f"{LIBRARY.name}.")]
    return [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]


@cache
def code(source: str) -> str:
    """The lines of `source` that compute something: without comments, blank lines and bare strings, as docstrings are.

    What is no Python by itself, as a notebook's cell with a magic, is taken as it is.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _digest(content) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def source_hash(*files: str | Path) -> str:
    """A short hash of what sources compute: part of a cache's key, so that what a changed one made is made anew."""
    return _digest([code(Path(file).read_text("utf-8")) for file in files])
