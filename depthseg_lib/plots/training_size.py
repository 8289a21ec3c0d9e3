"""Figure 4: accuracy against the number of annotated training images."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.plots import style
from depthseg_lib.plots.against import axes_against, panels_against


@style.styled
def training_size(scores: pd.DataFrame, footer: str = "") -> Figure:
    """mIoU over the representative classes and pixel accuracy against training images (log2), per initialisation.

    `scores` is a row per run: encoder, initialisation, images, trial and the metrics as fractions, all on the same
    validation images (`scores.common_scores`). Bars are 95 % t-intervals; each trial is a faint dot.
    """
    return panels_against(scores, "images", "annotated training images", footer)


def size_axes(axes: Axes, scores: pd.DataFrame, metric: str) -> None:
    """Draw one metric against size into `axes`."""
    axes_against(axes, scores, metric, "images")
