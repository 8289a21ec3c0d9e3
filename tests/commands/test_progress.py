"""What a study says while it runs: journals of runs, the screen, the time that is left, and estimates before it runs."""

import pytest

from depthseg_lib.commands import journal, progress
from depthseg_lib.commands.journal import FAILED, FINISHED, SAID, STARTED
from depthseg_lib.commands.progress import Screen, estimated
from depthseg_lib.errors import InputError
from depthseg_lib.study import plan as study_plan
from depthseg_lib.study.jobs import Job, jobs_of

A, B, C = ("pretrain", "a"), ("finetune", "b"), ("figures", "03_results")
JOBS = [Job(A, 100.0), Job(B, 50.0, (A,)), Job(C, 30.0, (A, B))]


def test_time_left_is_the_work_over_the_cores_but_never_less_than_the_longest_chain():
    assert progress.seconds_left(JOBS, {}, {}, cores=1) == 180
    assert progress.seconds_left(JOBS, {}, {}, cores=8) == 180
    side_by_side = [Job(("finetune", str(i)), 10.0) for i in range(8)]
    assert progress.seconds_left(side_by_side, {}, {}, cores=4) == 20


def test_time_left_follows_what_was_measured_and_what_already_ran():
    assert progress.seconds_left(JOBS[:1], {A: 40.0}, {}, cores=1) == 60
    assert progress.seconds_left(JOBS[:1], {A: 40.0}, {"pretrain": 2.0}, cores=1) == 160
    assert progress.seconds_left(JOBS[:1], {A: 400.0}, {}, cores=1) == 5  # late, not done
    assert progress.seconds_left([], {}, {}, cores=1) == 0


def test_rates_are_medians_by_kind(monkeypatch):
    taken = {"a": 20.0, "b": 30.0, "c": 400.0}
    monkeypatch.setattr(journal, "seconds_taken", lambda folder: taken.get(folder))
    jobs = [Job(("pretrain", name), 10.0) for name in "abc"] + [Job(B, 10.0)]
    assert progress.rates(jobs, lambda key: key[1] if key[0] == "pretrain" else None) == {"pretrain": 3.0}


@pytest.mark.parametrize(
    ("seconds", "said"), [(40.2, "40 s"), (89, "89 s"), (840, "14 min"), (5399, "90 min"), (8280, "2.3 h")]
)
def test_durations(seconds, said):
    assert progress.duration(seconds) == said


def test_the_screen_shows_each_event_once_with_the_number_of_its_run(tmp_path):
    lines = []

    def folder(key):
        return tmp_path.joinpath(*key)

    journal.append(folder(A), SAID, "of an earlier study")
    screen = Screen(JOBS, [B, C], folder, cores=2, say=lines.append)
    journal.append(folder(B), STARTED)
    journal.append(folder(B), SAID, "iteration 200/300: miou 0.412")
    screen.update()
    screen.update()
    journal.append(folder(B), FINISHED)
    (folder(B) / "metrics.json").write_text('{"diverged_at": 120}')
    journal.append(folder(C), STARTED)
    journal.append(folder(C), FAILED, "no such column\nlog: failed.ipynb")
    screen.update()
    assert lines[:2] == ["[2/3] finetune b  started", "[2/3] finetune b  iteration 200/300: miou 0.412"]
    assert lines[2].startswith("[2/3] finetune b  finished in 0 s, diverged at iteration 120, about 30 s left")
    assert lines[3] == "[3/3] figures 03_results  started"
    assert lines[4] == "[3/3] figures 03_results  FAILED: no such column\nlog: failed.ipynb" and len(lines) == 5
    assert screen.failed == {C: "no such column\nlog: failed.ipynb"}


def test_a_run_of_a_cluster_that_failed_and_was_tried_again_is_not_failed(tmp_path):
    screen = Screen(JOBS, [A], lambda key: tmp_path.joinpath(*key), cores=1, say=lambda line: None)
    for what in (STARTED, FAILED, STARTED, FINISHED):
        journal.append(tmp_path.joinpath(*A), what)
    screen.update()
    assert screen.failed == {}


@pytest.mark.parametrize(("profile", "unit"), [("gpu", "GPU hours"), ("laptop", "hours of a core")])
def test_the_table_adds_up_and_says_what_it_rests_on(profile, unit):
    plan = study_plan.plan(profile)
    title, _, *rows = [line for line in estimated(jobs_of(plan)) if line.strip()]
    text = " ".join(rows)
    assert title.strip() == f"estimated {unit}, by kind of run"
    assert ("Titan Xp" in text and "no GPU has run this profile yet" in text) == (profile == "gpu")
    together = next(line for line in rows if line.startswith("together")).split()
    jobs = [job for job in jobs_of(plan) if job.key[0] in ("pretrain", "finetune")]
    assert int(together[1]) == len(jobs)
    assert float(together[2]) == pytest.approx(sum(job.cost for job in jobs) / 3600, abs=0.01)


def test_events_are_read_from_where_the_last_look_ended(tmp_path):
    journal.append(tmp_path, STARTED)
    events, offset = journal.read(tmp_path)
    assert [event.what for event in events] == [STARTED]
    assert journal.read(tmp_path, offset) == ([], offset)
    journal.append(tmp_path, SAID, "größer\nzwei Zeilen")
    events, _ = journal.read(tmp_path, offset)
    assert [(event.what, event.text) for event in events] == [(SAID, "größer\nzwei Zeilen")]


def test_half_a_line_waits_for_its_other_half(tmp_path):
    journal.append(tmp_path, STARTED)
    whole = (tmp_path / journal.NAME).read_bytes()
    (tmp_path / journal.NAME).write_bytes(whole + whole[:20])
    events, offset = journal.read(tmp_path)
    assert len(events) == 1 and offset == len(whole)


def test_a_line_cut_short_is_passed_over_and_costs_no_other(tmp_path):
    journal.append(tmp_path, STARTED)
    with (tmp_path / journal.NAME).open("a") as file:
        file.write('{"at": 12.5, "what": "fai')
    journal.append(tmp_path, FINISHED)
    assert [event.what for event in journal.read(tmp_path)[0]] == [STARTED, FINISHED]
    assert journal.seconds_taken(tmp_path) is not None


def test_a_run_without_a_journal_has_no_events(tmp_path):
    assert journal.read(tmp_path / "none") == ([], 0)
    assert journal.seconds_taken(tmp_path / "none") is None


def test_seconds_are_those_of_the_last_try(tmp_path, monkeypatch):
    clock = iter([10.0, 20.0, 100.0, 130.0])
    monkeypatch.setattr(journal.time, "time", lambda: next(clock))
    journal.append(tmp_path, STARTED)
    journal.append(tmp_path, FAILED)
    assert journal.seconds_taken(tmp_path) is None
    journal.append(tmp_path, STARTED)
    journal.append(tmp_path, FINISHED)
    assert journal.seconds_taken(tmp_path) == 30


def test_a_folder_that_cannot_be_written_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        journal.append(tmp_path / "file", STARTED)
