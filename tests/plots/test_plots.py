"""Figures: they carry the numbers of their data, one look per initialisation, and no text over another."""

from itertools import combinations

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import planted
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import rgb_to_hsv, to_hex, to_rgb
from matplotlib.text import Text
from torchvision.utils import flow_to_image

from depthseg_lib import plots
from depthseg_lib.analysis import cross_resolution, learning_curves, paper, tables
from depthseg_lib.analysis.claims import ledger as claims_ledger
from depthseg_lib.analysis.claims import power
from depthseg_lib.analysis.claims.question import MARGINS
from depthseg_lib.analysis.measurements.census import census
from depthseg_lib.analysis.results import common_scores
from depthseg_lib.analysis.statistics import mean_interval
from depthseg_lib.data.labels import KITTI
from depthseg_lib.panels import panel as panels_panel
from depthseg_lib.plots import style
from depthseg_lib.plots.activation_maps import coloured
from depthseg_lib.plots.forest import VERDICTS
from depthseg_lib.plots.object_sizes import SEEN, UNSEEN
from depthseg_lib.plots.pretrained import flow_colours
from depthseg_lib.settings import INITIALISATIONS

FOOTER = "embedded street world, profile laptop, ResNet-18 slim (quarter width), 3 trials, 95 % t-interval of the mean."
ROWS = ("ResNet-18",) * 2 + ("ResNet-50",) * 4


@pytest.fixture(scope="module")
def results():
    return planted.laptop()


@pytest.fixture(scope="module")
def base(results):
    return results.select(images=16)


@pytest.fixture(scope="module")
def scored(results):
    full = results.select(setting="full")
    return common_scores(full.confusion, full.label_set)


def crossed(results, without=(), diverged="", imagenet=False):
    """The cross-resolution figure; all trials of the experiment `diverged` did; with `imagenet` for classification."""
    found = planted.crossed(results, without)
    if imagenet:
        found.metrics["initialisation"] = found.metrics["initialisation"].replace("classification", "imagenet")
    lost = found.metrics["experiment"] == diverged
    found.metrics.loc[lost, ["miou_seven", "miou_occurring", "accuracy"]] = np.nan
    found.metrics.loc[lost, "diverged_at"] = 40.0
    rows = cross_resolution.compared(cross_resolution.crossed(found))
    return plots.cross_resolution(rows, paper.cross_resolution(), FOOTER, {"small": "64x192", "large": "96x288"})


def both_encoders(results):
    """History and metrics with the same runs of a second encoder."""
    return [pd.concat([frame, frame.assign(encoder="resnet50")]) for frame in (results.history, results.metrics)]


