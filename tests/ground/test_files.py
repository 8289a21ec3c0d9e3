"""Folders are the same from wherever Jupyter was started."""

from pathlib import Path

import pytest

from depthseg_lib.files import project_path, project_root

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("start", [".", "notebooks", "depthseg_lib/data"])
def test_relative_paths_count_from_the_projects_root(monkeypatch, start):
    monkeypatch.chdir(ROOT / start)
    assert project_root() == ROOT and project_path("runs") == ROOT / "runs"


def test_another_clone_is_its_own_project(monkeypatch, tmp_path):
    for name in ("notebooks", "depthseg_lib"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert project_root() == tmp_path


def test_absolute_paths_stay(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert project_path(tmp_path / "x") == tmp_path / "x" and project_path("x") == ROOT / "x"
