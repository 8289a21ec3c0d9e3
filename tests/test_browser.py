"""The notebooks with panels in JupyterLab in a real browser: run all, move the slider, and the picture changes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from depthseg_lib import fingerprint

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: the panel is not tried in a browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


PANELS = {
    "04_training_size": "ArrowRight",
    "05_activations": "ArrowRight",
    "06_scale_mismatch": "ArrowRight",
    "07_miou_vs_accuracy": "ArrowLeft",
}
"""Notebooks with a panel, and the key that moves its first slider away from where it starts."""
SMALL = dict(batch=2, evaluate_every=2, height=64, width=96, annotated=16)
"""Settings of a training of seconds."""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """What a fresh clone has to slide with: the notebooks and the committed results, in a folder of its own."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "notebooks").mkdir()
    (folder / "depthseg_lib").mkdir()
    for name in PANELS:
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", folder / "notebooks")
    shutil.copytree(ROOT / "figures" / "laptop" / "data", folder / "figures" / "laptop" / "data")
    return folder


@pytest.fixture(scope="module")
def lab(project):
    """The address of a JupyterLab without a token, with settings of its own, on the project's notebooks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        name: str(project / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR")
    }
    environment = os.environ | own | {"PYTHONPATH": str(ROOT)}
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--ip=127.0.0.1",
        "--IdentityProvider.token=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        f"--ServerApp.root_dir={project / 'notebooks'}",
    ]
    with (project / "lab.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/api", server, project / "lab.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def _wait_until_up(address: str, server, log: Path, patience: float = 60) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


ERRORS = ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']"


def run_all(lab, browser, name):
    """A page of JupyterLab in which all cells of a notebook were told to run."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(90_000)
    page.goto(f"{lab}/lab/tree/{name}.ipynb?reset")  # without what another notebook left open
    page.locator(".jp-NotebookPanel").wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # before that, "Run all" asks which kernel to take
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    return page


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", PANELS)
def test_the_slider_changes_the_picture_and_saving_changes_no_fingerprint(lab, browser, project, name):
    page = run_all(lab, browser, name)
    picture = page.locator("img.widget-image")
    picture.wait_for(state="attached")
    picture.scroll_into_view_if_needed()
    before, address = _shot(picture), picture.get_attribute("src")
    handle = page.locator(".widget-slider .noUi-handle").first
    handle.focus()
    handle.press(PANELS[name])
    page.wait_for_function("old => document.querySelector('img.widget-image').src !== old", arg=address)
    after = _shot(picture)
    assert page.locator(ERRORS).count() == 0
    if folder := os.environ.get("DEPTHSEG_SCREENSHOTS"):  # for a person who wants to see what it saw
        page.screenshot(path=f"{folder}/{name}.png")
    page.keyboard.press("Control+s")  # as JupyterLab does by itself every two minutes
    saved = project / "notebooks" / f"{name}.ipynb"
    _wait_for(lambda: '"image/png"' in saved.read_text())
    page.close()
    assert before != after
    assert fingerprint.of_notebook(saved) == fingerprint.of_notebook(ROOT / "notebooks" / saved.name)


@pytest.mark.timeout(240)
def test_a_training_by_hand_is_one_picture_that_stays_and_is_then_among_the_readers_runs(lab, browser, project):
    saved = project / "notebooks" / "02_finetune.ipynb"
    book = json.loads((ROOT / "notebooks" / saved.name).read_text())
    book["cells"][1]["source"] += [f"\niterations, images, other = 4, 4, {SMALL}"]
    saved.write_text(json.dumps(book))
    page = run_all(lab, browser, saved.stem)
    page.get_by_text("no study has a run").wait_for()
    assert page.locator(ERRORS).count() == 0
    if folder := os.environ.get("DEPTHSEG_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{saved.stem}.png")
    page.keyboard.press("Control+s")
    _wait_for(lambda: "no study has a run" in saved.read_text())
    page.close()
    (trained,) = (cell for cell in json.loads(saved.read_text())["cells"] if "run_trials" in "".join(cell["source"]))
    assert [set(output["data"]) for output in trained["outputs"]] == [{"image/png", "text/plain"}]
    (left,) = project.glob("runs/by-hand/finetune/resnet18-slim-none-full-n4-*/t0/metrics.json")


def _wait_for(condition, patience: float = 30) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "the notebook was not saved"
        time.sleep(0.1)


def _shot(picture) -> bytes:
    picture.evaluate("image => image.decode()")
    return picture.screenshot()
