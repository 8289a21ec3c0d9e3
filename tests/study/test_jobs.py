"""The jobs of a study: in an order that soon has something to draw, after what they need, on data made ready once."""

from contextlib import nullcontext

import pytest

from depthseg_lib.commands import prepare
from depthseg_lib.errors import InputError
from depthseg_lib.files import read_json, write_json
from depthseg_lib.study import plan as study_plan
from depthseg_lib.study.jobs import DATA, FIGURES, jobs_of


@pytest.mark.parametrize("name", ["smoke", "laptop", "kitti"])
def test_data_come_first_then_trial_by_trial(name):
    study = study_plan.plan(name, data="somewhere" if name == "kitti" else "")
    jobs = jobs_of(study)
    kinds = [job.key[0] for job in jobs]
    assert kinds[: len(study.data)] == [DATA] * len(study.data) and kinds[-1] == FIGURES
    runs = [job.key for job in jobs if job.key[0] in ("pretrain", "finetune")]
    trials = [int(name.rpartition("/t")[2]) for _, name in runs]
    assert trials == sorted(trials) and max(trials) == study.profile.trials - 1 == 3 * (name != "smoke")
    for trial in set(trials):
        of = [kind for (kind, _), number in zip(runs, trials, strict=True) if number == trial]
        assert of == sorted(of, reverse=True)  # pre-trainings first
    seen = set()
    for job in jobs:
        assert set(job.needs) <= seen and job.key not in seen
        seen.add(job.key)
    (large,) = (job for job in jobs if job.key == ("pretrain", f"{study.profile.encoders[0]}-depth-large/t0"))
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
        files = [str(tmp_path / "smoke" / name / "t0/params.json") for name in of.readers]
        assert prepare.main([*files, "--out", str(tmp_path / "data" / of.name)]) == 0
        assert read_json(tmp_path / "data" / of.name / "ready.json")["readers"] == files
    made = {path for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    before = {path: path.stat().st_mtime_ns for path in made}
    assert "rendered" in capsys.readouterr().out
    for run in study.runs:
        config = next(iter(run.settings().values()))
        write_json(tmp_path / "one.json", config)
        assert prepare.main([str(tmp_path / "one.json"), "--out", str(tmp_path / "again")]) == 0
    assert "rendered" not in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()} == before


def test_every_trial_has_its_own_pretrainings_or_all_share_one():
    for name, shared in (("laptop", False), ("kitti", True)):
        runs = {(run.kind, run.name): run for run in study_plan.plan(name, data="somewhere" if shared else "").runs}
        encoder = "resnet18" if shared else "resnet18-slim"
        tuned = runs["finetune", f"{encoder}-depth-full-n16"].trials
        assert [own["trial"] for own in tuned] == [0, 1, 2, 3]
        folders = [own["start_weights"].split("/")[-2] for own in tuned]
        assert folders == (["t0"] * 4 if shared else ["t0", "t1", "t2", "t3"])
        assert len({own["fingerprint"] for own in tuned}) == (1 if shared else 4)
        learned = runs["pretrain", f"{encoder}-depth"].trials
        assert [own["seed"] for own in learned] == ([0] if shared else [0, 1, 2, 3])
    chained = {run.name: run for run in study_plan.plan("laptop").runs}
    starts = [own["start_weights"].split("/")[-3:-1] for own in chained["resnet18-slim-depth-classification"].trials]
    assert starts == [["resnet18-slim-classification", f"t{k}"] for k in range(4)]
    one = {run.name: run for run in study_plan.plan("laptop", pretrainings=1).runs}
    assert len(one["resnet18-slim-depth"].trials) == 1 and len(one["resnet18-slim-depth-full-n16"].trials) == 4


def test_trials_that_are_added_are_those_that_would_have_been_planned_at_first(tmp_path):
    study_plan.write(study_plan.plan("smoke", runs=tmp_path, trials=4), tmp_path)
    first = {run.name: run for run in study_plan.plan("smoke", runs=tmp_path).runs}
    more = {run.name: run for run in study_plan.plan("smoke", runs=tmp_path, trials=8).runs}
    for name, run in first.items():
        assert len(run.trials) == 4 and more[name].trials[:4] == run.trials and more[name].parameters == run.parameters
        assert len({own["fingerprint"] for own in more[name].trials}) in (1, 8)
    with pytest.raises(InputError, match=r"TRIALS=2, but 4 trials are planned in .*smoke: a study has no fewer"):
        study_plan.plan("smoke", runs=tmp_path, trials=2)


@pytest.mark.parametrize("asked", [(), ("--gpu",)])
def test_only_what_is_rendered_waits_for_a_gpu(asked, tmp_path, monkeypatch):
    held = []
    monkeypatch.setattr(prepare, "slot", lambda: held.append("a place") or nullcontext())
    monkeypatch.setattr(prepare, "load_annotated", lambda *_: held.append("read"))
    (run,) = (run for run in study_plan.plan("smoke").runs if run.name == "resnet18-slim-none-full-n4")
    write_json(tmp_path / "params.json", next(iter(run.settings().values())))
    assert prepare.main([str(tmp_path / "params.json"), *asked, "--out", str(tmp_path / "data")]) == 0
    assert held == (["a place", "read"] if asked else ["read"])


def test_data_that_are_not_there_are_said_in_one_sentence(tmp_path, capsys):
    (run,) = (run for run in study_plan.plan("smoke").runs if run.name == "resnet18-slim-none-full-n4")
    lost = run.settings()["resnet18-slim-none-full-n4/t0"] | {"data_set": "kitti", "data_folder": str(tmp_path / "no")}
    write_json(tmp_path / "params.json", lost)
    assert prepare.main([str(tmp_path / "params.json"), "--out", str(tmp_path / "data")]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("data data  failed: ") and "no" in shown and "Traceback" not in shown
    assert not (tmp_path / "data/ready.json").exists()
