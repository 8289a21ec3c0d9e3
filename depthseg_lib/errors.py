"""The exception that the study raises for input it cannot use, what a command makes of it, and a run's quiet end."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class InputError(ValueError):
    """Bad input: the message says which file or name, what was expected, what was found and what to do.

    The command line and the notebook runner print it as one sentence, without a traceback.
    """


class Stopped(KeyboardInterrupt):
    """A run was interrupted; a notebook shows the message alone."""

    def _render_traceback_(self) -> list[str]:
        """What IPython asks an exception for in place of its traceback."""
        return [str(self)]


@contextmanager
def interruptible() -> Iterator[None]:
    """An interruption becomes `Stopped`, whose one line says how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped("stopped; run this again to go on from the last evaluation") from None


def together(errors: Sequence[InputError], of: str) -> InputError:
    """One error for all `errors` of a kind, one at least: how many `of` what, and what the first ten say, a line each.

    A single one stays as it is.
    """
    if len(errors) == 1:
        return errors[0]
    more = [f"and {len(errors) - 10} more"] if len(errors) > 10 else []
    return InputError("\n  ".join([f"{len(errors)} {of}:", *map(str, errors[:10]), *more]))


def exit_status(work: Callable[[], int | None]) -> int:
    """The exit status of a command: that of `work`, or 1 with what is wrong as one sentence on stderr.

    Where the reader of its lines has gone, such as `head`, it ends without a word.
    """
    try:
        status = work() or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
