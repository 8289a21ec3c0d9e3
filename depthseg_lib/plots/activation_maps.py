"""Figure 6: where networks are activated, beside what they predict, and how much of it lies at label borders."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from depthseg_lib.analysis.measurements.activations import enlarged
from depthseg_lib.analysis.statistics import summarise
from depthseg_lib.data.labels import LabelSet
from depthseg_lib.plots import style
from depthseg_lib.plots.pictures import class_legend
from depthseg_lib.plots.style import Pictures
from depthseg_lib.settings import encoder_name

MAP = "inferno"
"""Dark where a network is not activated; its brightness rises evenly, so that it needs no colour vision."""
_SIZES = {"stem": "1/2", "layer1": "1/4", "layer2": "1/8", "layer3": "1/16", "layer4": "1/32"}


def coloured(activation: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map (h w uint8) in colours at an image's size: H W 3 uint8.

    Not laid over the image, whose own edges would then seem to be the map's.
    """
    strength = np.clip(enlarged(activation, height, width) / 255, 0, 1)
    return (matplotlib.colormaps[MAP](strength)[..., :3] * 255).round().astype(np.uint8)


@style.styled
def activations(
    images: np.ndarray, truth: np.ndarray, predicted: Pictures, maps: Pictures, label_set: LabelSet, footer: str = ""
) -> Figure:
    """Two columns per image: image above predictions, truth above activation maps, a row per initialisation.

    `images` K 3 H W uint8, `truth` K H W, `predicted` K H W and `maps` K h w uint8 by initialisation. Each map is
    scaled to its own maximum: brightness says where in its image, and nothing of one map against another.
    """
    names, (count, _, height, width) = style.present(maps), images.shape
    tall = (style.WIDTH - 0.95) / (2 * count) * height / width * (len(names) + 1) + 1.2
    figure = style.sheet(style.WIDTH, tall)
    axes = figure.subplots(len(names) + 1, 2 * count, squeeze=False)
    for k in range(count):
        _pair(axes[0, 2 * k :], images[k].transpose(1, 2, 0), label_set.colour(truth[k]), "image", "truth")
        for row, name in enumerate(names, 1):
            titles = ("prediction", "activation") if row == 1 else ("", "")
            shown = label_set.colour(predicted[name][k]), coloured(maps[name][k], height, width)
            _pair(axes[row, 2 * k :], *shown, *titles)
    for at, name in zip(axes[1:, 0], names, strict=True):
        at.text(-0.05, 0.5, name.replace("-", "-\n"), transform=at.transAxes, ha="right", va="center", fontsize=8.5)
    class_legend(figure, truth, label_set)
    place = dict(location="bottom", shrink=0.35, aspect=35, pad=0.01)
    bar = figure.colorbar(ScalarMappable(cmap=MAP), ax=axes, ticks=(0, 1), **place)
    bar.ax.set_xticklabels(("none", "map's maximum"), fontsize=7.5)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)
    return style.with_footer(figure, footer)


@style.styled
def boundary_scores(scores: pd.DataFrame, footer: str = "") -> Figure:
    """Share of the activation within the border band over the band's share of the area, per layer and initialisation.

    `scores` is a row per run and layer: encoder, initialisation, trial, layer (finest first), ratio, `edges`, the same
    of the images' own gradient, and `highest`, that of a map with nothing outside the band. Bars are 95 % t-intervals
    over trials, cut at 0 and at the highest score that there is; small dots are trials.
    """
    encoders = list(dict.fromkeys(scores["encoder"].astype(str)))
    figure = style.Drawing(figsize=(style.WIDTH, 2.7 * len(encoders) + 0.6), layout="constrained")
    for at, encoder in zip(figure.subplots(len(encoders), squeeze=False)[:, 0], encoders, strict=True):
        _score_axes(at, scores[scores["encoder"] == encoder])
        if len(encoders) > 1:
            at.set_title(encoder_name(encoder), loc="left")
    at.set_xlabel("layer, and the size of its map relative to the image")
    style.legend(figure, scores["initialisation"])
    return style.with_footer(figure, f"{footer} Small dots: single trials. Bars are cut where no score can be.")


def _pair(axes, first: np.ndarray, second: np.ndarray, *titles: str) -> None:
    for at, picture, title in zip(axes[:2], (first, second), titles, strict=True):
        at.imshow(picture, interpolation="nearest")
        at.set_axis_off()
        at.set_title(title, fontsize=8.5, pad=2)


def _score_axes(axes: Axes, scores: pd.DataFrame) -> None:
    layers, names = list(dict.fromkeys(scores["layer"])), style.present(scores["initialisation"])
    means = summarise(scores, ["initialisation", "layer"], ["ratio"])
    for name in names:
        colour = style.LOOK[name][0]
        mean, trials = (frame[frame["initialisation"] == name] for frame in (means, scores))
        offset = 0.11 * (names.index(name) - (len(names) - 1) / 2)
        x = mean["layer"].map(layers.index) + offset
        half = (mean["ratio_high"] - mean["ratio_mean"]).fillna(0)
        known = style.look(name, line=False) | dict(linestyle="none", markersize=6, zorder=4)
        axes.errorbar(x, mean["ratio_mean"], half, capsize=2, elinewidth=1.1, **known)
        beside = trials["layer"].map(layers.index) + offset + 0.045
        axes.scatter(beside, trials["ratio"], s=7, color=colour, alpha=0.5, linewidths=0)
    # what is no boundary score at all, and what plain edges have; the names stand apart, however close these are
    edges = scores["edges"].mean()
    sides = ("top", "bottom") if edges >= 1 else ("bottom", "top")
    for height, label, side in ((1, "indifferent", sides[0]), (edges, "image edges", sides[1])):
        axes.axhline(height, color=style.GREY, linewidth=1, linestyle="--", zorder=1)
        axes.text(1.01, height, label, transform=axes.get_yaxis_transform(), fontsize=8, color=style.GREY, va=side)
    low = np.nanmin([means["ratio_low"].min(), scores["ratio"].min(), 1])
    high = np.nanmax([means["ratio_high"].max(), scores["ratio"].max(), scores["edges"].max(), 1])
    axes.set_ylim(max(0.0, low - 0.05), min(scores["highest"].max(), high + 0.05))
    axes.set_xticks(range(len(layers)), [f"{layer}\n{_SIZES.get(layer, '')}" for layer in layers])
    axes.set_xlim(-0.55, len(layers) - 0.45)
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("activation in the border band\nrelative to the band's area")
    style.few_ticks(axes)
