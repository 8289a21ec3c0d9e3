"""Scores on common validation images against the metrics of the matrices themselves."""

import numpy as np
import pytest
from helpers import planted

from depthseg_lib.analysis import results
from depthseg_lib.analysis.results import common_images, common_scores
from depthseg_lib.losses import metrics


def test_all_sizes_are_scored_on_the_images_that_all_of_them_have(tmp_path):
    runs = planted.plant(tmp_path, "smoke", examples=2)
    full = results.load("smoke", runs, tmp_path).select(setting="full")
    assert len(common_images(full.confusion)) == 16  # 24 annotated, 8 in the larger training set
    scored = common_scores(full.confusion, full.label_set)
    assert len(scored) == 8 and set(scored["validation"]) == {16}
    row = scored[(scored["initialisation"] == "depth") & (scored["images"] == 4)].iloc[0]
    with np.load(runs / "smoke" / "finetune" / "resnet18-slim-depth-full-n4" / "t0" / "confusion.npz") as stored:
        common = stored["images"][np.isin(stored["names"], [f"street{i:03d}" for i in range(8, 24)])]
    assert len(common) == 16
    assert row["miou_seven"] == pytest.approx(metrics.miou(common, full.label_set.representative))
    assert (row["miou"], row["accuracy"]) == pytest.approx((metrics.miou(common), metrics.accuracy(common)))


def test_a_setting_with_one_size_keeps_all_its_images(tmp_path):
    runs = planted.plant(tmp_path, "smoke", examples=2)
    found = results.load("smoke", runs, tmp_path)
    scored = common_scores(found.confusion, found.label_set).groupby("setting", observed=True)["validation"].unique()
    assert list(scored["frozen"]) == [20] and list(scored["full"]) == [16]
