"""Metrics of stored confusion matrices on the validation images that runs have in common."""

import numpy as np
import pandas as pd

from depthseg_lib.data.labels import LabelSet
from depthseg_lib.losses import metrics

_RUN = ["encoder", "initialisation", "setting", "images", "trial"]
_PEERS = ["encoder", "setting"]


def common_images(confusion: pd.DataFrame) -> pd.DataFrame:
    """The images that every run of an encoder and setting was validated on: encoder, setting, image.

    A larger training set leaves fewer images for validation, so sizes compare fairly on these alone.
    """
    seen = confusion[[*_RUN, "image"]].drop_duplicates()
    runs = seen[_RUN].drop_duplicates().groupby(_PEERS, observed=True).size().rename("runs")
    times = seen.groupby([*_PEERS, "image"], observed=True).size().rename("times").reset_index()
    joined = times.merge(runs.reset_index(), on=_PEERS)
    return joined.loc[joined["times"] == joined["runs"], [*_PEERS, "image"]].reset_index(drop=True)


def common_scores(confusion: pd.DataFrame, label_set: LabelSet) -> pd.DataFrame:
    """mIoU and accuracy of each run over `common_images`, fractions 0..1; `validation` counts the images."""
    common = common_images(confusion)
    count = common.groupby(_PEERS, observed=True).size().rename("validation").reset_index()
    cells = confusion.merge(common, on=[*_PEERS, "image"])
    summed = cells.groupby([*_RUN, "truth", "prediction"], observed=True, sort=False)["count"].sum().reset_index()
    rows = []
    for run, part in summed.groupby(_RUN, observed=True, sort=False):
        matrix = _matrix(part, label_set)
        seven = metrics.miou(matrix, label_set.representative)
        rows.append((*run, metrics.miou(matrix), seven, metrics.accuracy(matrix)))
    return pd.DataFrame(rows, columns=[*_RUN, "miou", "miou_seven", "accuracy"]).merge(count, on=_PEERS)


def _matrix(cells: pd.DataFrame, label_set: LabelSet) -> np.ndarray:
    """One (C, C) matrix [truth, prediction] from its filled cells."""
    place = {name: index for index, name in enumerate(label_set.classes)}
    matrix = np.zeros((len(place),) * 2, np.int64)
    truth, prediction = (cells[column].astype(str).map(place).to_numpy() for column in ("truth", "prediction"))
    np.add.at(matrix, (truth, prediction), cells["count"].to_numpy(np.int64))
    return matrix
