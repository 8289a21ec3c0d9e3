"""The ledger: for each of the paper's claims what it measured, what we measured, and the verdict, from tidy results."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pandas as pd

from depthseg_lib import paper
from depthseg_lib.claims_effects import final_gap, unit
from depthseg_lib.claims_list import BASE, CLAIMS, MARGIN, Part
from depthseg_lib.claims_runs import Comparison, comparisons, grouped
from depthseg_lib.results import Results
from depthseg_lib.statistics import Interval

AGREES, DISAGREES, UNDECIDED, NOT_RUN = "agrees", "disagrees", "undecided", "not run"
WORST_FIRST = (DISAGREES, UNDECIDED, NOT_RUN, AGREES)
"""A claim has the worst verdict of its parts, in this order."""
COLUMNS = (
    *("id", "claim", "encoder", "metric", "images", "compared", "stand_in", "paper", "paper_encoder"),
    *("expected", "effect", "unit", "low", "high", "trials", "verdict", "decides", "overall", "note"),
)


def ledger(results: Results) -> pd.DataFrame:
    """A row for each part of each claim, encoder, training-set size and metric: the columns of `COLUMNS`.

    `effect`, `low` and `high` are the mean and 95 % interval over trials, paired by trial, in `unit`; `paper` is the
    paper's effect in the same unit, for `paper_encoder`; `expected` is where the claim has it. `verdict` judges the
    row, `overall` the claim for the encoder: the worst verdict of the rows that decide. Raises `InputError` when two
    runs claim to be the same trial.
    """
    published, runs, rows = paper.published(), grouped(results), []
    for encoder in dict.fromkeys(results.metrics["encoder"].astype(str)):
        for claim in CLAIMS:
            compared = [c for part in claim.parts for c in comparisons(part, encoder, runs)]
            found = [_row(c, m, published) for c in compared for m in (*c.part.metrics, *c.part.beside)]
            worst = _overall(row["verdict"] for row in found if row["decides"])
            rows += [row | {"overall": worst} for row in found]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"images": "Int64"})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The claims by id: the sentence, and a column with the overall verdict for each encoder."""
    ids = table["id"].str.rstrip("abcd")
    verdicts = table.assign(id=ids).drop_duplicates(["id", "encoder"]).pivot(index="id", columns="encoder")["overall"]
    sentences = pd.Series({claim.id: claim.sentence for claim in CLAIMS}, name="claim").rename_axis("id")
    return sentences.to_frame().join(verdicts[list(dict.fromkeys(table["encoder"]))])


def markdown(table: pd.DataFrame, footer: str = "") -> str:
    """The ledger for readers: the claims with their verdicts, then every row with the paper's effect and ours."""
    claims = summary(table).reset_index()
    rows = [(r.id, r.claim, r.encoder, r.compared, r.expected, r.unit, *_numbers(r)) for r in table.itertuples()]
    head = ("id", "part", "encoder", "compared", "claimed", "unit", "paper", "ours", "trials", "verdict", "note")
    parts = [_lines(tuple(claims.columns), claims.itertuples(index=False)), _lines(head, rows)]
    return "\n\n".join(part for part in (*parts, footer) if part) + "\n"


def judge(interval: Interval, expected: str, reference: float = 0.0) -> str:
    """The verdict on one effect: what `expected` says of it, for all, for none or for part of its interval.

    `above` and `below` compare with `reference`; `equal` agrees when the interval lies within `MARGIN` of it, and
    disagrees when it lies wholly outside. `all` counts trials (percent): agrees at 100, disagrees at 0. Without an
    interval nothing is decided.
    """
    if expected == "all":
        return {100.0: AGREES, 0.0: DISAGREES}.get(interval.mean, UNDECIDED)
    low, high = interval.low - reference, interval.high - reference
    inside = {"above": low > 0, "below": high < 0, "equal": low >= -MARGIN and high <= MARGIN}
    outside = {"above": high < 0, "below": low > 0, "equal": low > MARGIN or high < -MARGIN}
    return AGREES if inside[expected] else DISAGREES if outside[expected] else UNDECIDED


def _row(of: Comparison, metric: str, published: pd.DataFrame) -> dict:
    part, (value, whose) = of.part, _paper(of, metric, published)
    row = {"id": part.id, "claim": part.sentence, "encoder": of.encoder, "metric": metric, "images": of.images}
    row |= {"compared": of.compared, "stand_in": of.stand_in, "paper": value, "paper_encoder": whose}
    row |= {"expected": _expected(part), "unit": unit(part.effect, metric), "decides": metric in part.metrics}
    if of.missing:
        return row | {"trials": 0, "verdict": NOT_RUN, "note": f"not run: {of.missing}"}
    measured = part.effect(*of.trials, metric)
    i, note = measured.interval, "; ".join(text for text in (measured.note, part.remark) if text)
    verdict = judge(i, part.expected, part.reference)
    return row | {"effect": i.mean, "low": i.low, "high": i.high, "trials": i.trials, "verdict": verdict, "note": note}


def _expected(part: Part) -> str:
    """Where the claim has the effect, for readers."""
    reference = str(Fraction(part.reference).limit_denominator(100))
    words = {"above": f"> {reference}", "below": f"< {reference}", "equal": f"within ±{MARGIN:g}", "all": "100"}
    return words[part.expected]


def _numbers(row) -> tuple[str, ...]:
    """The last columns of a printed row."""
    ours = "–" if np.isnan(row.effect) else f"{row.effect:z.2f}"
    if not np.isnan(row.low):
        ours += f" [{row.low:z.2f}, {row.high:z.2f}]"
    theirs = "–" if np.isnan(row.paper) else f"{row.paper:z.2f} ({row.paper_encoder})"
    return theirs, ours, str(row.trials), row.verdict if row.decides else f"({row.verdict})", row.note


def _lines(head: tuple[str, ...], rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _where(frame: pd.DataFrame, wanted: dict) -> pd.DataFrame:
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    return frame


def _paper(of: Comparison, metric: str, published: pd.DataFrame) -> tuple[float, str]:
    """The paper's effect in points, for its encoder of the same kind, else for the one that it has; NaN for none."""
    part, own = of.part, paper.counterpart(of.encoder)
    if not np.isnan(part.paper):
        return part.paper, own
    usual = part.images == BASE or of.images == paper.IMAGES
    if part.effect is not final_gap or not part.printed or not usual or metric not in published:
        return np.nan, ""
    a, b = (_where(published, vars(side)).set_index("encoder")[metric] for side in part.theirs or (part.a, part.b))
    gaps = (100 * (a - b)).dropna()
    encoder = own if own in gaps else next(iter(gaps.index), "")
    return (float(gaps[encoder]), encoder) if encoder else (np.nan, "")


def _overall(verdicts: Iterator[str]) -> str:
    found = set(verdicts)
    return next(verdict for verdict in WORST_FIRST if verdict in found)
