"""What makes a run the same run: its settings, the weights that it starts from, and the code that makes it."""

import hashlib
import json
from functools import cache
from pathlib import Path

from depthseg_lib import inputs
from depthseg_lib.data.cache import source_hash
from depthseg_lib.files import read_json
from depthseg_lib.models.published import depth_files
from depthseg_lib.project import project_path
from depthseg_lib.settings import PLACES, Settings
from depthseg_lib.study import workflow

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
    return "".join(inputs.sha256(file) for file in ([start] if start.is_file() else depth_files(start)))


@cache
def _library(kind: str, data_set: str) -> str:
    """What this process runs: read once, as Python reads its modules."""
    return source_hash(*(workflow.LIBRARY.parent / file for file in workflow.library(kind, data_set)))


def is_finished(folder: Path, wanted: str) -> bool:
    """Whether `folder` holds the results of a finished run whose digest is `wanted`."""
    if not (folder / "metrics.json").is_file():
        return False
    return read_json(folder / ENVIRONMENT).get("identity") == wanted
