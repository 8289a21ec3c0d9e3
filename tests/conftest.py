"""What every test may use."""

import pytest

LONG = (
    "test_workflow",
    "test_kitti",
    "test_figure_notebooks",
    "test_browser",
)
"""Files of tests that take minutes, the longest first."""


@pytest.fixture(autouse=True)
def no_shared_gpus(monkeypatch):
    """No test waits for the GPU places of a study that runs beside it."""
    monkeypatch.delenv("DEPTHSEG_GPUS", raising=False)
    monkeypatch.delenv("DEPTHSEG_JOBS_PER_GPU", raising=False)


def pytest_collection_modifyitems(items):
    """Whole studies and the browser first: a core that is left with one of them at the end would wait for minutes."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))
