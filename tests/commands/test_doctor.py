import sys

import pytest

from depthseg_lib.commands import doctor
from depthseg_lib.errors import InputError


def quick(monkeypatch, **checks):
    for name in ("_packages", "_device", "_kernel", "_cache", "_folder", "_browser"):
        monkeypatch.setattr(doctor, name, checks.get(name, lambda: "fine"))


def test_a_healthy_environment(monkeypatch, capsys):
    quick(monkeypatch)
    assert doctor.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7 and all(" ok " in line for line in lines)
    assert sys.executable in lines[0]


def test_one_bad_part_fails_and_the_others_are_still_checked(monkeypatch, capsys):
    def locked():
        raise InputError("the cache cannot be written")

    quick(monkeypatch, _cache=locked)
    assert doctor.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert "cache      NO   the cache cannot be written" in lines and len(lines) == 7


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "not-there"))
    with pytest.raises(InputError, match="missing: not-there"):
        doctor._packages()


def test_notebooks_run_on_this_python(tmp_path, monkeypatch):
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    assert doctor._kernel() == "notebooks run on this Python"
    assert not (tmp_path / "doctor").exists()
