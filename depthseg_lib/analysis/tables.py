"""Tables 1 and 2: our means with intervals and the paper's values, tidy for machines and as text for readers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.statistics import summarise
from depthseg_lib.data.labels import LabelSet
from depthseg_lib.settings import INITIALISATIONS, encoder_name

METRICS = {"miou_seven": "mIoU, data set", "miou_released": "mIoU, released code", "accuracy": "accuracy"}
"""The metrics, in percent in the text; both mIoU are over the representative classes."""
PUBLISHED = {"miou_seven": "mIoU", "accuracy": "accuracy"}
"""Those that the paper prints. Its text does not say which mIoU."""
OURS, PAPER = "ours", "paper (KITTI)"
"""Whose numbers a row or column holds."""
_BY = ["encoder", "setting", "initialisation"]


@dataclass(frozen=True)
class Column:
    """One column of numbers."""

    source: str
    """`OURS` or `PAPER`."""
    encoder: str
    """The encoder, for readers."""
    setting: str
    """full, frozen, encoder-only or deeplab."""
    metric: str
    """Name of the metric for readers."""
    cells: dict[str, str]
    """Text by initialisation; absent where there is no such run."""
    best: tuple[str, ...]
    """The initialisations with the highest mean, as printed."""

    @property
    def group(self) -> str:
        """What stands above the column."""
        return f"{self.source}, {self.encoder}"


def table1(metrics: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """A row per source, encoder, setting and initialisation: ours, then all that is `published`.

    Columns: mean, low, high, trials of each of `METRICS` as fractions 0..1, and `diverged`, the trials that ended in
    NaN, which the means leave out. The paper's rows have the means of `PUBLISHED` alone.
    """
    summary = summarise(metrics, _BY, list(METRICS))
    diverged = metrics.groupby(_BY, observed=True)["diverged_at"].count().rename("diverged").reset_index()
    ours = summary.merge(diverged, on=_BY)
    theirs = published[[*_BY, *PUBLISHED]].rename(columns={metric: f"{metric}_mean" for metric in PUBLISHED})
    both = [_ordered(ours).assign(source=OURS), _ordered(theirs).assign(source=PAPER)]
    table = pd.concat(both, ignore_index=True)[["source", *ours.columns]]
    return table.astype({name: "Int64" for name in table if name.endswith("_trials") or name == "diverged"})


def both_miou(label_set: LabelSet) -> str:
    """What the caption of a table says of its two mIoU."""
    names = ", ".join(label_set.classes[index] for index in label_set.representative)
    return (
        f"mIoU is over the representative classes ({names}); data set: of one confusion matrix over all images; "
        "released code: the mean of each image's own, with what is predicted on void pixels counted as wrong."
    )


def columns(table: pd.DataFrame) -> list[Column]:
    """The columns of the printed `table1`: ours for each encoder and setting, then the paper's."""
    run = set(table.loc[table["source"] == OURS, "encoder"].map(paper.counterpart))
    found = []
    for (source, encoder, setting), part in table.groupby(["source", "encoder", "setting"], sort=False, observed=True):
        name = encoder_name(encoder) + (" (not run here)" if source == PAPER and encoder not in run else "")
        cells = part.set_index("initialisation")
        for metric, shown in (METRICS if source == OURS else PUBLISHED).items():
            texts = {str(start): _cell(row, metric, source) for start, row in cells.iterrows()}
            means = cells[f"{metric}_mean"].astype(float).mul(100).round(2)
            best = tuple(str(start) for start in means.index[means == means.max()])
            found.append(Column(source, name, setting, shown, texts, best))
    return found


def blocks(shown: list[Column]) -> list[list[Column]]:
    """The columns that stand side by side: those of one of our encoders, or all of the paper's."""
    return [list(of) for _, of in groupby(shown, key=lambda c: c.source if c.source == PAPER else c.group)]


def rows(shown: list[Column]) -> list[str]:
    """The initialisations that any column has, in the study's order."""
    return [name for name in INITIALISATIONS if any(name in column.cells for column in shown)]


def markdown(table: pd.DataFrame, footer: str = "") -> str:
    """The printed table as Markdown, in percent: mean ± half the 95 % interval; highest mean of a column in bold."""
    parts = []
    for shown in blocks(columns(table)):
        theirs = shown[0].source == PAPER
        names = [f"{c.encoder}, {c.setting}: {c.metric}" if theirs else f"{c.setting}: {c.metric}" for c in shown]
        lines = []
        for name in rows(shown):
            texts = [c.cells.get(name, "–") for c in shown]
            lines.append([name, *(f"**{t}**" if name in c.best else t for c, t in zip(shown, texts, strict=True))])
        title = f"**{PAPER if theirs else shown[0].group}**"
        parts += [title, markdown_table(["initialisation", *names], lines, "---:")]
    return document(*parts, footer)


def census_markdown(classes: pd.DataFrame, footer: str = "") -> str:
    """A `census` as Markdown, the share of pixels in percent, in the census' order."""
    lines = [(row["class"], row["images"], row["pixels"], f"{row['share']:.2%}") for row in classes.to_dict("records")]
    return document(markdown_table(("class", "images", "pixels", "share"), lines, "---:"), footer)


def markdown_table(head: Sequence[str], lines: Iterable[Sequence], rule: str = "---") -> str:
    """A table in Markdown; `rule` says how all columns but the first are aligned."""
    whole = [head, ["---", *[rule] * (len(head) - 1)], *lines]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in whole)


def document(*parts: str) -> str:
    """The parts that are not empty, with a line between them."""
    return "\n\n".join(part for part in parts if part) + "\n"


def times(metrics: pd.DataFrame, pretrain: pd.DataFrame) -> pd.DataFrame:
    """Wall time of training by kind of run: encoder, kind, runs, seconds of one (mean) and minutes of all.

    Pre-training by initialisation; fine-tuning by setting and experiment, a trial a run; the whole study last.
    """
    taught = [row.name.removeprefix(f"{row.encoder}-") for row in pretrain.itertuples(index=False)]
    tuned = metrics["setting"].astype(str) + ", " + metrics["experiment"].astype(str)
    before = pretrain.assign(kind=[f"pre-training, {name}" for name in taught])
    both = pd.concat([frame for frame in (before, metrics.assign(kind="fine-tuning, " + tuned)) if len(frame)])
    found = both.groupby(["encoder", "kind"], sort=False, observed=True)["seconds"].agg(["count", "mean", "sum"])
    found = found.rename(columns={"count": "runs", "mean": "seconds of one"}).reset_index()
    found = found.assign(minutes=found.pop("sum") / 60)
    whole = {"encoder": "all", "kind": "the whole study"} | found[["runs", "minutes"]].sum().to_dict()
    return pd.concat([found, pd.DataFrame([whole])], ignore_index=True).astype({"runs": int})


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows by encoder and setting, full first."""
    return rows.sort_values(["encoder", "setting"], key=lambda column: column.replace({"full": ""}), kind="stable")


def _cell(row: pd.Series, metric: str, source: str) -> str:
    mean = 100 * row[f"{metric}_mean"]
    if source == PAPER or np.isnan(mean):
        return f"{mean:.2f}" if source == PAPER else "diverged"
    mark, half = "†" if row["diverged"] else "", 50 * (row[f"{metric}_high"] - row[f"{metric}_low"])
    return f"{mean:.2f}{mark}" if np.isnan(half) else f"{mean:.2f} ± {half:.2f}{mark}"
