"""A training while it runs, for a person: curves so far and one fixed held-out image, drawn anew at each evaluation."""

import os
from itertools import product

import numpy as np
from IPython.display import display
from matplotlib import colormaps
from matplotlib.figure import Figure

from depthseg_lib.plots import style
from depthseg_lib.plots.pretrained import flow_colours
from depthseg_lib.training.engine import Progress

NAMES = style.METRICS | {"abs_rel": "abs-rel", "rmse": "RMSE (m)", "a1": "a1", "epe": "end-point error (px)"}
NAMES |= {"train_loss": "training loss", "loss": "held-out loss", "accuracy": "held-out accuracy (%)"}
"""Labels of what is drawn; accuracy alone is that of photographs."""
SCORES = ("miou_seven", "abs_rel", "epe", "accuracy", "loss")
"""What is drawn beside the loss: the first of these that is there."""
WIDTH, CURVES, TALLEST = 9.2, 1.9, 2.2
"""Inches: of the whole, height of the curves, largest height of the pictures."""


def headless() -> bool:
    """Whether the notebook runs without a person, for the study."""
    return bool(os.environ.get("DEPTHSEG_HEADLESS"))


def watch() -> Progress:
    """What a training of a notebook reports to: a `Live`, or `print` where nobody looks."""
    return print if headless() else Live()


class Live:
    """A report of which evaluations are one picture that is replaced, and stays in the notebook as the last one was."""

    def __init__(self):
        self.handle, self.courses = None, []

    def __call__(self, line: str) -> None:
        print(line)

    def evaluated(self, line: str, rows: list[dict], iterations: int, pictures: list[tuple[str, np.ndarray]]) -> None:
        """Draw the `rows` of the history so far over those of the trials before, and the pictures."""
        if not self.courses or self.courses[-1] is not rows:
            self.courses.append(rows)
        figure = live_figure(line, self.courses, iterations, pictures)
        if self.handle is None:
            self.handle = display(figure, display_id=True)
        else:
            self.handle.update(figure)


@style.styled
def live_figure(
    said: str, courses: list[list[dict]], iterations: int, pictures: list[tuple[str, np.ndarray]]
) -> Figure:
    """Loss and score of the last of `courses` (rows of a history), those before in grey, over pictures side by side.

    Everything has its place in inches: a layout engine would take longer than all the drawing.
    """
    score = next((name for name in SCORES if name in courses[-1][0]), "train_loss")
    seen, across = coloured([picture for _, picture in pictures]), WIDTH / max(3, len(pictures))
    shown = min(TALLEST, max(of.shape[0] / of.shape[1] for of in seen) * (across - 0.1))
    height = 0.3 + CURVES + 0.75 + shown + 0.05
    figure = style.Drawing(figsize=(WIDTH, height))
    held_out = next((name for name in ("nll", "loss") if name in courses[-1][0]), None)
    for column, metric in enumerate(("train_loss", score)):
        left, bottom = (0.7 + column * WIDTH / 2) / WIDTH, (height - 0.3 - CURVES) / height
        axes = figure.add_axes((left, bottom, (WIDTH / 2 - 0.85) / WIDTH, CURVES / height))
        besides = {held_out: "--"} if held_out and column == 0 else {}
        for rows, (name, line) in product(courses, ({metric: "-"} | besides).items()):
            now = rows is courses[-1]
            look = dict(color=style.LOOK["depth"][0], marker=".") if now else dict(color=style.GREY, linewidth=0.8)
            values = np.multiply([row[name] for row in rows], style.scale(name))
            axes.plot([row["iteration"] for row in rows], values, line, **look)
        label = "loss (dashed: held out)" if besides else NAMES[metric]
        axes.set(xlabel="iteration", ylabel=label, xlim=(-0.01 * iterations, 1.01 * iterations))
        style.few_ticks(axes)
    for column, ((title, _), picture) in enumerate(zip(pictures, seen, strict=True)):
        axes = figure.add_axes((column * across / WIDTH, 0.05 / height, (across - 0.1) / WIDTH, shown / height))
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(title, fontsize=9, pad=3)
        axes.set_axis_off()
    figure.text(0.01, 1 - 0.2 / height, said, fontsize=9)
    return figure


def coloured(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Colours (H W 3 or 4) of what `Task.picture` gives; all depths have the scale of the first, and so have flows."""
    depths, flows = ([of for of in pictures if of.ndim == n and (n == 2 or len(of) == 2)] for n in (2, 3))
    known = depths[0][depths[0] > 0] if depths else ()
    low, high = np.log(np.percentile(known, (1, 99))) if len(known) else (0.0, 1.0)
    fastest = max(1.0, float(np.percentile(np.hypot(*flows[0]), 90))) if flows else 1.0

    def colours(of: np.ndarray) -> np.ndarray:
        if of.ndim == 2:  # white where there is none
            scaled = (np.log(np.maximum(of, 1e-3)) - low) / max(high - low, 1e-3)
            return np.where((of > 0)[..., None], colormaps["viridis_r"](scaled), 1.0)
        return flow_colours(of, fastest) if len(of) == 2 else of

    return list(map(colours, pictures))
