"""The one exception that the study raises for input it cannot use."""


class InputError(ValueError):
    """Bad input: the message says which file or name, what was expected, what was found and what to do.

    The command line and the notebook runner print it as one sentence, without a traceback.
    """