@pytest.fixture(scope="module")
def figures(results, base, scored):
    """Every figure once."""
    table = tables.table1(base.metrics, paper.table1())
    e, full = results.examples, base.select(setting="full")
    predicted = {r.initialisation: e.predictions[r.name] for r in full.select(trial=0).metrics.itertuples()}
    depth = next(iter(results.depth_examples.values()))
    pretraining = full.history[full.history["name"] == full.history["name"].iloc[0]].assign(abs_rel=0.5)
    both = full.history.assign(encoder="resnet18")
    active = planted.activations(full)
    maps = {name: active.maps[run]["stem"][:2] for (_, name), run in active.shown.items()}
    bordering = active.boundary_scores()
    shares = learning_curves.class_shares(full.confusion, full.label_set)
    courses = learning_curves.class_history(full.history, shares.index)
    ledger = claims_ledger.ledger(results)
    other = ledger.assign(encoder="resnet50")
    pairs = np.stack([depth.images, depth.images], axis=1)
    moved = np.stack([np.indices(depth.truth.shape[1:])[::-1] - np.array([96, 32])[:, None, None]] * len(pairs)) / 10
    rescaled, sizes, plain = planted.rescaling(full).scores, planted.sizes(), planted.sizes(images=False)
    counted = census(e.truth, KITTI)
    return {
        "curves": plots.curves(full.history, FOOTER),
        "curves of two encoders": plots.curves(pd.concat([full.history, both]), FOOTER),
        "training_size": plots.training_size(scored, FOOTER),
        "frozen": plots.frozen(base.history, base.metrics, paper.table1(), FOOTER),
        "frozen of two encoders": plots.frozen(*both_encoders(base), paper.table1(), FOOTER),
        "table1": plots.table1(tables.blocks(tables.columns(table)), FOOTER),
        "question": plots.question(),
        "setups": plots.setups(),
        "claims": plots.claims(ledger, FOOTER),
        "paired_trials": plots.paired_trials(ledger, FOOTER),
        "paired_trials of two encoders": plots.paired_trials(pd.concat([ledger, other], ignore_index=True), FOOTER),
        "power": plots.power(power.false_decisions(100), power.power(100), FOOTER),
        "claims of two encoders": plots.claims(pd.concat([ledger, other], ignore_index=True), FOOTER),
        "miou_vs_accuracy": plots.miou_vs_accuracy(full.history, FOOTER),
        "miou_vs_accuracy of two encoders": plots.miou_vs_accuracy(pd.concat([full.history, both]), FOOTER),
        "class_curves": plots.class_curves(courses, shares, FOOTER),
        "class_curves of two encoders": plots.class_curves(
            pd.concat([courses, courses.assign(encoder="resnet18")]), shares, FOOTER
        ),
        "predictions": plots.predictions(e.images, e.truth, predicted, KITTI, FOOTER),
        "activations": plots.activations(e.images[:2], e.truth[:2], predicted, maps, KITTI, FOOTER),
        "boundary_scores": plots.boundary_scores(bordering, FOOTER),
        "boundary_scores of two encoders": plots.boundary_scores(
            pd.concat([bordering, bordering.assign(encoder="resnet18", edges=0.99)]), FOOTER
        ),
        "resize_factor": plots.resize_factor(rescaled, FOOTER),
        "scale_mismatch": plots.scale_mismatch(sizes.objects, sizes.mismatch, sizes.shown, sizes.examples, FOOTER),
        "scale_mismatch without street images": plots.scale_mismatch(
            plain.objects, plain.mismatch, plain.shown, plain.examples, FOOTER
        ),
        "census": plots.census(counted, len(e.truth), KITTI, FOOTER),
        "cross_resolution": crossed(results),
        "cross_resolution, some not run": crossed(results, without=("small-to-large", "high")),
        "cross_resolution, some diverged": crossed(results, diverged="small-to-large"),
        "cross_resolution with imagenet": crossed(results, imagenet=True),
        "depth_examples": plots.depth_examples(depth.images, depth.truth, {"depth": depth.prediction}, FOOTER),
        "depth of two encoders": plots.depth_examples(
            depth.images, depth.truth, {"depth": depth.prediction}, FOOTER, rows=ROWS[: len(depth.images)]
        ),
        "depth without truth": plots.depth_examples(depth.images, 0 * depth.truth, {"depth": depth.prediction}),
        "measured depth": plots.depth_examples(depth.images, depth.truth, {}, title="measured depth"),
        "flow_examples": plots.flow_examples(pairs, 0.5 * moved, moved, {"network": 2.0, "no flow": 3.9}, FOOTER),
        "flow of two encoders": plots.flow_examples(pairs, 0.5 * moved, moved, {}, FOOTER, ROWS[: len(pairs)]),
        "flow without truth": plots.flow_examples(pairs[:1], moved[:1]),
        "pretraining_curves of flow": plots.pretraining_curves(
            pretraining.drop(columns="abs_rel").assign(epe=2.0), {"epe_zero": 3.9, "epe_mean_map": 1.9}
        ),
        "contact_sheet": plots.contact_sheet(list(e.images), ["one", "two"], columns=3),
        "finetuning_curves": plots.finetuning_curves([full.select(trial=t).history.iloc[:9] for t in (0, 1)]),
        "pretraining_curves": plots.pretraining_curves(
            pretraining, {"abs_rel_mean_map": 0.6, "abs_rel_untrained": None}
        ),
    }


