import pytest

from depthseg_lib.commands import journal, progress
from depthseg_lib.commands.journal import FAILED, FINISHED, SAID, STARTED, Event
from depthseg_lib.commands.progress import Job, Screen

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


def test_rates_are_medians_by_kind(tmp_path):
    for name, seconds in (("a", 20.0), ("b", 30.0), ("c", 400.0)):
        folder = tmp_path / "pretrain" / name
        folder.mkdir(parents=True)
        write(folder, Event(0.0, STARTED), Event(seconds, FINISHED))
    jobs = [Job(("pretrain", name), 10.0) for name in "abc"] + [Job(B, 10.0)]
    assert progress.rates(jobs, lambda key: tmp_path.joinpath(*key)) == {"pretrain": 3.0}


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


def write(folder, *events):
    import json
    from dataclasses import asdict

    (folder / journal.NAME).write_text("".join(json.dumps(asdict(event)) + "\n" for event in events))
