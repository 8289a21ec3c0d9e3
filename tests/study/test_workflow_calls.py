import os

import pytest

from depthseg_lib.commands import figures
from depthseg_lib.commands.machine import Device
from depthseg_lib.errors import InputError
from depthseg_lib.files import read_json
from depthseg_lib.study import workflow
from depthseg_lib.study.workflow import Request


def test_a_picture_has_three_files_and_a_table_five():
    assert workflow.drawn("figures", ("claims",)) == [
        f"figures/claims.{s}" for s in ("png", "svg", "json", "csv", "md")
    ]
    assert workflow.drawn("figures/laptop", ("fig03_curves", "table1")) == [
        *(f"figures/laptop/fig03_curves.{suffix}" for suffix in ("png", "svg", "json")),
        *(f"figures/laptop/table1.{suffix}" for suffix in ("png", "svg", "json", "csv", "md")),
    ]


def test_gpus_are_shared_out_and_a_cluster_asks_for_one_each(tmp_path):
    def asked(profile, **fields):
        request = Request(profile, runs=str(tmp_path), **fields)
        workflow.tell(request)
        called = workflow.command(request)
        return called, read_json(called[called.index("--configfile") + 1])["gpu"]

    local, gpu = asked("gpu", gpus="0,1", jobs_per_gpu=3, cores=8)
    assert local[local.index("--resources") + 1] == "gpu=6" and gpu == 1
    assert local[local.index("--cores") + 1] == "8"
    cluster, gpu = asked("gpu", executor="slurm", gpus="all")
    assert "--cores" not in cluster and "--resources" not in cluster and gpu == 1
    assert asked("gpu", executor="slurm", gpus="")[1] == 0
    plain, gpu = asked("laptop", cores=2)
    assert "--resources" not in plain and gpu == 0


@pytest.mark.parametrize("name", ["2026_11_26", "1e3", "a #2", "a {x}", 'it\'s "so"', "größe"])
def test_names_of_folders_are_taken_literally(name, tmp_path):
    request = Request("smoke", runs=str(tmp_path / name), figures=str(tmp_path / "figures" / name))
    workflow.tell(request)
    called = workflow.command(request)
    assert called[called.index("--directory") + 1] == f"{tmp_path / name}/smoke"
    assert read_json(called[called.index("--configfile") + 1])["figures"] == f"{tmp_path}/figures/{name}/smoke"


def test_jobs_have_one_thread_each_and_keep_to_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path))
    environment = workflow.environment(Request("gpu", gpus="0,1"))
    assert {environment[name] for name in workflow.ONE_THREAD} == {"1"}
    assert environment["XDG_CACHE_HOME"].startswith(str(tmp_path)) and environment["DEPTHSEG_GPUS"] == "0,1"
    assert environment["DEPTHSEG_PLANNED_FOR"] == "gpu"
    assert environment.get("CUDA_VISIBLE_DEVICES") == os.environ.get("CUDA_VISIBLE_DEVICES")
    assert "DEPTHSEG_GPUS" not in workflow.environment(Request("gpu", executor="slurm", gpus="0"))


@pytest.mark.parametrize("executor", ["local", "slurm"])
def test_without_gpus_jobs_see_none(executor, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    environment = workflow.environment(Request("laptop", executor=executor))
    assert environment["CUDA_VISIBLE_DEVICES"] == "" and "DEPTHSEG_PLANNED_FOR" not in environment


def test_a_study_for_a_gpu_does_not_begin_without_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(figures.machine, "device", lambda: Device())
    monkeypatch.setattr(figures, "_run", lambda *_: pytest.fail("it began"))
    options = ["--profile", "gpu", "--runs", str(tmp_path / "runs"), "--figures", str(tmp_path / "figures")]
    with pytest.raises(InputError, match="'gpu' trains networks for a GPU, and PyTorch finds none here"):
        figures.make(figures._parser().parse_args(options))
    assert figures.make(figures._parser().parse_args([*options, "--dry"])) == 0
    assert "estimated GPU hours" in capsys.readouterr().out


def test_what_is_to_be_made_anew_is_named_by_its_result(tmp_path):
    request = Request("laptop", runs=str(tmp_path))
    called = workflow.command(request, [("data", "v"), ("finetune", "a/t0"), ("figures", "03_results")])
    at = called.index("--forcerun")
    assert called[at + 1 : at + 4] == ["data/v/ready.json", "finetune/a/t0/metrics.json", "draw_03_results"]
    assert "--forcerun" not in workflow.command(request)