@pytest.mark.timeout(600)  # every figure is drawn
def test_no_text_lies_over_another_or_outside(figures, monkeypatch):
    drawn, texts, wrong = Text.draw, {}, []
    monkeypatch.setattr(Text, "draw", lambda text, *args, **kw: (texts.setdefault(text), drawn(text, *args, **kw))[1])
    for name, figure in figures.items():
        renderer = FigureCanvasAgg(figure).get_renderer()
        texts.clear()
        figure.draw(renderer)  # lays everything out, then draws
        shown = [text for text in texts if text.get_visible() and text.get_text().strip()]
        boxes, edge = {text: text.get_window_extent(renderer) for text in shown}, figure.bbox.padded(2)
        assert len(boxes) >= 2, name
        inside = {text: edge.contains(*box.min) and edge.contains(*box.max) for text, box in boxes.items()}
        wrong += [(name, text.get_text()) for text in shown if not inside[text]]
        pairs = ((a, b) for a, b in combinations(boxes, 2) if boxes[a].padded(-1).overlaps(boxes[b].padded(-1)))
        wrong += [(name, a.get_text(), b.get_text()) for a, b in pairs]
    assert not wrong


def test_every_figure_shows_itself_in_a_notebook(figures):
    assert all(isinstance(figure, style.Drawing) for figure in figures.values())
    image, size = figures["curves"]._repr_png_()
    assert image.startswith(b"\x89PNG") and size["width"] > 300


SCORES = ["curves", "training_size", "frozen", "table1", "claims", "class_curves", "boundary_scores"]
SCORES += ["resize_factor", "cross_resolution"]


def test_footer_stands_under_the_figure(figures):
    assert all("95 % t-interval" in figures[name].get_supxlabel().replace("\n", " ") for name in SCORES)


def test_curves_are_means_with_bands_of_the_interval(figures, base):
    axes = figures["curves"].axes[2]
    history = base.select(setting="full", initialisation="depth").history
    last = mean_interval(history[history["iteration"] == history["iteration"].max()]["miou_seven"])
    (line,) = [line for line in axes.lines if to_hex(line.get_color()) == "#0072b2"]
    assert line.get_ydata()[-1] == pytest.approx(100 * last.mean)
    bands = [np.concatenate([p.vertices for p in c.get_paths()]) for c in axes.collections]
    ends = [(v[v[:, 0] == v[:, 0].max(), 1].min(), v[v[:, 0] == v[:, 0].max(), 1].max()) for v in bands]
    assert any(end == pytest.approx((100 * last.low, 100 * last.high)) for end in ends)


def test_a_trial_that_diverged_ends_in_a_cross_and_is_in_no_mean(base):
    history = base.select(setting="full", initialisation="depth").history
    early = history[(history["trial"] != 1) | (history["iteration"] < 150)]
    axes = plots.curves(early).axes[3]
    mean, stopped = axes.lines
    kept = (
        history[(history["trial"] != 1) & (history["iteration"] == 300)]["accuracy"]
        if 300 in set(history["iteration"])
        else None
    )
    assert stopped.get_marker() == "x" and stopped.get_xdata()[-1] < 150
    assert kept is None or mean.get_ydata()[-1] == pytest.approx(100 * kept.mean())


def test_sizes_stand_on_a_logarithmic_axis_with_intervals(figures, scored):
    axes = figures["training_size"].axes[0]
    assert axes.get_xscale() == "log" and [t.get_text() for t in axes.get_xticklabels()] == [
        "8",
        "16",
        "32",
        "64",
        "128",
    ]
    values = scored.query("images == 16 and initialisation == 'none'")["miou_seven"]
    expected = mean_interval(values)
    ends = [path.vertices[:, 1] for c in axes.containers for path in c[2][0].get_paths()]
    assert any(tuple(end) == pytest.approx((100 * expected.low, 100 * expected.high)) for end in ends)


