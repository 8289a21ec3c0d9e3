"""The ledger: for each of the paper's claims what it measured, what we measured, and the verdict, from tidy results."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pandas as pd

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.claims.claims import BASE, CLAIMS, MARGIN, Side, claim_of
from depthseg_lib.analysis.claims.comparisons import Comparison, comparisons, grouped, notes, stand_in
from depthseg_lib.analysis.claims.effects import final_gap, unit
from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.statistics import Interval
from depthseg_lib.analysis.tables import document, markdown_table

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
    paper's effect in it, for `paper_encoder`; `expected` is where the claim has it. `verdict` judges the row, `overall`
    the claim: the worst verdict of the rows that decide. Raises `InputError` when two runs are the same trial.
    """
    printed = paper.published().groupby(["initialisation", "setting", "experiment"])
    published = {Side(*key): of.set_index("encoder") for key, of in printed}
    runs, rows = grouped(results), []
    for encoder in dict.fromkeys(results.metrics["encoder"].astype(str)):
        for claim in CLAIMS:
            compared = [c for part in claim.parts for c in comparisons(part, encoder, runs)]
            found = [row for of in compared for row in _rows(of, results, published)]
            verdicts = {row["verdict"] for row in found if row["decides"]}
            worst = next(verdict for verdict in WORST_FIRST if verdict in verdicts)
            rows += [row | {"overall": worst} for row in found]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"images": "Int64"})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The claims by id: the sentence, and a column with the overall verdict for each encoder."""
    ids = table["id"].map(claim_of)
    verdicts = table.assign(id=ids).drop_duplicates(["id", "encoder"]).pivot(index="id", columns="encoder")["overall"]
    sentences = pd.Series({claim.id: claim.sentence for claim in CLAIMS}, name="claim").rename_axis("id")
    return sentences.to_frame().join(verdicts[list(dict.fromkeys(table["encoder"]))])


def markdown(table: pd.DataFrame, footer: str = "") -> str:
    """The ledger for readers: the claims with their verdicts, then every row with the paper's effect and ours."""
    claims = summary(table).reset_index()
    head = ("id", "part", "encoder", "compared", "claimed", "unit", "paper", "ours", "trials", "verdict", "note")
    rows = []
    for row in table.itertuples():
        theirs = "–" if np.isnan(row.paper) else f"{row.paper:z.2f} ({row.paper_encoder})"
        ours = "–" if np.isnan(row.effect) else f"{row.effect:z.2f}"
        ours += "" if np.isnan(row.low) else f" [{row.low:z.2f}, {row.high:z.2f}]"
        verdict = row.verdict if row.decides else f"({row.verdict})"
        what = (row.id, row.claim, row.encoder, row.compared, row.expected, row.unit)
        rows.append((*what, theirs, ours, row.trials, verdict, row.note))
    return document(markdown_table(list(claims), claims.itertuples(index=False)), markdown_table(head, rows), footer)


def judge(interval: Interval, expected: str, reference: float = 0.0) -> str:
    """The verdict on one effect: what `expected` says of it, for all, for none or for part of its interval.

    `above` and `below` compare with `reference`; `equal` agrees when the interval lies within `MARGIN` of it, and
    disagrees when it lies wholly outside. Without an interval nothing is decided. `several` counts trials (percent):
    two prove it, one decides nothing, and none of two or more speaks against it.
    """
    if expected == "several":
        count = round(interval.mean * interval.trials / 100)
        against = not count and interval.trials >= paper.SEVERAL
        return AGREES if count >= paper.SEVERAL else DISAGREES if against else UNDECIDED
    low, high = interval.low - reference, interval.high - reference
    inside = {"above": low > 0, "below": high < 0, "equal": low >= -MARGIN and high <= MARGIN}
    outside = {"above": high < 0, "below": low > 0, "equal": low > MARGIN or high < -MARGIN}
    return AGREES if inside[expected] else DISAGREES if outside[expected] else UNDECIDED


def _rows(of: Comparison, results: Results, published: dict[Side, pd.DataFrame]) -> Iterator[dict]:
    part, known = of.part, notes(of, results)
    stands = ", ".join(text for text in (of.stand_in, stand_in(part, results)) if text)
    reference = str(Fraction(part.reference).limit_denominator(100))
    words = {"above": f"> {reference}", "below": f"< {reference}", "equal": f"within ±{MARGIN:g}"}
    expected = words.get(part.expected, f"≥ {paper.SEVERAL} trials")
    same = {"id": part.id, "claim": part.sentence, "encoder": of.encoder, "images": of.images}
    same |= {"compared": of.compared, "stand_in": stands, "expected": expected}
    for metric in (*part.metrics, *part.beside):
        value, whose = _paper(of, metric, published)
        row = same | {"metric": metric, "unit": unit(part.effect, metric), "decides": metric in part.metrics}
        row |= {"paper": value, "paper_encoder": whose}
        if of.missing:
            yield row | {"trials": 0, "verdict": NOT_RUN, "note": f"not run: {of.missing}"}
            continue
        measured, short = part.effect(*of.trials, metric), ""
        i, verdict = measured.interval, judge(measured.interval, part.expected, part.reference)
        if verdict == DISAGREES and measured.iterations < part.onset:
            verdict = UNDECIDED
            short = f"{measured.iterations:,.0f} iterations are too few to refute it: the paper has {part.onset:,}"
        note = "; ".join(text for text in (measured.note, short, part.remark, *known) if text)
        effect = {"effect": i.mean, "low": i.low, "high": i.high, "trials": i.trials}
        yield row | effect | {"verdict": verdict, "note": note}


def _paper(of: Comparison, metric: str, published: dict[Side, pd.DataFrame]) -> tuple[float, str]:
    """The paper's effect in points, for its encoder of the same kind, else for the one that it has; NaN for none."""
    part, own = of.part, paper.counterpart(of.encoder)
    if not np.isnan(part.paper):
        return part.paper, own
    sides = [published.get(side) for side in part.theirs or (part.a, part.b)]
    usual = part.images == BASE or of.images == paper.IMAGES
    there = all(side is not None and metric in side for side in sides)
    if part.effect is not final_gap or not part.printed or not usual or not there:
        return np.nan, ""
    a, b = (side[metric] for side in sides)
    gaps = (100 * (a - b)).dropna()
    encoder = own if own in gaps else next(iter(gaps.index), "")
    return (float(gaps[encoder]), encoder) if encoder else (np.nan, "")
