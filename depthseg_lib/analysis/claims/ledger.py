"""The ledger: for each of the paper's claims what it measured, what we measured, and the verdict, from tidy results."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pandas as pd

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.claims import question
from depthseg_lib.analysis.claims.claims import PARTS, PRIMARY
from depthseg_lib.analysis.claims.comparisons import Comparison, comparisons, failed, grouped, notes, stand_in
from depthseg_lib.analysis.claims.effects import MIOU, Trials, diverged_share, final_gap, unit
from depthseg_lib.analysis.claims.judgement import decided, found, look, p_values
from depthseg_lib.analysis.claims.question import ALPHAS, BASE, LOOKS, MARGINS, Part, Side
from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.statistics import LEVEL, Interval, half_width, mean_interval
from depthseg_lib.analysis.tables import document, markdown_table

AGREES, DISAGREES, EQUAL, UNDECIDED = "agrees", "disagrees", "equal", "undecided"
FOR, AGAINST, ALIKE = "indicates for", "indicates against", "indicates equal"
NOT_TESTED, NOT_RUN = "not tested", "not run"
VERDICTS = (AGREES, DISAGREES, EQUAL, UNDECIDED, FOR, AGAINST, ALIKE, NOT_TESTED, NOT_RUN)
"""What stands before the comma of a verdict."""
_WEAKER = {AGREES: FOR, DISAGREES: AGAINST, EQUAL: ALIKE}
"""The words of a pre-training that was not repeated."""
_FEWEST = LOOKS[0]
_SMALL_NUMBERS = {1: "this pre-training", 2: "these 2 pre-trainings", 3: "these 3 pre-trainings"}
_UP_TO = 1000
"""Trials beyond which a statement is not said to need them."""
COLUMNS = (
    *("id", "claim", "encoder", "metric", "images", "compared", "stand_in", "paper", "paper_encoder", "expected"),
    *("primary", "effect", "unit", "low", "high", "level", "trials", "repetitions", "standardised", "above"),
    *("differences", "p", "p_equal", "verdict", "diverged", "stuck_a", "stuck_b", "failed", "trimmed"),
    *("trials_needed", "note", "question"),
)


def ledger(results: Results) -> pd.DataFrame:
    """A row for each statement of each claim, encoder, training-set size and metric: the columns of `COLUMNS`.

    `primary` marks the one contrast of a claim, whose `verdict` is the claim's. `effect` is the mean over repetitions,
    paired by trial, in `unit` (of ratios the geometric mean), `low` and `high` its interval at `level`, that of the
    newest look; `p` and `p_equal` are of the two families, before correction. `differences` are those of all trials, in
    their order; `above` is the share of them over the reference, `standardised` the mean over their standard deviation.
    `trials_needed` is a rough guess at how many trials make half the interval as small as the margin. `paper` is the
    paper's effect, for `paper_encoder`; `question` the hash of what was asked.

    Raises `InputError` when two runs are the same trial, and when the question is not the one that was asked.
    """
    asked, runs, rows = question.check(), grouped(results), []
    printed = paper.published().groupby(["initialisation", "setting", "experiment"])
    published = {Side(*key): of.set_index("encoder") for key, of in printed}
    for encoder in dict.fromkeys(results.metrics["encoder"].astype(str)):
        compared = [of for part in PARTS for of in comparisons(part, encoder, runs)]
        judged = [one for of in compared for one in _statements(of, results, published)]
        _judge_primary([one for one in judged if one.row["primary"]])
        _judge_secondary([one for one in judged if not one.row["primary"] and one.part.effect is not diverged_share])
        rows += [one.row | {"note": "; ".join(filter(None, one.notes)), "question": asked} for one in judged]
    kinds = dict.fromkeys(("images", "trials", "repetitions", "diverged", "stuck_a", "stuck_b", "failed"), "Int64")
    return pd.DataFrame(rows, columns=COLUMNS).astype(kinds | {"trials_needed": "Int64"})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The claims by id: the contrast that decides each, and a column with its verdict for each encoder."""
    verdicts = table[table["primary"]].pivot(index="id", columns="encoder", values="verdict")
    sentences = pd.Series({part.id: part.sentence for part in PRIMARY}, name="claim").rename_axis("id")
    return sentences.to_frame().join(verdicts[list(dict.fromkeys(table["encoder"]))])