def test_one_trial_is_drawn_without_an_interval(scored, base):
    axes = plots.training_size(scored[scored["trial"] == 0]).axes[0]
    lengths = [np.ptp(path.vertices[:, 1]) for c in axes.containers for path in c[2][0].get_paths()]
    assert lengths and max(lengths) == 0
    bands = plots.curves(base.select(setting="full", trial=0).history).axes[0].collections
    assert all(np.isnan(p.vertices).all() or not len(p.vertices) for c in bands for p in c.get_paths())


def test_the_papers_numbers_are_hollow_and_in_panels_named_kitti(figures):
    ours, theirs = figures["frozen"].axes[2:4]
    assert "KITTI" in theirs.get_title(loc="left") and "KITTI" not in ours.get_title(loc="left")
    marks = [line for line in theirs.lines if len(line.get_xdata())]
    assert {line.get_markerfacecolor() for line in marks} == {"white"}
    assert 46.00 in [round(float(line.get_xdata()[0]), 2) for line in marks]


def test_the_frozen_encoder_has_its_curves_and_ends_on_the_papers_scale(figures, base):
    loss, accuracy, *ends = figures["frozen"].axes
    history = base.select(setting="frozen", initialisation="depth").history
    for axes, metric, factor in ((loss, "train_loss", 1), (accuracy, "accuracy", 100)):
        (line,) = [line for line in axes.lines if to_hex(line.get_color()) == style.LOOK["depth"][0].lower()]
        last = history[history["iteration"] == history["iteration"].max()][metric]
        assert line.get_ydata()[-1] == pytest.approx(factor * last.mean())
    for ours, theirs in (ends[:2], ends[2:]):
        assert ours.get_xlim() == theirs.get_xlim() and ours.get_xlabel() == theirs.get_xlabel()


def test_rows_of_curves_have_one_scale_for_each_metric(base):
    history = base.select(setting="full").history
    worse = history.assign(experiment="whole", miou_seven=history["miou_seven"] / 2)
    axes = np.array(plots.curves(pd.concat([history, worse])).axes).reshape(2, 4)
    assert all(above.get_ylim() == below.get_ylim() for above, below in axes.T)
    highest = max(line.get_ydata().max() for line in axes[0, 2].lines)
    assert axes[0, 2].get_ylim()[1] > highest


def test_factors_are_hardly_moved_sideways(figures):
    places = [line.get_xdata() for line in figures["resize_factor"].axes[0].lines if len(line.get_xdata()) == 5]
    assert places and all(np.allclose(x, (0.5, 2 / 3, 1, 1.5, 2), rtol=0.03) for x in places)


def test_activation_maps_stand_under_the_truth_and_predictions_under_the_image(figures, results, base):
    axes = np.array(figures["activations"].axes[:20]).reshape(5, 4)
    shown = [[at.images[0].get_array() for at in row] for row in axes]
    first = base.select(setting="full", initialisation="none", trial=0).metrics["name"].iloc[0]
    examples, active = results.examples, planted.activations(base.select(setting="full"))
    assert np.array_equal(shown[0][2], examples.images[1].transpose(1, 2, 0))
    assert np.array_equal(shown[0][3], KITTI.colour(examples.truth[1]))
    assert np.array_equal(shown[1][2], KITTI.colour(examples.predictions[first][1]))
    assert np.array_equal(shown[1][3], coloured(active.maps[first]["stem"][1], 64, 192))


def test_the_brightest_and_darkest_of_a_map_are_the_ends_of_its_scale():
    halves = np.zeros((32, 96), np.uint8)
    halves[:, 48:] = 255
    shown = coloured(halves, 64, 192)
    ends = [tuple(round(255 * c) for c in matplotlib.colormaps["inferno"](end)[:3]) for end in (0.0, 1.0)]
    assert [tuple(map(int, shown[5, 20])), tuple(map(int, shown[5, 170]))] == ends


