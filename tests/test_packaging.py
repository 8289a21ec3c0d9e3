import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from depthseg_lib.study.workflow import drawn

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
RANGES = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = [text for extra in PROJECT["optional-dependencies"].values() for text in extra]
RANGES += [Requirement(text) for text in EXTRAS if "[" not in text]
NOT_FOR_TESTS = ("ruff", "snakemake-executor-plugin-slurm")


def normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def test_every_dependency_is_pinned_within_its_range():
    pinned = {normal(pin.name): pin.specifier for pin in PINS}
    for wanted in RANGES:
        (pin,) = pinned[normal(wanted.name)]
        assert pin.operator == "==" and wanted.specifier.contains(pin.version), wanted.name


def test_pins_hold_for_any_build_and_name_no_place():
    for pin in PINS:
        (exact,) = pin.specifier
        assert exact.operator == "==" and "+" not in exact.version and not pin.url, pin
        assert not normal(pin.name).startswith(("nvidia-", "cuda-", "triton")), pin
    for file in ("constraints.txt", "pyproject.toml", "environment.yml", "Makefile", "workflow/environment", ".ci/run"):
        assert not re.search(r"://|--index|--find-links|--extra-index", (ROOT / file).read_text()), file


def test_the_conda_door_leads_to_the_same_python_packages_and_pins():
    *tools, pip = CONDA["dependencies"]
    python = next(tool for tool in tools if tool.startswith("python "))
    assert SpecifierSet(python.removeprefix("python ")) == SpecifierSet(PROJECT["requires-python"])
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    assert pip["pip"] == ["--constraint constraints.txt", "--editable .[test]"]
    assert {"pip", "git", "make"} <= set(tools)


def test_the_make_door_uses_the_same_pins():
    script = (ROOT / "workflow/environment").read_text()
    assert script.count("{install[@]}") == script.count('{install[@]}" --constraint constraints.txt') == 2
    assert "workflow/environment test" in (ROOT / "Makefile").read_text()


def test_this_environment_has_the_pinned_versions():
    pins = [pin for pin in PINS if not pin.marker or pin.marker.evaluate()]
    here = {normal(pin.name): next(iter(pin.specifier)).version for pin in pins}
    for wanted in RANGES:
        if normal(wanted.name) not in NOT_FOR_TESTS:
            assert version(wanted.name).split("+")[0] == here[normal(wanted.name)], wanted.name


def test_only_the_library_is_packaged():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert settings["packages"]["find"]["include"] == ["depthseg_lib*"]
    assert PROJECT["license"] == "MIT" and "the depthseg authors" in (ROOT / "LICENSE").read_text()


def test_importing_the_front_door_is_light():
    code = "import sys, depthseg_lib.commands.notebook, depthseg_lib.commands.figures; print({'torch', 'papermill'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("name", ["environment", "figures"])
def test_make_says_what_it_would_do(name):
    call = ["make", "--dry-run", name, "PROFILE=smoke", "DRY=1"]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_make_alone_is_help_and_names_every_target():
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    makefile = (ROOT / "Makefile").read_text()
    for target in re.search(r"^\.PHONY: (.*)$", makefile, re.M)[1].split():
        assert target in ("help", "environment") or f"make {target}" in shown