def markdown(table: pd.DataFrame, footer: str = "") -> str:
    """The ledger for readers: the claims with their verdicts, then every row with the paper's effect and ours."""
    claims = summary(table).reset_index()
    head = ("id", "part", "encoder", "compared", "claimed", "unit", "paper", "ours", "level", "n", "verdict", "note")
    rows = []
    for row in table.itertuples():
        theirs = "–" if np.isnan(row.paper) else f"{row.paper:z.2f} ({row.paper_encoder})"
        ours = "–" if np.isnan(row.effect) else f"{row.effect:z.2f}"
        ours += "" if np.isnan(row.low) else f" [{row.low:z.2f}, {row.high:z.2f}]"
        level = "–" if np.isnan(row.low) else f"{100 * row.level:.1f} %"
        verdict, name = (f"**{text}**" if row.primary else text for text in (row.verdict, row.id))
        what = (name, row.claim, row.encoder, row.compared, row.expected, row.unit)
        rows.append((*what, theirs, ours, level, row.repetitions, verdict, row.note))
    asked = f"The question has the hash {table['question'].iloc[0]}." if len(table) else ""
    lines = markdown_table(list(claims), claims.itertuples(index=False))
    return document(lines, markdown_table(head, rows), asked, footer)


@dataclass(eq=False)
class _Statement:
    """A row on its way to a verdict."""

    part: Part
    row: dict
    values: np.ndarray
    """The differences of repetitions to the reference, up to the first that is missing."""
    shared: str = ""
    """Which pre-trainings it speaks of, where they were not repeated."""
    judged: bool = True
    """Whether it can be decided by its differences."""
    notes: list[str] = field(default_factory=list)
    failed: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """The share of each repetition's trials whose pre-training failed."""

    def tested(self, repetitions: int) -> bool:
        """Whether the pre-training worked in more than half of so many."""
        return self.judged and not (self.failed[:repetitions].size and self.failed[:repetitions].mean() >= 0.5)

    @property
    def margin(self) -> float:
        return MARGINS.get(self.row["unit"], np.nan)

    @property
    def sign(self) -> int:
        """On which side the claim has the effect."""
        return -1 if self.part.expected == "below" else 1

    def within(self, width: float) -> str:
        """A width in its unit."""
        if self.row["unit"] == "ratio of iterations":
            return f"×{np.exp(width):.3g}"
        return f"{width:.2g} " + ("nats" if self.row["unit"] == "nats per pixel" else "points")


def _statements(of: Comparison, results: Results, published: dict[Side, pd.DataFrame]) -> Iterator[_Statement]:
    """The rows of a comparison, as far as they can be said one by one."""
    part, primary = of.part, of.part in PRIMARY
    stands = ", ".join(text for text in (of.stand_in, stand_in(part, results)) if text)
    same = {"id": part.id, "claim": part.sentence, "encoder": of.encoder, "images": of.images}
    same |= {"compared": of.compared, "stand_in": stands}
    for metric in (part.metric, *part.beside):
        value, whose = _paper(of, metric, published)
        row = same | {"metric": metric, "unit": unit(part.effect, metric), "primary": primary and metric == part.metric}
        row |= {"expected": _claimed(part, row["unit"]), "paper": value, "paper_encoder": whose}
        row |= {"verdict": UNDECIDED, "trials": 0, "repetitions": 0}
        if of.missing:
            row["verdict"] = NOT_RUN
            yield _Statement(part, row, np.array([]), "", False, [f"not run: {of.missing}"])
        elif part.effect is diverged_share:
            yield _share(of, row, notes(of, results))
        else:
            yield _contrast(of, row, metric, results)


