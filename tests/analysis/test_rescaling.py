"""Predictions of rescaled images and object sizes: computed from runs, kept, stored with the results, read again."""

import numpy as np
import pandas as pd
import pytest
from helpers import planted

from depthseg_lib.analysis.measurements import rescaling
from depthseg_lib.analysis.measurements import sizes as object_sizes
from depthseg_lib.analysis.statistics import differences
from depthseg_lib.training import finetune

NAME = "resnet18-slim-depth-full-n4-t0"


def test_factor_1_has_the_score_that_the_run_itself_had(tmp_path):
    from helpers.small import finetuning

    from depthseg_lib.analysis.runs import RunFolder

    config = finetuning(iterations=2, annotated=12)
    run = finetune.run(config, tmp_path / "a" / "t0", lambda _: None)
    folder = RunFolder(tmp_path / "a" / "t0", config.to_mapping())
    full = planted.laptop().select(setting="full", images=16)
    tables, arrays = rescaling._compute(full, {folder.name: folder}, lambda _: None)
    row = tables["scores"].set_index("factor").loc[1.0]
    for metric in ("miou_seven", "miou", "accuracy"):
        assert row[metric] == pytest.approx(run.metrics[metric], abs=0.002)
    assert row["scored"] == 8 and row["name"] == "a-t0" and set(arrays["predictions"]) == {"a-t0"}


def test_a_crop_shows_the_object_that_its_box_says():
    image = np.zeros((3, 64, 192), np.uint8)
    image[:, 30:40, 100:190] = 9
    for left, width in ((100, 90), (0, 8)):
        box = {"top": 30, "left": left, "height": 10, "width": width}
        top, start, picture = object_sizes._around(image, box)
        assert np.array_equal(picture, image[:, top : top + 64, start : start + picture.shape[2]])
        assert picture.shape[2] == max(64, int(1.15 * width)) and start <= left <= start + picture.shape[2] - width


def test_real_images_are_not_among_the_examples():
    rows = [("car", 0, 5, 5, 20, 30, 400, 24.5, "photographs"), ("car", 0, 1, 1, 4, 4, 16, 4.0, "streets")]
    columns = ["thing", "image", "top", "left", "height", "width", "pixels", "size", "where"]
    photographs = np.zeros((1, 3, 64, 64), np.uint8)
    shown, examples = object_sizes._examples(pd.DataFrame(rows, columns=columns), photographs, None)
    assert list(shown["kind"]) == ["photograph"] and set(examples) == {"car.photograph"}


def test_losses_are_taken_run_by_run():
    full = planted.laptop().select(setting="full", images=16)
    found = planted.rescaling(full)
    losses = found.losses()
    assert len(losses) == 4 * len(full.metrics) and 1.0 not in set(losses["factor"])
    row = losses.iloc[0]
    own = found.scores[found.scores["name"] == row["name"]].set_index("factor")["miou"]
    assert row["miou"] == pytest.approx(own[row["factor"]] - own[1.0])
    gaps = differences(losses, [("depth", "none")], "miou", by=["encoder", "factor"]).set_index("factor")
    assert gaps.loc[2.0, "verdict"] == "higher" and gaps.loc[2.0, "mean"] == pytest.approx(0.09, abs=0.02)