@pytest.fixture
def clone(tmp_path):
    """A folder with the front door's files and a `uv` that notes its calls and makes an environment of nothing."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "workflow/environment"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        (tmp_path / name).chmod(0o755)
    uv = tmp_path / "bin/uv"
    uv.parent.mkdir()
    # The environment's Python says whether torch and torchvision fit: not as long as a file `odd` is there, once.
    python, odd = tmp_path / ".venv/bin/python", tmp_path / "odd"
    uv.write_text(
        '#!/bin/sh\necho "$1" >> calls\nmkdir -p .venv/bin\nif [ "$1" = pip ] && [ -e broken ]; then exit 3; fi\n'
        f'echo "[ ! -e {odd} ] || ! rm {odd}" > {python}; chmod +x {python}\n'
    )
    uv.chmod(0o755)

    def make(*arguments):
        path = f"{tmp_path}/bin:{Path(sys.executable).parent}:/usr/bin:/bin"
        environment = {"PATH": path, "HOME": str(tmp_path)}
        called = ["make", "environment", f"PYTHON={sys.executable}", *arguments]
        done = subprocess.run(called, cwd=tmp_path, env=environment, capture_output=True, text=True)
        calls = (tmp_path / "calls").read_text().split() if (tmp_path / "calls").exists() else []
        (tmp_path / "calls").unlink(missing_ok=True)
        return done, calls

    make.folder = tmp_path
    return make


def test_the_environment_is_made_once_and_again_when_its_pins_change(clone):
    done, calls = clone()
    assert done.returncode == 0 and calls == ["venv", "pip"], done.stderr
    assert clone()[1] == []
    pins = clone.folder / "constraints.txt"
    pins.write_text(pins.read_text() + "\n")
    assert clone()[1] == ["pip"]  # in place: nothing is thrown away
    assert clone()[1] == []
    assert clone("EXECUTOR=slurm")[1] == ["pip"]
    assert clone("EXECUTOR=slurm")[1] == [] and clone()[1] == []


def test_a_half_made_environment_is_not_ready_and_is_made_anew(clone):
    (clone.folder / "broken").touch()
    done, calls = clone()
    assert done.returncode != 0 and not (clone.folder / ".venv/ready").exists()
    (clone.folder / ".venv/left-over").touch()
    (clone.folder / "broken").unlink()
    done, calls = clone()
    assert done.returncode == 0 and calls == ["venv", "pip"] and not (clone.folder / ".venv/left-over").exists()


def test_builds_that_do_not_fit_are_replaced_once(clone):
    (clone.folder / "odd").touch()
    done, calls = clone()
    assert done.returncode == 0 and calls == ["venv", "pip", "pip"] and "different builds" in done.stdout


def test_on_a_machine_without_a_fitting_python_uv_fetches_one_and_without_uv_it_is_asked_for(clone):
    old = clone.folder / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (clone.folder / "bin" / name).write_bytes(old.read_bytes())
        (clone.folder / "bin" / name).chmod(0o755)
    done, calls = clone(f"PYTHON={old}")
    assert done.returncode == 0 and calls == ["venv", "pip"], done.stderr
    (clone.folder / "bin/uv").unlink()
    shutil.rmtree(clone.folder / ".venv")
    done, calls = clone(f"PYTHON={old}")
    assert done.returncode != 0 and "no Python 3.11, 3.12 or 3.13 found" in done.stderr and calls == []


def test_committed_results_have_their_plan_beside_them_and_every_figure_that_it_names():
    stored = sorted((ROOT / "figures").glob("*/data/about.json"))
    assert stored
    for about in stored:
        plan, study = json.loads(about.with_name("plan.json").read_text()), about.parents[1]
        assert plan["profile"] == json.loads(about.read_text())["profile"] == study.name
        missing = [
            file for names in plan["figures"].values() for file in drawn(study, names) if not Path(file).is_file()
        ]
        assert missing == []


def make(*arguments: str, **environment: str) -> str:
    call = ["make", "--silent", *arguments]
    return subprocess.run(call, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True).stdout


def test_make_hands_on_what_was_given_as_it_is_written():
    given = {"RUNS": 'it\'s "so" #2', "FIGURES": "2026_11_26", "DATA": "/my data/{a}"}
    call = make("--dry-run", "figures", *(f"{name}={value}" for name, value in given.items())).splitlines()[-1]
    words = shlex.split(call)
    assert [words[words.index(f"--{name.lower()}") + 1] for name in given] == list(given.values())


def test_no_variable_of_python_reaches_what_make_starts():
    odd = {"PYTHONPATH": "/elsewhere", "PYTHONHOME": "/usr", "PYTHONOPTIMIZE": "2", "PYTHONSTARTUP": "/mine.py"}
    seen = make("--eval=shown:;@env", "shown", **odd)
    assert not [line for line in seen.splitlines() if line.split("=")[0] in odd]
    assert "PYTHONUTF8=1" in seen and "PYTHONNOUSERSITE=1" in seen