def _claimed(part: Part, unit_of: str) -> str:
    if part.expected == "several":
        return f"≥ {paper.SEVERAL} trials"
    if part.expected == "equal":
        return f"within ±{MARGINS[unit_of]:g}"
    return {"above": ">", "below": "<"}[part.expected] + f" {Fraction(part.reference).limit_denominator(100)}"


def _share(of: Comparison, row: dict, known: list[str]) -> _Statement:
    """How many trials diverged: two prove several, one decides nothing, none of four or more speaks against it."""
    ((arm, _),) = of.arms
    i, length = diverged_share(arm)
    row |= {"effect": i.mean, "low": i.low, "high": i.high, "level": LEVEL, "trials": i.trials, "repetitions": i.trials}
    count, enough = len(arm.diverged), i.trials >= _FEWEST
    said = [f"{count} of {i.trials} trials diverged", "" if enough else "fewer than four trials"]
    if not count and length < of.part.onset:
        said.append(f"{length:,.0f} iterations are too few to refute it: the paper has {of.part.onset:,}")
    elif enough:
        row["verdict"] = FOR if count >= paper.SEVERAL else UNDECIDED if count else AGAINST
    row |= {"diverged": count}
    return _Statement(of.part, row, np.array([]), "", False, [*said, of.part.remark, *known])


def _contrast(of: Comparison, row: dict, metric: str, results: Results) -> _Statement:
    """Differences, their mean and interval, and what the reader has to know of the runs behind them."""
    part, measured = of.part, [of.part.effect(*arms, metric) for arms in of.arms]
    last = max(int(arm.metrics["trial"].max()) for arms in of.arms for arm in arms)
    columns = [m.differences.reindex(range(last + 1)) for m in measured]
    each = pd.concat(columns, axis=1).mean(axis=1, skipna=False)
    ratio = row["unit"] == "ratio of iterations"
    reference, outside = (np.log(part.reference), np.exp) if ratio else (part.reference, np.asarray)
    by, shared, counted = _repetitions(each, of)
    repeated = each.groupby(by).mean().to_numpy(float)  # of the trials that are there
    gone = np.flatnonzero(np.isnan(repeated))
    whole = repeated[: gone[0]] if len(gone) else repeated
    count, level = look(len(whole))
    shown = whole[:count] if count >= _FEWEST else repeated[~np.isnan(repeated)]
    i = mean_interval(shown, level)
    deviation = shown.std(ddof=1) if len(shown) > 1 else np.nan
    row |= dict(zip(("effect", "low", "high"), outside([i.mean, i.low, i.high]).tolist(), strict=True))
    row |= {"level": level, "trials": int(each.notna().sum()), "repetitions": i.trials}
    row |= {"differences": " ".join(f"{value:.4g}" for value in outside(each))}
    row |= {"standardised": (i.mean - reference) / deviation if deviation else np.nan}
    row |= {"above": float((each.dropna() > reference).mean()) if i.trials else np.nan}
    statement = _Statement(part, row, whole - reference, shared)
    with np.errstate(invalid="ignore"):
        widths = half_width(deviation, np.arange(2, _UP_TO), 1 - ALPHAS[-1]) <= statement.margin
    row["trials_needed"] = 2 + int(widths.argmax()) if widths.any() else None
    said = [_joined(m.note for m in measured), _missing(each, of, bool(counted)), counted]
    said += [f"the interval is of {shared}" if shared else "", "fewer than four trials" if len(whole) < _FEWEST else ""]
    if _FEWEST <= count < len(whole):
        ahead = next(n for n in LOOKS if n > count)
        said.append(f"{len(whole)} repetitions: judged at {count}, the next look is at {ahead}")
    said.append(f"beyond {LOOKS[-1]} repetitions the interval alone is new" if count > LOOKS[-1] else "")
    statement.notes += [*said, *_runs(of, statement, shown), part.remark, *notes(of, results)]
    statement.failed = (
        _pretraining(of, statement, results).reindex(each.index, fill_value=0.0).groupby(by).mean().to_numpy()
    )
    return statement


