"""What the pre-training runs predict for held-out frames, encoder under encoder, so that one figure holds them all."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthseg_lib.analysis.results import Results
from depthseg_lib.plots import style
from depthseg_lib.plots.pictures import fill, grid_of
from depthseg_lib.settings import encoder_name

FEW = 2
"""Frames of each encoder where there are several."""


@dataclass(frozen=True, eq=False)
class Pretrained:
    """Pictures of several runs, a row each; those of one encoder lie together."""

    runs: pd.DataFrame
    """Of `Results.pretrain` a row for each run: what its trials have measured on average, and of the first the rest."""
    trials: int
    """Of each at most."""
    rows: tuple[str, ...]
    """The encoder of each row, for readers; empty where there is one alone."""
    images: np.ndarray
    """K 3 H W uint8 frames, or K 2 3 H W pairs of them."""
    truth: np.ndarray | None
    """True depth K H W in metres, or exact flow K 2 H W in pixels; None where there is none."""
    predicted: dict[str, np.ndarray]
    """The same as predicted, by initialisation; NaN where an encoder has no such run."""

    @property
    def depth_errors(self) -> str:
        """A sentence with each run's abs-rel beside that of the mean depth map; empty where no truth is known."""
        known = self.runs.reindex(columns=["encoder", "initialisation", "evaluated", "abs_rel", "abs_rel_mean_map"])
        known = known.dropna(subset=["abs_rel"])
        if known.empty:
            return ""
        named = "{}, {} {:.2f}".format if known["encoder"].nunique() > 1 else "{1} {2:.2f}".format
        parts = [named(encoder_name(run.encoder), run.initialisation, run.abs_rel) for run in known.itertuples()]
        count, map_error = known["evaluated"].max(), known["abs_rel_mean_map"].max()
        parts += [f"the mean depth map {map_error:.2f}"] if map_error == map_error else []
        frames = f"{count:.0f} held-out frames" if count == count else "held-out frames"
        means = f" (means over {self.trials} pre-trainings, of which the first is shown)" if self.trials > 1 else ""
        return f"Abs-rel on {frames}: {', '.join(parts)}{means}."

    @property
    def flow_errors(self) -> dict[str, float]:
        """End-point errors in pixels by what they are of; empty where no exact flow is known, as on real sets."""
        known = self.runs.set_index("encoder").reindex(columns=["epe", "epe_zero", "epe_mean_map"])
        found = {encoder_name(of) if self.rows else "trained": error for of, error in known["epe"].items()}
        found |= {"no flow": known["epe_zero"].max(), "mean flow": known["epe_mean_map"].max()}
        return {name: float(error) for name, error in found.items() if error == error}


def depth(results: Results) -> Pretrained | None:
    """Frames with true and predicted depth of every run at the usual size; None where no depth was learned."""
    trials, parts = _chosen(results, results.depth_examples), []
    runs = _means(trials)
    names = list(dict.fromkeys(runs["initialisation"]))
    for _, own in runs.groupby("encoder", sort=False):
        of = {run.initialisation: results.depth_examples[run.name] for run in own.itertuples(index=False)}
        first = next(iter(of.values()))
        blank = np.full_like(first.truth, np.nan)
        parts.append((first.images, first.truth, {n: of[n].prediction if n in of else blank for n in names}))
    return _stacked(trials, parts)


def flow(results: Results) -> Pretrained | None:
    """Pairs of frames with exact and predicted flow of every encoder; None where no flow was learned."""
    trials = _chosen(results, results.flow_examples)
    found = [results.flow_examples[name] for name in trials["name"].unique()]
    return _stacked(trials, [(one.images, one.true_flow, {"flow": one.flow}) for one in found])


def _chosen(results: Results, examples: Collection[str]) -> pd.DataFrame:
    """The runs with examples, without those at the large size: each of a name and trial."""
    runs = results.pretrain
    usual = runs["name"] == runs["encoder"].astype(str) + "-" + runs["initialisation"].astype(str)
    return runs[usual & runs["name"].isin(list(examples))]


def _means(trials: pd.DataFrame) -> pd.DataFrame:
    """A row for each name: the means of its trials' numbers, and of the first the rest."""
    groups = trials.groupby("name", sort=False, observed=True)
    means, first = groups.mean(numeric_only=True), groups.first()
    return first.assign(**{name: means[name] for name in means}).reset_index()[list(trials.columns)]


def _stacked(trials: pd.DataFrame, parts: list[tuple]) -> Pretrained | None:
    """One under another what each encoder has: images, truth and predictions by name."""
    if not parts:
        return None
    runs, count_of = _means(trials), int(trials["name"].value_counts().max())
    encoders = [encoder_name(name) for name in dict.fromkeys(runs["encoder"])]
    count = FEW if len(parts) > 1 else None
    images, truths, predictions = zip(*parts, strict=True)
    rows = [name for name, of in zip(encoders, images, strict=True) for _ in of[:count]] if len(parts) > 1 else []
    truth = None if any(of is None for of in truths) else np.concatenate([of[:count] for of in truths])
    predicted = {name: np.concatenate([of[name][:count] for of in predictions]) for name in predictions[0]}
    return Pretrained(runs, count_of, tuple(rows), np.concatenate([of[:count] for of in images]), truth, predicted)


