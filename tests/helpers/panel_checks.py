"""What holds for every panel: each control moves the picture and its state, and moves both back."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from depthseg_lib.panels.panel import Paste


def drawn(panel) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(panel.picture.value)))


def pasted(figure) -> list[np.ndarray]:
    return [artist.pixels for artist in figure.artists if isinstance(artist, Paste)]


def check_control(panel, control: str, value) -> None:
    """A control changes the picture and what the panel's state says under its name, and back."""
    before, old = drawn(panel), getattr(panel, control).value
    getattr(panel, control).value = value
    assert panel.state == replace(panel.state, **{control: value})
    assert (drawn(panel) != before).any()
    getattr(panel, control).value = old
    assert (drawn(panel) == before).all()


def check_shows_itself(panel) -> None:
    """In a notebook with a kernel, and as a picture in an executed one."""
    assert {"image/png", "application/vnd.jupyter.widget-view+json"} <= set(panel._repr_mimebundle_())