def _repetitions(each: pd.Series, of: Comparison) -> tuple[pd.Series, str, str]:
    """What counts as a repetition, as a number for each trial: a trial with pre-trainings of its own; else those that
    share one, where four or more were drawn; else the trial, for these pre-trainings alone. With which, and a note."""
    own = pd.Series(each.index, each.index)
    arms = [arm.pretraining.reindex(each.index) for arm in of.arms[0]]
    drawn = [arm for arm in arms if not (arm == -1).any()]
    fewest = min(drawn, key=lambda arm: arm.nunique(), default=None)
    if fewest is None or fewest.nunique() >= fewest.notna().sum():
        return own, "", ""
    count = fewest.nunique()
    if count < _FEWEST:
        return own, _SMALL_NUMBERS[count], ""
    return fewest, "", f"means within each of {count} pre-trainings, which {len(each)} trials share"


def _missing(each: pd.Series, of: Comparison, means: bool) -> str:
    """Trials without a difference, where they are missing, and what follows."""
    gone = each.index[each.isna()]
    if not len(gone):
        return ""
    lost = [any(not set(gone) <= set(arms[side].metrics["trial"]) for arms in of.arms) for side in (0, 1)]
    sides = [side.initialisation for side, missing in zip(of.sides, lost, strict=True) if missing]
    where = f"missing in {' and '.join(dict.fromkeys(sides))}" if sides else "without a value"
    follows = "left out of the means" if means else "no look that includes them decides"
    return f"trials {', '.join(map(str, gone))} {where}: {follows}"


def _runs(of: Comparison, statement: _Statement, shown: np.ndarray) -> Iterator[str]:
    """Runs that diverged or got stuck, and what that leaves of the error rate."""
    diverged = sum(len(arm.diverged) for arms in of.arms for arm in arms)
    stuck = [sum(_stuck(arms[side]) for arms in of.arms) for side in (0, 1)]
    statement.row |= {"diverged": diverged, "stuck_a": stuck[0], "stuck_b": stuck[1]}
    if diverged:
        yield f"{diverged} diverged runs count with their last finite evaluation"
    if any(stuck):
        yield f"stuck: {stuck[0]} of {of.sides[0].initialisation}, {stuck[1]} of {of.sides[1].initialisation}"
    if bool(stuck[0]) != bool(stuck[1]) and len(shown) >= _FEWEST:
        from scipy.stats import trim_mean  # takes a second to import

        trimmed = float(trim_mean(shown, question.TRIM))
        trimmed = np.exp(trimmed) if statement.row["unit"] == "ratio of iterations" else trimmed
        statement.row["trimmed"] = trimmed
        yield f"one arm alone has stuck runs: the error rate is not guaranteed; trimmed mean {trimmed:.2f}"


def _stuck(arm: Trials) -> int:
    ends = arm.final(MIOU)
    return int((ends < ends.median() - question.STUCK).sum())


def _pretraining(of: Comparison, statement: _Statement, results: Results) -> pd.Series:
    """1 for the trials in which a pre-training failed; the row says in how many, and why."""
    lost, said, trials = set(), [], statement.row["trials"]
    for failures, arm in zip(failed(of, results), of.arms[0], strict=True):
        hit = arm.pretraining[arm.pretraining.isin(list(failures))]
        lost |= set(hit.index)
        said += [failures[draw] for draw in dict.fromkeys(hit)]
    statement.row["failed"] = len(lost)
    if lost:
        statement.notes.append(f"pre-training failed in {len(lost)} of {trials} trials: {_joined(said)}")
    return pd.Series(1.0, sorted(lost))