def test_boundary_scores_are_means_with_intervals_beside_the_two_references(figures, base):
    axes = figures["boundary_scores"].axes[0]
    scores = planted.activations(base.select(setting="full")).boundary_scores()
    chosen = scores.query("initialisation == 'depth' and layer == 'layer2'")["ratio"]
    expected = mean_interval(chosen)
    ends = [path.vertices[:, 1] for c in axes.containers for path in c[2][0].get_paths()]
    assert any(tuple(end) == pytest.approx((expected.low, expected.high)) for end in ends)
    lines = [float(line.get_ydata()[0]) for line in axes.lines if line.get_linestyle() == "--"]
    assert lines == pytest.approx([1, 0.6 / 0.4])
    assert axes.get_ylim()[1] <= 1 / 0.4
    assert [t.get_text() for t in axes.get_xticklabels()][:2] == ["stem\n1/2", "layer1\n1/4"]


def test_scores_stand_at_their_resize_factors_with_intervals(figures, base):
    axes = figures["resize_factor"].axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.5", "0.67", "1", "1.5", "2"]
    scores = planted.rescaling(base.select(setting="full")).scores
    expected = mean_interval(scores.query("initialisation == 'depth' and factor == 1.5")["miou_seven"])
    ends = [path.vertices[:, 1] for c in axes.containers for path in c[2][0].get_paths()]
    assert any(tuple(end) == pytest.approx((100 * expected.low, 100 * expected.high)) for end in ends)


def test_sizes_have_a_dot_each_and_the_shares_below_the_yellow_range(figures):
    sizes, axes = planted.sizes(), figures["scale_mismatch"].subfigs[1].axes[0]
    assert sum(len(dots.get_offsets()) for dots in axes.collections if len(dots.get_offsets()) > 1) == 5 * 130
    bands = {tuple(np.round(c.get_paths()[0].get_extents().intervalx, 3)) for c in axes.collections[::3]}
    assert bands == {(round(row.low, 3), round(row.high, 3)) for row in sizes.mismatch.itertuples()}
    written = [text.get_text() for text in axes.texts]
    assert ["objects", *(f"{share:.0%}" for share in sizes.mismatch["smaller"])] == written[:6]
    assert ["pixels", *(f"{share:.0%}" for share in sizes.mismatch["pixels_smaller"])] == written[6:12]


def test_examples_are_at_one_magnification_and_boxed_by_whether_their_size_was_seen(figures):
    axes = figures["scale_mismatch"].subfigs[0].axes[0]
    for image in axes.images:
        left, right, bottom, top = image.get_extent()
        assert (bottom - top, right - left) == image.get_array().shape[:2]
    colours = [to_hex(box.get_edgecolor()).upper() for box in axes.patches[1::2]]
    assert colours[:3] == [SEEN, UNSEEN, SEEN if 50 <= planted.sizes().mismatch["high"].iloc[0] else UNSEEN]


def test_cross_resolution_means_stand_beside_the_papers_and_divergence_is_written(figures, results):
    ours, accuracy, theirs, *_, empty = figures["cross_resolution"].axes
    found = planted.crossed(results).metrics
    of = found.query("experiment == 'large-to-small'")
    for axes, metric in ((ours, "miou_seven"), (accuracy, "accuracy")):
        expected = mean_interval(100 * of[metric])
        ends = [path.vertices[:, 0] for c in axes.containers for path in c[2][0].get_paths()]
        assert any(tuple(end) == pytest.approx((expected.low, expected.high)) for end in ends)
    assert [t.get_text() for t in ours.get_yticklabels()][2:] == ["depth, from small", "depth, from large"]
    marks = {round(float(line.get_xdata()[0]), 2): line.get_markerfacecolor() for line in theirs.lines}
    assert marks == dict.fromkeys((41.35, 45.15, 46.0, 48.54), "white") and "KITTI" in theirs.get_title(loc="left")
    lost = [text.get_text() for axes in figures["cross_resolution, some diverged"].axes for text in axes.texts]
    assert "3 of 3 diverged" in lost and "diverged" in lost
    assert len(figures["cross_resolution, some not run"].axes) == 3
    swapped, _, published, *_ = figures["cross_resolution with imagenet"].axes
    assert [t.get_text() for t in swapped.get_yticklabels()][:2] == ["none", "imagenet"]
    assert len(published.lines) == len(theirs.lines) == 4
    assert not empty.axison and [t.get_text() for t in empty.texts] == ["no number published"] * 3 + ["diverged"]
    assert ours.get_title(loc="left") == "fine-tuned at the small size (64x192)"


