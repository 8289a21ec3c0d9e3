"""Tables 1 and 2, and what is fine-tuned at another resolution: ours tidy, the paper's beside it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import planted

from depthseg_lib.analysis import cross_resolution, paper, tables
from depthseg_lib.analysis.cross_resolution import ROWS
from depthseg_lib.analysis.statistics import mean_interval
from depthseg_lib.data.labels import KITTI


@pytest.fixture
def metrics():
    return planted.laptop().select(images=16).metrics


def ours(table):
    return table[table["source"] == "ours"]


def test_a_row_per_encoder_setting_and_initialisation(metrics):
    table = tables.table1(metrics, paper.table1())
    assert len(ours(table)) == 8 and list(ours(table)["setting"]) == ["full"] * 4 + ["frozen"] * 4
    row = ours(table).query("setting == 'frozen' and initialisation == 'depth'").iloc[0]
    values = metrics[(metrics["setting"] == "frozen") & (metrics["initialisation"] == "depth")]
    for metric in ("miou_seven", "miou_released", "accuracy"):
        expected = mean_interval(values[metric])
        found = row[f"{metric}_mean"], row[f"{metric}_low"]
        assert found == pytest.approx((expected.mean, expected.low)) and row[f"{metric}_trials"] == 3
    assert row["diverged"] == 0


def test_the_csv_has_every_number_of_the_paper_that_the_text_has(metrics):
    table = tables.table1(metrics, paper.table1())
    theirs = table[table["source"] == "paper (KITTI)"]
    assert len(theirs) == len(paper.table1()) == 20 and set(theirs["encoder"]) == {"resnet18", "resnet50"}
    text = tables.markdown(table)
    for row in theirs.itertuples():
        for value in (row.miou_seven_mean, row.accuracy_mean):
            assert f"{100 * value:.2f}" in text
    assert theirs["miou_released_mean"].isna().all() and theirs["diverged"].isna().all()
    deeplab = theirs.query("encoder == 'resnet50' and setting == 'deeplab' and initialisation == 'none'")
    assert deeplab["miou_seven_mean"].item() == pytest.approx(0.2193)


def test_text_has_intervals_for_ours_none_for_the_papers_and_two_decimals(metrics):
    table = tables.table1(metrics, paper.table1())
    shown = tables.columns(table)
    assert [column.source for column in shown] == ["ours"] * 6 + ["paper (KITTI)"] * 10
    first, theirs = shown[0], shown[6]
    assert first.encoder == "ResNet-18 slim (quarter width)" and "imagenet" not in first.cells
    mean = mean_interval(metrics.query("setting == 'full' and initialisation == 'depth'")["miou_seven"])
    assert first.cells["depth"] == f"{100 * mean.mean:.2f} ± {50 * (mean.high - mean.low):.2f}"
    assert theirs.cells == {"none": "41.35", "imagenet": "45.15", "depth": "46.00", "depth-imagenet": "50.20"}
    assert theirs.best == ("depth-imagenet",)
    text = tables.markdown(table, "footer line")
    assert [line for line in text.splitlines() if line.startswith("**")] == [
        "**ours, ResNet-18 slim (quarter width)**", "**paper (KITTI)**",
    ]  # fmt: skip
    assert "**50.20**" in text and "full: mIoU, released code" in text and text.endswith("footer line\n")


def test_the_papers_encoder_without_a_counterpart_is_marked(metrics):
    shown = tables.columns(tables.table1(metrics, paper.table1()))
    theirs = [(column.encoder, column.setting) for column in shown if column.source == "paper (KITTI)"][::2]
    other = "ResNet-50 (not run here)"
    assert theirs == [
        ("ResNet-18", "full"), ("ResNet-18", "frozen"), (other, "full"), (other, "deeplab"), (other, "frozen"),
    ]  # fmt: skip
    both = pd.concat([metrics, metrics.assign(encoder="resnet50")])
    shown = tables.columns(tables.table1(both, paper.table1()))
    assert not any("not run" in column.encoder for column in shown)
    assert [len(block) for block in tables.blocks(shown)] == [6, 6, 10]


def test_bold_is_the_highest_as_printed(metrics):
    full = metrics[metrics["setting"] == "full"].copy()
    for name, value in (("none", 0.51234), ("depth", 0.51236), ("classification", 0.5122)):
        full.loc[full["initialisation"] == name, "miou_seven"] = value
    full.loc[full["initialisation"] == "depth-classification", "miou_seven"] = np.nan
    column = tables.columns(tables.table1(full, paper.table1()))[0]
    assert column.best == ("depth",) and column.cells["none"].startswith("51.23")
    full.loc[full["initialisation"] == "depth", "miou_seven"] = 0.512341
    assert tables.columns(tables.table1(full, paper.table1()))[0].best == ("none", "depth")


def test_diverged_and_single_trials_are_marked(metrics):
    metrics, scores = metrics[(metrics["setting"] == "full")].copy(), ["miou_seven", "miou_released", "accuracy"]
    lost = metrics["name"].str.contains("-depth-full.*t0") | (metrics["initialisation"] == "none")
    metrics.loc[lost, scores] = np.nan
    metrics.loc[lost, "diverged_at"] = 20
    metrics = metrics[(metrics["initialisation"] != "classification") | (metrics["trial"] == 0)]
    cells = tables.columns(tables.table1(metrics, paper.table1()))[0].cells
    assert cells["depth"].endswith("†") and cells["none"] == "diverged" and "±" not in cells["classification"]


def test_both_miou_are_named():
    text = tables.both_miou(KITTI)
    assert "(road, sidewalk, " in text and "data set: of one confusion matrix over all images" in text
    assert "released code: the mean of each image's own, with what is predicted on void pixels counted as wrong" in text


def test_the_papers_headline_follows_from_its_table():
    """5.7 points of mIoU and 4.1 of accuracy are the means over R18 and R50 of depth-imagenet minus imagenet."""
    full = paper.table1().query("setting == 'full'").pivot(index="encoder", columns="initialisation")
    gains = [(full[m]["depth-imagenet"] - full[m]["imagenet"]).mean() * 100 for m in ("miou_seven", "accuracy")]
    assert gains == pytest.approx([5.66, 4.14], abs=0.01)
    assert paper.counterpart("resnet18-slim") == "resnet18"


def test_times_are_means_and_sums_by_kind_of_run_and_of_the_whole_study():
    found = planted.everything()
    cost = tables.times(found.metrics, found.pretrain).set_index("kind")
    assert cost.loc["fine-tuning, full, main", ["runs", "seconds of one", "minutes"]].tolist() == [66, 30, 33]
    assert cost.loc["pre-training, depth-large", "runs"] == 3  # of each trial its own
    assert cost.index[-1] == "the whole study" and cost["runs"].iloc[-1] == len(found.metrics) + len(found.pretrain)
    assert (
        cost["minutes"].iloc[-1] == cost["minutes"].iloc[:-1].sum() == len(found.metrics) / 2 + len(found.pretrain) / 2
    )


@pytest.fixture(scope="module")
def rows():
    return cross_resolution.compared(cross_resolution.crossed(planted.crossed(planted.laptop())))


def test_without_a_run_at_two_resolutions_there_is_nothing_to_compare():
    assert cross_resolution.crossed(planted.laptop()) is None
    only_high = planted.crossed(planted.laptop(), without=("large-to-small", "small-to-large"))
    assert cross_resolution.crossed(only_high) is None


def test_every_row_has_the_runs_of_its_experiment_and_no_others(rows):
    for at, initialisation, experiment, name in ROWS:
        of = rows[(rows["fine_tuned_at"] == at) & (rows["row"] == name)]
        assert sorted(of["trial"]) == [0, 1, 2], (at, name)
        assert set(of["initialisation"]) == {initialisation} and set(of["experiment"]) == {experiment}
    assert len(rows) == 3 * len(ROWS) and cross_resolution.not_run(rows) == ""


def test_only_full_runs_on_the_usual_number_of_images_are_compared():
    found = cross_resolution.crossed(planted.crossed(planted.laptop()))
    assert set(found.metrics["setting"]) == {"full"} and set(found.metrics["images"]) == {16}
    assert "depth-classification" not in set(found.metrics["initialisation"])


def test_imagenet_stands_where_classification_was_not_run():
    found = planted.crossed(planted.laptop())
    metrics = found.metrics.assign(initialisation=found.metrics["initialisation"].replace("classification", "imagenet"))
    rows = cross_resolution.compared(cross_resolution.crossed(replace(found, metrics=metrics)))
    assert cross_resolution.not_run(rows) == ""
    assert set(rows.loc[rows["row"] == "imagenet", "experiment"]) == {"main", "high"}
    assert cross_resolution.rows_of(["imagenet", "classification"]) == cross_resolution.rows_of(["depth"]) == ROWS


def test_what_was_not_run_is_named():
    found = cross_resolution.crossed(planted.crossed(planted.laptop(), without=("small-to-large", "high")))
    text = cross_resolution.not_run(cross_resolution.compared(found))
    assert text == (
        "Not run: none at the large size, classification at the large size, depth, from large at the large size, "
        "depth, from small at the large size."
    )


def test_the_papers_numbers_stand_at_our_rows():
    published = paper.cross_resolution()
    ours = {(at, initialisation, experiment) for at, initialisation, experiment, _ in ROWS}
    for row in published.to_dict("records"):
        initialisation = row["initialisation"].replace("imagenet", "classification")
        assert (row["fine_tuned_at"], initialisation, row["experiment"]) in ours
    percent = {(r.initialisation, r.experiment): round(100 * r.miou_seven, 2) for r in published[:4].itertuples()}
    assert percent == {
        ("none", "main"): 41.35,
        ("imagenet", "main"): 45.15,
        ("depth", "main"): 46.00,
        ("depth", "large-to-small"): 48.54,
    }
    last = published.iloc[-1]
    assert last["experiment"] == "small-to-large" and last["diverged"] and np.isnan(last["miou_seven"])
