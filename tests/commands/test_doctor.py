"""What a user has around the study: `make doctor` and `make lab`."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from depthseg_lib.commands import doctor
from depthseg_lib.errors import InputError

ROOT = Path(__file__).parents[2]


def quick(monkeypatch, **checks):
    for name in ("_packages", "_device", "_modules", "_kernel", "_cache", "_folder", "_browser"):
        monkeypatch.setattr(doctor, name, checks.get(name, lambda: "fine"))


def test_a_healthy_environment(monkeypatch, capsys):
    quick(monkeypatch)
    assert doctor.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8 and all(" ok " in line for line in lines)
    assert sys.executable in lines[0]


def test_one_bad_part_fails_and_the_others_are_still_checked(monkeypatch, capsys):
    def locked():
        raise InputError("the cache cannot be written")

    quick(monkeypatch, _cache=locked)
    assert doctor.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert "cache      NO   the cache cannot be written" in lines and len(lines) == 8


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "not-there"))
    with pytest.raises(InputError, match="missing: not-there"):
        doctor._packages()


def test_a_module_that_pythonpath_puts_before_ours_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert doctor._modules() == "all of this environment's"
    (tmp_path / "yaml.py").write_text("another one")
    with pytest.raises(InputError, match=rf"PYTHONPATH leads to {tmp_path}/yaml\.py, in place of this .*: unset"):
        doctor._modules()


def test_notebooks_run_on_this_python(tmp_path, monkeypatch):
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    assert doctor._kernel() == "notebooks run on this Python"
    assert not (tmp_path / "doctor").exists()


def test_jupyterlab_shows_the_notebooks_with_this_python_and_leaves_the_home_alone(tmp_path):
    home, cache = tmp_path / "home", tmp_path / "cache"
    home.mkdir()
    odd = tmp_path / "other/kernels/python3"
    odd.mkdir(parents=True)
    (odd / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "of another environment"}))
    environment = os.environ | {
        "HOME": str(home),
        "DEPTHSEG_CACHE": str(cache),
        "JUPYTER_PATH": str(tmp_path / "other"),
    }
    call = [sys.executable, "-m", "depthseg_lib.commands.lab", "--no-browser", "--allow-root", "--port=0"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(call, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        about = json.loads(wait_for(cache / "jupyter/runtime", "jpserver-*.json").read_text())
        names = {entry["name"] for entry in ask(about, "api/contents")["content"]}
        kernels = ask(about, "api/kernelspecs")
    finally:
        server.terminate()
        server.wait(30)
    assert {"00_overview.ipynb", "03_results.ipynb"} <= names
    assert kernels["default"] == "python3" and list(kernels["kernelspecs"]) == ["python3"]
    assert kernels["kernelspecs"]["python3"]["spec"]["argv"][0] != "/bin/false"
    assert list(home.iterdir()) == []


def ask(about: dict, path: str) -> dict:
    request = urllib.request.Request(about["url"] + path, headers={"Authorization": f"token {about['token']}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_for(folder: Path, pattern: str, seconds: float = 60) -> Path:
    end = time.monotonic() + seconds
    while not (found := list(folder.glob(pattern))):
        assert time.monotonic() < end, f"no {pattern} in {folder}"
        time.sleep(0.2)
    return found[0]
