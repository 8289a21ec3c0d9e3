"""What a run says while it runs: a line of JSON per event in `progress.jsonl` of its folder.

A file, not a pipe: it works the same for jobs of this machine and of a cluster, and can be read afterwards.
"""

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from depthseg_lib.files import writing

NAME = "progress.jsonl"
STARTED, SAID, FINISHED, FAILED = "started", "said", "finished", "failed"


@dataclass(frozen=True)
class Event:
    """One thing that happened to a run."""

    at: float
    """Seconds since the epoch."""
    what: str
    """started, said, finished or failed."""
    text: str = ""
    """What was said, or why it failed."""


def append(folder: Path, what: str, text: str = "") -> None:
    """Add an event, now, to the journal in `folder`."""
    path = Path(folder) / NAME
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(Event(time.time(), what, text))) + "\n"
        with path.open("ab+") as file:
            file.seek(max(0, file.tell() - 1))
            torn = file.read() not in (b"", b"\n")  # the last line has no end
            file.write((f"\n{line}" if torn else line).encode())


def read(folder: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The events from byte `offset` on and the offset to go on from; a line that is still being written waits.

    A line that a full disk or a kill cut short is passed over.
    """
    try:
        with (Path(folder) / NAME).open("rb") as file:
            file.seek(offset)
            text = file.read()
    except FileNotFoundError:
        return [], offset
    whole, events = text[: text.rfind(b"\n") + 1], []
    for line in whole.splitlines():
        with suppress(ValueError, TypeError):
            events.append(Event(**json.loads(line)))
    return events, offset + len(whole)


def seconds_taken(folder: Path) -> float | None:
    """Wall time from the last start to the finish, in seconds; None for a run that did not finish."""
    started = finished = None
    for event in read(folder)[0]:
        if event.what == STARTED:
            started, finished = event.at, None
        elif event.what == FINISHED:
            finished = event.at
    return None if started is None or finished is None else max(0.0, finished - started)  # clocks jump
