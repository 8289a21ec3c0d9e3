"""The one exception that the study raises for input it cannot use, and what a command makes of it."""

import sys
from collections.abc import Callable


class InputError(ValueError):
    """Bad input: the message says which file or name, what was expected, what was found and what to do.

    The command line and the notebook runner print it as one sentence, without a traceback.
    """


def exit_status(work: Callable[[], object]) -> int:
    """The exit status of a command that does `work`: 0, or 1 with what is wrong as one sentence on stderr."""
    try:
        work()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
