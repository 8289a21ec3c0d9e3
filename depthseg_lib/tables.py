"""Table 1: our means with intervals beside the paper's values, tidy for machines and as text for readers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from depthseg_lib import paper
from depthseg_lib.config import INITIALISATIONS
from depthseg_lib.statistics import summarise

METRICS = {"miou_seven": "mIoU (repr.)", "accuracy": "accuracy"}
"""The paper's two metrics, in percent in the text."""
_BY = ["encoder", "setting", "initialisation"]


@dataclass(frozen=True)
class Column:
    """One column of numbers."""

    group: str
    """Whose numbers and which encoder."""
    setting: str
    """full or frozen."""
    metric: str
    """Name of the metric for readers."""
    cells: dict[str, str]
    """Text by initialisation; absent where there is no such run."""
    best: str
    """The initialisation with the highest mean."""


def table1(metrics: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """A row per encoder, setting and initialisation: mean, low, high, trials of each metric, as fractions 0..1.

    `diverged` counts trials that ended in NaN, which the means leave out; `paper_*` are the paper's KITTI values of the
    same setting and initialisation for its encoder of the same kind, empty where it has none.
    """
    summary = summarise(metrics, _BY, list(METRICS))
    diverged = metrics.groupby(_BY, observed=True)["diverged_at"].count().rename("diverged").reset_index()
    theirs = published.rename(columns={metric: f"paper_{metric}" for metric in METRICS} | {"encoder": "counterpart"})
    ours = summary.merge(diverged, on=_BY).assign(counterpart=summary["encoder"].map(paper.counterpart))
    table = ours.merge(theirs, on=["counterpart", *_BY[1:]], how="left").drop(columns="counterpart")
    return table.sort_values(["encoder", "setting"], key=_full_first, kind="stable", ignore_index=True)


def columns(table: pd.DataFrame, published: pd.DataFrame) -> list[Column]:
    """The columns of the printed table: ours for each encoder and setting, then the paper's for the same ones."""
    pairs = list(table[["encoder", "setting"]].drop_duplicates().itertuples(index=False))
    ours = [_ours(table, *pair, metric) for pair in pairs for metric in METRICS]
    wanted = dict.fromkeys((_published_encoder(published, encoder, setting), setting) for encoder, setting in pairs)
    return ours + [_theirs(published, *pair, metric) for pair in wanted for metric in METRICS]


def rows(shown: list[Column]) -> list[str]:
    """The initialisations that any column has, in the study's order."""
    return [name for name in INITIALISATIONS if any(name in column.cells for column in shown)]


def markdown(table: pd.DataFrame, published: pd.DataFrame, footer: str = "") -> str:
    """The printed table as Markdown, mean ± half the 95 % interval in percent, the best mean of a column in bold."""
    shown = columns(table, published)
    head = ["initialisation", *(f"{c.group}, {c.setting}: {c.metric}" for c in shown)]
    lines = [head, ["---"] + ["---:"] * len(shown)]
    for name in rows(shown):
        texts = [c.cells.get(name, "–") for c in shown]
        bold = [f"**{t}**" if c.best == name else t for c, t in zip(shown, texts, strict=True)]
        lines.append([name, *bold])
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\n{footer}\n" if footer else f"{text}\n"


def census_markdown(classes: pd.DataFrame, footer: str = "") -> str:
    """A `census` as Markdown, the share of pixels in percent, in the census' order."""
    lines = ["| class | images | pixels | share |", "| --- | ---: | ---: | ---: |"]
    for row in classes.to_dict("records"):
        lines.append(f"| {row['class']} | {row['images']} | {row['pixels']} | {row['share']:.2%} |")
    text = "\n".join(lines)
    return f"{text}\n\n{footer}\n" if footer else f"{text}\n"


def times(metrics: pd.DataFrame, pretrain: pd.DataFrame) -> pd.DataFrame:
    """Wall time of training by kind of run: encoder, kind, runs, seconds of one (mean) and minutes of all.

    Pre-training by its initialisation; fine-tuning by setting and experiment, each trial a run.
    """
    taught = [row.name.removeprefix(f"{row.encoder}-") for row in pretrain.itertuples(index=False)]
    tuned = metrics["setting"].astype(str) + ", " + metrics["experiment"].astype(str)
    before = pretrain.assign(kind=[f"pre-training, {name}" for name in taught])
    both = pd.concat([frame for frame in (before, metrics.assign(kind="fine-tuning, " + tuned)) if len(frame)])
    found = both.groupby(["encoder", "kind"], sort=False, observed=True)["seconds"].agg(["count", "mean", "sum"])
    found = found.rename(columns={"count": "runs", "mean": "seconds of one"}).reset_index()
    return found.assign(minutes=found.pop("sum") / 60)


def _published_encoder(published: pd.DataFrame, encoder: str, setting: str) -> str:
    """The paper's encoder of the same kind, or the one that it has in this setting: DeepLabV3 has ResNet-50 alone."""
    known, own = published.loc[published["setting"] == setting, "encoder"].tolist(), paper.counterpart(encoder)
    return own if own in known or not known else known[0]


def _full_first(column: pd.Series) -> pd.Series:
    return column.replace({"full": ""}) if column.name == "setting" else column


def _ours(table: pd.DataFrame, encoder: str, setting: str, metric: str) -> Column:
    part = table[(table["encoder"] == encoder) & (table["setting"] == setting)].set_index("initialisation")
    cells = {str(name): _cell(row, metric) for name, row in part.iterrows()}
    return Column(f"ours, {encoder}", setting, METRICS[metric], cells, _best(part[f"{metric}_mean"]))


def _theirs(published: pd.DataFrame, encoder: str, setting: str, metric: str) -> Column:
    part = published[(published["encoder"] == encoder) & (published["setting"] == setting)].set_index("initialisation")
    cells = {str(name): f"{100 * value:.1f}" for name, value in part[metric].items()}
    return Column(f"paper (KITTI), {encoder}", setting, METRICS[metric], cells, _best(part[metric]))


def _cell(row: pd.Series, metric: str) -> str:
    mark = "†" if row["diverged"] else ""
    mean, half = 100 * row[f"{metric}_mean"], 50 * (row[f"{metric}_high"] - row[f"{metric}_low"])
    if np.isnan(mean):
        return "diverged"
    return f"{mean:.1f}{mark}" if np.isnan(half) else f"{mean:.1f} ± {half:.1f}{mark}"


def _best(means: pd.Series) -> str:
    return "" if means.isna().all() else str(means.idxmax())