def test_the_census_has_a_dot_and_a_bar_per_class_from_the_largest(figures, results):
    share, holding = figures["census"].axes
    counted = census(results.examples.truth, KITTI).set_index("class")
    names = [tick.get_text() for tick in share.get_yticklabels()]
    assert names[-1] == "void" and set(names) == set(counted.index)
    assert counted.loc[names[:-1], "pixels"].is_monotonic_decreasing
    dots = share.collections[0].get_offsets()
    assert dots[0].tolist() == pytest.approx([100 * counted["share"].iloc[:-1].max(), 0])
    assert [bar.get_width() for bar in holding.patches] == counted.loc[names, "images"].tolist()


def test_each_initialisation_has_its_own_colour_and_marker():
    colours, lines, markers = zip(*style.LOOK.values(), strict=True)
    assert len(set(colours)) == len(set(markers)) == len(style.LOOK) == len(lines)
    assert list(style.LOOK) == sorted(style.LOOK, key=INITIALISATIONS.index) and set(style.LOOK) == set(INITIALISATIONS)


EYES = {  # linear RGB as people without one kind of cone see it (Machado, Oliveira & Fernandes 2009)
    "all cones": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


@pytest.mark.parametrize("eyes", EYES)
def test_colours_are_told_apart_by_all_eyes(eyes):
    """CIE 1976: a difference of 2.3 is just seen; white is the background."""
    codes = np.array([to_rgb(colour) for colour, *_ in style.LOOK.values()])
    linear = np.where(codes > 0.04045, ((codes + 0.055) / 1.055) ** 2.4, codes / 12.92)
    seen = np.clip(linear @ np.array(EYES[eyes]).T, 0, 1)
    xyz = seen @ np.array([[0.4340, 0.2126, 0.0178], [0.3762, 0.7152, 0.1094], [0.1898, 0.0722, 0.8728]])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116).T
    lab = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
    assert min(np.linalg.norm(a - b) for a, b in combinations(lab, 2)) > 15


def test_drawing_leaves_the_users_settings_alone(base):
    before = dict(matplotlib.rcParams)
    panels_panel.png_bytes(plots.curves(base.select(setting="full").history))
    assert dict(matplotlib.rcParams) == before


def test_the_forest_plot_has_each_effect_in_the_panel_of_its_unit(figures, results):
    ledger = claims_ledger.ledger(results)
    panels = {axes.get_title(loc="left"): axes for axes in figures["claims"].axes}
    points = panels["mIoU, representative (points)"]
    row = ledger.query("id == 'C4' and metric == 'miou_seven'").iloc[0]
    drawn = [(round(float(x), 6), line.get_color()) for line in points.lines for x in np.atleast_1d(line.get_xdata())]
    assert (round(row["effect"], 6), VERDICTS[row["verdict"].partition(",")[0]]) in drawn
    assert (round(row["paper"], 6), "black") in drawn
    spans = [tuple(line.get_xdata()) for line in points.lines if len(line.get_xdata()) == 2]
    assert any(span == pytest.approx((row["low"], row["high"])) for span in spans)
    ratio = ledger.query("id == 'C5'")["effect"].iloc[0]
    at = [float(line.get_xdata()[0]) for line in panels["iterations needed (ratio)"].lines]
    assert any(x == pytest.approx(ratio) for x in at) and panels["iterations needed (ratio)"].get_xscale() == "log"