def _judge_primary(statements: list[_Statement]) -> None:
    """The verdicts of the fourteen claims, from both families."""
    equal = np.array([one.part.expected == "equal" for one in statements])
    margin = np.array([one.margin for one in statements])
    longest = max((len(one.values) for one in statements), default=0)
    values = np.full((max(longest, 1), len(statements)), np.nan)
    for k, one in enumerate(statements):
        values[: len(one.values), k] = one.values
    tested = np.array([[one.tested(n) for one in statements] for n in LOOKS])
    for one, apart, near in zip(statements, *decided(values, equal, margin, tested), strict=True):
        _p_values(one)
        if not one.judged:
            continue
        if not one.tested(look(len(one.values))[0]):
            if not apart and not near:
                one.row["verdict"] = NOT_TESTED
                continue
            one.notes.append("decided before the pre-training failed in half of the trials")
        word, i = UNDECIDED, Interval(*(one.row[name] for name in ("effect", "low", "high")), one.row["repetitions"])
        claims_none = one.part.expected == "equal"
        if apart:
            agrees = not claims_none and np.sign(one.values[:apart].mean()) == one.sign
            word = AGREES if agrees else DISAGREES
        elif near:
            word = AGREES if claims_none else EQUAL
        if word == UNDECIDED:
            one.row["verdict"] = _undecided(one)
            if _excludes(one):
                one.notes.append(
                    "the interval excludes no difference; corrected for fourteen claims that is not enough"
                )
            continue
        within = f", but within {one.within(one.margin)}" if apart and near else ""
        one.row["verdict"] = (_WEAKER[word] if one.shared else word) + within
        at = apart or near
        one.notes.append(f"decided at {at} repetitions")
        if apart and not claims_none and not _excludes(one) and i.trials > at:
            one.notes.append(f"the interval of all {i.trials} no longer excludes no difference")


def _judge_secondary(statements: list[_Statement]) -> None:
    """The verdicts of the other statements, by the false discovery rate at the newest look of each."""
    for one in statements:
        _p_values(one)
    equal = [one for one in statements if one.part.expected == "equal"]
    apart = found((one.row["p"] for one in statements), question.Q)
    near = dict(zip(map(id, equal), found((one.row["p_equal"] for one in equal), question.Q), strict=True))
    for one, differs in zip(statements, apart, strict=True):
        if not one.tested(look(len(one.values))[0]):
            one.row["verdict"] = NOT_TESTED if one.judged else one.row["verdict"]
            continue
        if differs:
            side = np.sign(one.values[: look(len(one.values))[0]].mean())
            one.row["verdict"] = FOR if side == one.sign and one not in equal else AGAINST
        else:
            one.row["verdict"] = FOR if near.get(id(one)) else _undecided(one)


def _p_values(one: _Statement) -> None:
    """Both p's of the newest look; 1 where there is none."""
    count = min(look(len(one.values))[0], LOOKS[-1])
    p = (1.0, 1.0)
    if one.tested(count) and count >= _FEWEST:
        p = p_values(one.values[:count, None], np.array([one.part.expected == "equal"]), np.array([one.margin]))[:, 0]
    one.row |= {"p": float(p[0]), "p_equal": float(p[1])}


def _undecided(one: _Statement) -> str:
    low, high = one.row["low"], one.row["high"]
    if np.isnan(low) or len(one.values) < _FEWEST:
        return UNDECIDED
    ratio = one.row["unit"] == "ratio of iterations"
    return f"{UNDECIDED}, within {one.within((np.log(high / low) if ratio else high - low) / 2)}"


def _excludes(one: _Statement) -> bool:
    """Whether the interval excludes the reference; of a claim of equality, wholly lies beyond the margin."""
    low, high = (one.row[name] for name in ("low", "high"))
    beyond = one.margin if one.part.expected == "equal" else 0.0
    return len(one.values) >= _FEWEST and bool(low > one.part.reference + beyond or high < one.part.reference - beyond)


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


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
