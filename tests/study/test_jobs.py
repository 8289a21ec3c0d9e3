"""The jobs of a study: in an order that soon has something to draw, after what they need, on data made ready once."""

import pytest

from depthseg_lib.commands import prepare
from depthseg_lib.files import read_json, write_json
from depthseg_lib.study import plan as study_plan
from depthseg_lib.study.jobs import DATA, FIGURES, jobs_of


@pytest.mark.parametrize("name", ["smoke", "laptop", "kitti"])
def test_data_come_first_then_pretrainings_then_trial_by_trial(name):
    study = study_plan.plan(name, data="somewhere" if name == "kitti" else "")
    jobs = jobs_of(study)
    kinds = [job.key[0] for job in jobs]
    assert kinds == sorted(kinds, key=[DATA, "pretrain", "finetune", FIGURES].index)
    trials = [int(job.key[1].rpartition("/t")[2]) for job in jobs if job.key[0] == "finetune"]
    runs = [run for run in study.runs if run.kind == "finetune"]
    assert trials == [n for n in range(study.profile.trials) for _ in runs]
    seen = set()
    for job in jobs:
        assert set(job.needs) <= seen and job.key not in seen
        seen.add(job.key)
    (large,) = (job for job in jobs if job.key == ("pretrain", f"{study.profile.encoders[0]}-depth-large"))
    assert large.needs == ((DATA, f"video-{study.profile.large['height']}x{study.profile.large['width']}"),)


def test_all_that_a_task_reads_is_made_ready_and_only_the_embedded_world_is_rendered():
    data = {of.name: of for of in study_plan.plan("laptop").data}
    assert set(data) == {"photographs", *(f"{of}-{s}" for of in ("video", "annotated") for s in ("64x192", "96x288"))}
    readers = {f"pretrain/resnet18-slim-{name}" for name in ("depth", "depth-supervised", "flow")}
    assert set(data["video-64x192"].readers) == readers and all(of.rendered for of in data.values())
    assert not any(of.rendered for of in study_plan.plan("kitti", data="somewhere").data)


def test_what_was_made_ready_is_not_made_by_the_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DEPTHSEG_CACHE", str(tmp_path / "cache"))
    study = study_plan.plan("smoke", runs=tmp_path)
    study_plan.write(study, tmp_path)
    for of in study.data:
        places = [tmp_path / "smoke" / name / ("t0" if name.startswith("finetune") else "") for name in of.readers]
        files = [str(place / "params.json") for place in places]
        assert prepare.main([*files, "--out", str(tmp_path / "data" / of.name)]) == 0
        assert read_json(tmp_path / "data" / of.name / "ready.json")["readers"] == files
    made = {path for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    before = {path: path.stat().st_mtime_ns for path in made}
    assert "rendered" in capsys.readouterr().out
    for run in study.runs:
        config = next(iter(run.trials().values()))
        write_json(tmp_path / "one.json", config)
        assert prepare.main([str(tmp_path / "one.json"), "--out", str(tmp_path / "again")]) == 0
    assert "rendered" not in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()} == before


def test_data_that_are_not_there_are_said_in_one_sentence(tmp_path, capsys):
    (run,) = (run for run in study_plan.plan("smoke").runs if run.name == "resnet18-slim-none-full-n4")
    lost = run.trials()["resnet18-slim-none-full-n4/t0"] | {"data_set": "kitti", "data_folder": str(tmp_path / "no")}
    write_json(tmp_path / "params.json", lost)
    assert prepare.main([str(tmp_path / "params.json"), "--out", str(tmp_path / "data")]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("data data  failed: ") and "no" in shown and "Traceback" not in shown
    assert not (tmp_path / "data/ready.json").exists()
