"""What a person sees of a training in a notebook."""

import os


def headless() -> bool:
    """Whether the notebook runs without a person, for the study."""
    return bool(os.environ.get("DEPTHSEG_HEADLESS"))