def test_the_forest_plot_says_every_verdict_in_words(figures, results):
    ledger = claims_ledger.ledger(results)
    texts = [text for axes in figures["claims"].axes for text in axes.texts]
    words = [text.get_text().partition(" ±")[0] for text in texts]
    for verdict, count in ledger["verdict"].str.partition(",")[0].value_counts().items():
        assert words.count(verdict) == count
    bold = {text.get_text() for text in texts if text.get_fontweight() == "bold"}
    assert {f"C{number}" for number in range(1, 15)} <= bold and "C4a" not in bold


def test_no_percentage_is_drawn_beyond_what_there_can_be(results):
    """Two trials that differ have intervals that reach far."""
    history = results.select(setting="full", images=16, initialisation="depth").history
    far = history[history["trial"] < 2].copy()
    for metric in ("miou_seven", "accuracy"):
        far[metric] = np.where(far["trial"] == 0, 0.5, 0.9)
    figure = plots.curves(far, FOOTER)
    assert all(0 <= low < high <= 100 for low, high in (axes.get_ylim() for axes in figure.axes[2:]))


def test_an_encoder_that_has_not_run_a_size_stands_beside_one_that_has():
    ledger = claims_ledger.ledger(planted.everything())
    other = ledger.assign(encoder="resnet50")
    other.loc[other["id"] == "C12b", ["images", "effect", "low", "high"]] = pd.NA
    figure = plots.claims(pd.concat([ledger, other], ignore_index=True), FOOTER)
    assert any("C12b" in text.get_text() for axes in figure.axes for text in axes.texts)


def test_the_papers_values_do_not_cover_ours(figures):
    """Heights are rows, and a row is 0.21 inches: marks of 4 and 5 points are apart when their centres are."""
    for name, rows in (("claims", 1), ("claims of two encoders", 2)):
        for panel in figures[name].axes:
            at = {marker: [] for marker in ("D", "o", "s")}
            for line in (line for line in panel.lines if line.get_marker() in at):
                at[line.get_marker()] += list(zip(line.get_xdata(), line.get_ydata(), strict=True))
            gaps = [abs(a[1] - b[1]) for a in at["D"] for b in at["o"] + at["s"]]
            assert not gaps or min(gaps) * rows * 0.21 * 72 > 4.5


def test_every_trials_difference_is_a_dot_beside_its_interval(figures, results):
    rows = claims_ledger.ledger(results).query("primary and repetitions > 0 and unit == 'mIoU points'")
    panel = next(axes for axes in figures["paired_trials"].axes if axes.get_title(loc="left").startswith("mIoU"))
    dots = np.concatenate([np.asarray(of.get_offsets()) for of in panel.collections if len(of.get_offsets()) > 1])
    for y, row in enumerate(rows.itertuples()):
        assert sorted(dots[dots[:, 1] == y, 0]) == pytest.approx(sorted(map(float, row.differences.split())))
        assert any(line.get_xdata()[0] == pytest.approx(row.effect) for line in panel.lines)
    assert [label.get_text().split()[0] for label in panel.get_yticklabels()] == rows["id"].tolist()


def test_a_zone_marks_what_does_not_matter(figures, results):
    ledger = claims_ledger.ledger(results).query("unit == 'mIoU points'")
    panel = next(axes for axes in figures["claims"].axes if axes.get_title(loc="left").startswith("mIoU"))
    zones = [collection.get_paths()[0].get_extents() for collection in panel.collections]
    assert len(zones) == len(ledger) > 2 and {zone.x1 for zone in zones} == {MARGINS["mIoU points"]}


def test_trajectories_leave_the_untrained_network_out(figures, base):
    history = base.select(setting="full", initialisation="depth").history
    first = history[history["iteration"] > 0].groupby("iteration")[["miou_occurring", "accuracy"]].mean().iloc[0]
    axes = figures["miou_vs_accuracy"].axes[1]
    thick = [line for line in axes.lines if line.get_linewidth() > 1 and to_hex(line.get_color()) == "#0072b2"]
    assert (thick[0].get_xdata()[0], thick[0].get_ydata()[0]) == pytest.approx(tuple(100 * first))