_STEPS = (15, 6, 4, 11, 13, 6)
"""Steps of the wheel from red to yellow, green, cyan, blue, magenta and back, as many as the eye tells apart."""
_CORNERS = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0))
_KEY = 1.15
"""Inches across the wheel and the text below it."""


def flow_colours(flow: np.ndarray, fastest: float) -> np.ndarray:
    """Colours (... H W 3 in 0..1) of a flow (... 2 H W pixels); `fastest` pixels have full colour, more are dark.

    Motion to the right is red, down yellow, left blue, up violet. Without flow (NaN) grey.
    """
    x, y = np.moveaxis(np.asarray(flow, float), -3, 0) / fastest
    speed, place = np.hypot(x, y), np.arctan2(y, x) / (2 * np.pi) % 1 * (sum(_STEPS) - 1)
    corners = np.cumsum((0, *_STEPS))
    full = np.stack([np.interp(place, corners, channel) for channel in zip(*_CORNERS, strict=True)], axis=-1)
    speed = speed[..., None]
    return np.where(np.isfinite(speed), np.where(speed <= 1, 1 - speed * (1 - full), 0.75 * full), 0.6)


@style.styled
def flow_examples(
    images: np.ndarray,
    predicted: np.ndarray,
    truth: np.ndarray | None = None,
    errors: Mapping[str, float] | None = None,
    footer: str = "",
    rows: Sequence[str] = (),
) -> Figure:
    """A row per pair: both frames, the predicted flow and the exact one, with the colour wheel as key.

    `images` K 2 3 H W uint8, flows K 2 H W pixels; without `truth` (real sets) there is no such column. `errors` are
    mean end-point errors in pixels by what they are of, to stand below the wheel; `rows` are names of the rows.
    """
    shown = predicted if truth is None else truth
    fastest = max(1.0, float(np.percentile(np.hypot(shown[:, 0], shown[:, 1]), 90).round()))
    columns = {title: images[:, k].transpose(0, 2, 3, 1) for k, title in enumerate(("frame", "next frame"))}
    columns["predicted flow"] = flow_colours(predicted, fastest)
    if truth is not None:
        columns["exact flow"] = flow_colours(truth, fastest)
    count, (height, width), across = len(images), images.shape[-2:], (style.WIDTH + 1 - _KEY) / len(columns)
    figure = style.sheet(style.WIDTH + 1, max(count * (height / width * across + 0.04) + 0.45, 2.0))
    cells = figure.add_gridspec(count, len(columns) + 1, width_ratios=[across] * len(columns) + [_KEY])
    grid = [[figure.add_subplot(cells[row, column]) for column in range(len(columns))] for row in range(count)]
    fill(np.array(grid), columns, rows)
    _wheel(figure.add_subplot(cells[:, -1]), fastest, errors or {})
    return style.with_footer(figure, footer)


def _wheel(axes: Axes, fastest: float, errors: Mapping[str, float]) -> None:
    """The colours of all motions up to `fastest` pixels, and the errors below."""
    y, x = np.mgrid[-1:1:201j, -1:1:201j]
    colours = flow_colours(fastest * np.stack([x, y]), fastest)
    colours[np.hypot(x, y) > 1] = 1
    lines = [f"{name} {error:.2f} px" for name, error in errors.items()]
    lines = [f"rim: {fastest:g} px", "darker: faster", *(["", "end-point error", *lines] if lines else [])]
    axes.imshow(colours, extent=(-1, 1, 1, -1))  # the text lies within the axes, so that the rows keep their size
    axes.set(xlim=(-1.1, 1.1), ylim=(1.15 + 0.25 * len(lines), -1))
    axes.set_axis_off()
    axes.text(0, 1.1, "\n".join(lines), fontsize=7, ha="center", va="top")


@style.styled
def depth_examples(
    images: np.ndarray,
    truth: np.ndarray,
    predicted: Mapping[str, np.ndarray],
    footer: str = "",
    title: str = "true depth",
    rows: Sequence[str] = (),
) -> Figure:
    """A row per frame: the image, the true depth and each initialisation's predicted depth, one scale in metres.

    `images` K 3 H W uint8, depths K H W metres after median scaling; pixels without truth are white. A set without any
    true depth gets no such column, and its predictions are up to scale. `title` is that of the column of the truth,
    `rows` are names of the rows, such as encoders; pictures of NaN are blank.
    """
    known = (truth > 0).any()
    shown = truth[truth > 0] if known else np.stack(list(predicted.values()))
    low, high = np.nanpercentile(shown, (1, 99))
    columns = {"image": images.transpose(0, 2, 3, 1)}
    columns |= {title: np.where(truth > 0, truth, np.nan)} if known else {}
    columns |= {name: predicted[name] for name in style.present(predicted)}
    figure = grid_of(columns, 0.86, rows, cmap="viridis_r", norm="log", vmin=max(low, 0.1), vmax=high)
    mapped = figure.axes[1].images[0]
    ticks = [metres for metres in (1, 2, 5, 10, 20, 50, 100) if mapped.norm.vmin <= metres <= mapped.norm.vmax]
    label = "depth (m)" if known else "depth (up to scale)"
    figure.colorbar(mapped, ax=figure.axes, shrink=0.9, label=label, ticks=ticks, format="%g").minorticks_off()
    return style.with_footer(figure, footer)
