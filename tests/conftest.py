"""What every test may use."""

import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser_path() -> str:
    """The browser that Playwright drives; without one, the tests that need it are skipped and say so."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    pytest.skip(f"none of {', '.join(BROWSERS)} is installed")


@pytest.fixture(autouse=True)
def no_shared_gpus(monkeypatch):
    """No test waits for the GPU places of a study that runs beside it."""
    monkeypatch.delenv("DEPTHSEG_GPUS", raising=False)
    monkeypatch.delenv("DEPTHSEG_JOBS_PER_GPU", raising=False)
