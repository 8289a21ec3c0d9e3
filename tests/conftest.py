"""What every test may use."""

import pytest


@pytest.fixture(autouse=True)
def no_shared_gpus(monkeypatch):
    """No test waits for the GPU places of a study that runs beside it."""
    monkeypatch.delenv("DEPTHSEG_GPUS", raising=False)
    monkeypatch.delenv("DEPTHSEG_JOBS_PER_GPU", raising=False)
