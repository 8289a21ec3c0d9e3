import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_jupyterlab_shows_the_notebooks_with_this_python_and_leaves_the_home_alone(tmp_path):
    home, cache = tmp_path / "home", tmp_path / "cache"
    home.mkdir()
    environment = os.environ | {"HOME": str(home), "DEPTHSEG_CACHE": str(cache)}
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
