"""The pieces of real sets: in `DEPTHSEG_REAL_DATA`, else `shared/data` beside the clone; without them a skip."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def real_set(name: str) -> Path:
    """The folder of one real set; skips the calling test where it is not on this machine."""
    root = Path(os.environ.get("DEPTHSEG_REAL_DATA") or BESIDE)
    if not (root / name).is_dir():
        pytest.skip(f"no real set {root / name}: set DEPTHSEG_REAL_DATA to a folder that holds {name}")
    return root / name
