"""What makes a run the same run: its settings, the weights that it starts from, and the code that makes it."""

import hashlib
import json
from functools import cache
from pathlib import Path

from depthseg_lib.files import project_path, read_json, write_json
from depthseg_lib.models.published import depth_files
from depthseg_lib.settings import PLACES, Settings


def source_hash(*files: str | Path) -> str:
    """A short hash of the text of `files`: part of a key, so that what a changed generator made is made anew."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:16]


NAME = "inputs.json"
LIBRARY = Path(__file__).parent


def sha256(file: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with Path(file).open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def label(file: str | Path) -> str:
    """A name for a file that is the same on every machine: its last two path components."""
    return "/".join(Path(file).absolute().parts[-2:])


def record(folder: Path, files: list[str | None]) -> None:
    """Write the hashes of the whole library and of those of `files` that exist into `inputs.json` of `folder`."""
    present = [Path(file) for file in files if file and Path(file).is_file()]
    write_json(folder / NAME, {label(file): sha256(file) for file in [*sorted(LIBRARY.rglob("*.py")), *present]})


FIGURES = "figures"
"""The kind of the notebooks that draw."""
TRAINING = ("settings.py", "training/engine.py", "losses/*.py", "models/*.py")
TRAINING += tuple(f"data/{name}.py" for name in ("arrays", "batches", "labels", "sources", "streets"))
DEPENDS_ON = {
    "pretrain": (
        *(f"training/{name}.py" for name in ("pretrain", "classification", "depth", "flow")),
        *TRAINING,
    ),
    "finetune": ("training/finetune.py", "training/segmentation.py", *TRAINING),
    FIGURES: (
        *("plots/*.py", "panels/*.py", "analysis/**/*.py", "study/*.py", "settings.py", "files.py", "fingerprint.py"),
        *("losses/metrics.py", "data/labels.py", "data/photographs.py", "data/resize.py"),
    ),
}
"""The library files that a result of each kind depends on: a change there makes it anew. What only draws, checks,
reports or writes files is not among those of a training run, so that a changed plot retrains nothing."""
WORLD = ("data/streets.py", "data/photographs.py", "world/*.py")
REAL = ("sets/listing", "image_files", "sets/image_folder", "ingest", "pack", "blocks", "listing", "resize")
READERS = {
    "camvid": ("camvid", "set_camvid", "kitti_odometry", "sets/own", "sets/description", "sets/kitti*"),
    "kitti": ("sets/kitti*",),
    "nyu": ("sets/nyu*",),
    "cityscapes": ("sets/cityscapes",),
    "folder": ("sets/own", "sets/description"),
}
READS = {"streets": WORLD}


def library(kind: str, data_set: str = "") -> list[str]:
    """The library files that a result of `kind` on `data_set` depends on, as paths from the clone's root."""
    patterns = (*DEPENDS_ON[kind], *READS.get(data_set, ()))
    found = {file for pattern in patterns for file in LIBRARY.glob(pattern)}
    return sorted(str(file.relative_to(LIBRARY.parent)) for file in found)


ENVIRONMENT = "environment.json"
"""The file of a finished run that holds its identity's digest, besides its circumstances."""


def digest(kind: str, config: Settings) -> str:
    """A short digest of what makes a run of `kind` (pretrain or finetune) the same; where files lie does not count."""
    settings = {name: value for name, value in config.to_mapping().items() if name not in PLACES}
    made_by = json.dumps([settings, _start(config.start_weights), _library(kind, config.data_set)])
    return hashlib.sha256(made_by.encode()).hexdigest()[:16]


def _start(place: str) -> str:
    """A digest of the weights that a run starts from: of a file, or of a Monodepth2 checkpoint's files."""
    if not place:
        return ""
    start = project_path(place)
    return "".join(sha256(file) for file in ([start] if start.is_file() else depth_files(start)))


@cache
def _library(kind: str, data_set: str) -> str:
    """What this process runs: read once, as Python reads its modules."""
    return source_hash(*(LIBRARY.parent / file for file in library(kind, data_set)))


def is_finished(folder: Path, wanted: str) -> bool:
    """Whether `folder` holds the results of a finished run whose digest is `wanted`."""
    if not (folder / "metrics.json").is_file():
        return False
    return read_json(folder / ENVIRONMENT).get("identity") == wanted
