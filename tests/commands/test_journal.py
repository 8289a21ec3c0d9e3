import pytest

from depthseg_lib.commands import journal
from depthseg_lib.commands.journal import FAILED, FINISHED, SAID, STARTED
from depthseg_lib.errors import InputError


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
