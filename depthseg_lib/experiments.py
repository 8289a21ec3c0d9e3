"""Which experiment a fine-tuning run belongs to: the main comparison, high resolution, or one resolution to another."""

from dataclasses import replace

import pandas as pd

from depthseg_lib.results import Results

MAIN = "main"
"""The experiment of Tables 1 and 2 and of figures 3, 4, 5 and 9."""


def named(results: Results) -> Results:
    """The same results with the column `experiment` in every table; runs that name none are of the main one."""
    frames = {name: _named(getattr(results, name)) for name in ("metrics", "history", "confusion")}
    return replace(results, **frames)


def main(results: Results) -> Results:
    """Only the runs of the main experiment; raises `InputError` when there is none."""
    return named(results).select(experiment=MAIN)


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame if "experiment" in frame else frame.assign(experiment=MAIN)