def test_classes_stand_from_the_largest_to_the_smallest_and_those_that_none_learns_in_the_caption(base):
    full = base.select(setting="full")
    shares = learning_curves.class_shares(full.confusion, full.label_set)
    courses = learning_curves.class_history(full.history, shares.index)
    courses.loc[courses["class"].isin(["pole", "truck"]), "iou"] = 0.04
    courses.loc[(courses["class"] == "pole") & (courses["iteration"] == 0), "iou"] = 0.9  # an untrained last layer
    figure = plots.class_curves(courses, shares, FOOTER)
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    drawn = [float(title.split(", ")[1].removesuffix(" %")) for title in titles]
    assert len(drawn) == 9 and drawn == sorted(drawn, reverse=True) and titles[0].startswith("road")
    left_out = figure.get_supxlabel().replace("\n", " ").split("below 5 % throughout: ")[1]
    assert {part.split(" (")[0] for part in left_out.split(", ")} == {"pole", "truck"}
    flat = plots.class_curves(courses.assign(iou=0.01), shares, FOOTER)
    assert sum(bool(axes.get_title(loc="left")) for axes in flat.axes) == 11  # else there would be no figure


def turning(steps=720):
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return angle, np.stack([np.cos(angle), np.sin(angle)])[:, None]  # 2 1 steps


def test_the_colour_wheel_is_the_usual_one():
    rng = np.random.default_rng(0)
    flow = rng.normal(0, 3, (2, 40, 50))
    flow[:, 0, 0] = 6, 8
    flow = flow * np.minimum(1, 10 / np.hypot(*flow).clip(1e-9))  # full colour is torchvision's fastest: 10 pixels
    theirs = flow_to_image(torch.from_numpy(flow).float()).permute(1, 2, 0).numpy() / 255
    assert np.abs(flow_colours(flow, 10) - theirs).max() < 3 / 255


def test_rest_is_white_the_right_is_red_and_hue_turns_with_the_direction():
    angle, around = turning()
    assert (flow_colours(np.zeros((2, 1, 1)), 5) == 1).all()
    np.testing.assert_allclose(flow_colours(5 * around, 5)[0, 0], (1, 0, 0), atol=1e-9)
    hue, saturation, _ = rgb_to_hsv(flow_colours(5 * around, 5)[0]).T
    assert (np.diff(hue[angle < 1.9 * np.pi]) > 0).all() and (saturation > 0.999).all()
    half = rgb_to_hsv(flow_colours(2.5 * around, 5)[0])
    np.testing.assert_allclose(half[:, 1], 0.5, atol=1e-9)
    np.testing.assert_allclose(half[:, 0], hue, atol=1e-9)


def test_faster_than_the_rim_is_dark_and_unknown_is_grey():
    assert flow_colours(np.array([9.0, 0.0]).reshape(2, 1, 1), 5)[0, 0] == pytest.approx((0.75, 0, 0))
    assert flow_colours(np.full((2, 1, 1), np.nan), 5)[0, 0] == pytest.approx((0.6, 0.6, 0.6))


def test_flow_is_drawn_in_one_scale_that_the_key_names(figures):
    figure = figures["flow_examples"]
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any("rim: 9 px" in text and "network 2.00 px" in text and "no flow 3.90 px" in text for text in texts)
    assert {axes.get_title() for axes in figure.axes} >= {"frame", "next frame", "predicted flow", "exact flow"}
    assert "exact flow" not in {axes.get_title() for axes in figures["flow without truth"].axes}


def test_without_any_trial_of_a_claims_own_contrast_the_figure_says_so():
    rows = claims_ledger.ledger(planted.laptop())
    figure = plots.paired_trials(rows.assign(repetitions=0))
    assert "No claim's own contrast has trials" in figure.texts[0].get_text() and not figure.axes
