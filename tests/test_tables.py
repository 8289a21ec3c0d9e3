"""Table 1: ours tidy, the paper's beside."""

import numpy as np
import planted
import pytest

from depthseg_lib import paper, tables
from depthseg_lib.statistics import mean_interval


@pytest.fixture
def metrics():
    return planted.laptop().select(images=16).metrics


def test_a_row_per_encoder_setting_and_initialisation(metrics):
    table = tables.table1(metrics, paper.table1())
    assert len(table) == 8 and list(table["setting"]) == ["full"] * 4 + ["frozen"] * 4
    row = table[(table["setting"] == "frozen") & (table["initialisation"] == "depth")].iloc[0]
    values = metrics[(metrics["setting"] == "frozen") & (metrics["initialisation"] == "depth")]["miou_seven"]
    expected = mean_interval(values)
    assert (row["miou_seven_mean"], row["miou_seven_low"]) == pytest.approx((expected.mean, expected.low))
    assert row["miou_seven_trials"] == 3 and row["diverged"] == 0
    assert (row["paper_miou_seven"], row["paper_accuracy"]) == pytest.approx((0.4302, 0.7238))
    assert table.loc[table["initialisation"] == "classification", "paper_miou_seven"].isna().all()


def test_text_has_intervals_for_ours_none_for_the_papers(metrics):
    table = tables.table1(metrics, paper.table1())
    shown = tables.columns(table, paper.table1())
    assert [column.group.split(",")[0] for column in shown] == ["ours"] * 4 + ["paper (KITTI)"] * 4
    assert (
        "±" in shown[0].cells["depth"]
        and shown[4].cells["depth-imagenet"] == "50.2"
        and shown[4].best == "depth-imagenet"
    )
    assert "imagenet" not in shown[0].cells
    text = tables.markdown(table, paper.table1(), "footer line")
    assert text.count("\n| ") == 7 and "**50.2**" in text and text.endswith("footer line\n")


def test_diverged_and_single_trials_are_marked(metrics):
    metrics = metrics[(metrics["setting"] == "full")].copy()
    metrics.loc[metrics["name"].str.contains("-depth-full.*t0"), ["diverged_at", "miou_seven", "accuracy"]] = [
        20,
        np.nan,
        np.nan,
    ]
    none = metrics["initialisation"] == "none"
    metrics.loc[none, ["diverged_at", "miou_seven", "accuracy"]] = [20, np.nan, np.nan]
    metrics = metrics[(metrics["initialisation"] != "classification") | (metrics["trial"] == 0)]
    cells = tables.columns(tables.table1(metrics, paper.table1()), paper.table1())[0].cells
    assert cells["depth"].endswith("†") and cells["none"] == "diverged" and "±" not in cells["classification"]


def test_the_papers_headline_follows_from_its_table():
    """5.7 points of mIoU and 4.1 of accuracy are the means over R18 and R50 of depth-imagenet minus imagenet."""
    full = paper.table1().query("setting == 'full'").pivot(index="encoder", columns="initialisation")
    gains = [(full[m]["depth-imagenet"] - full[m]["imagenet"]).mean() * 100 for m in ("miou_seven", "accuracy")]
    assert gains == pytest.approx([5.66, 4.14], abs=0.01)
    assert paper.counterpart("resnet18-slim") == "resnet18"


def test_where_the_paper_has_another_encoder_alone_that_one_stands_beside():
    metrics = planted.everything().main.select(images=16, setting=["full", "deeplab"]).metrics
    table = tables.table1(metrics, paper.table1())
    theirs = [c for c in tables.columns(table, paper.table1()) if c.group.startswith("paper")]
    assert [(c.group, c.setting) for c in theirs[::2]] == [
        ("paper (KITTI), resnet18", "full"),
        ("paper (KITTI), resnet50", "deeplab"),
    ]
    assert theirs[2].cells["none"] == "21.9"
    assert table.loc[table["setting"] == "deeplab", "paper_miou_seven"].isna().all()  # not beside ours in the CSV


def test_times_are_means_and_sums_by_kind_of_run():
    found = planted.everything()
    cost = tables.times(found.metrics, found.pretrain).set_index("kind")
    assert cost.loc["fine-tuning, full, main", ["runs", "seconds of one", "minutes"]].tolist() == [66, 30, 33]
    assert cost.loc["pre-training, depth-large", "runs"] == 1 and cost["minutes"].sum() == len(found.metrics) / 2 + 3
