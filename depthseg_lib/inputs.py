"""Which files a run was made from: their hashes, noted when it starts, so that its results can be adopted later."""

import hashlib
from pathlib import Path

from depthseg_lib.files import write_json

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
