"""The ledger on planted results: it agrees with what is there, never with the reverse, and says what it rests on."""

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, t

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.claims import ledger as claims_ledger
from depthseg_lib.analysis.claims import question
from depthseg_lib.analysis.claims.claims import PARTS, claim_of
from depthseg_lib.analysis.claims.comparisons import STAND_INS
from depthseg_lib.analysis.claims.effects import exact_interval
from depthseg_lib.analysis.results import Results
from depthseg_lib.data.labels import KITTI, NYU13
from depthseg_lib.errors import InputError
from depthseg_lib.models.published import Published
from depthseg_lib.settings import FROM_LARGE
from depthseg_lib.study import plan
from depthseg_lib.study.profiles import PROFILES

ENCODER = "resnet18-slim"
TRIALS = 4
SPREAD = 0.03
"""How far one trial lies above the one before, under every initialisation alike: more than any planted effect."""
JITTER = (0.0, 0.0004, -0.0004, 0.0002)
ITERATIONS = 40_000
"""Longer than any of the paper's trainings took to diverge."""
COURSE = np.linspace(0, 1, 21)
"""When a run is evaluated, as shares of its iterations."""
DIVERGED_AT = 0.3
"""Where a run that diverges does."""

PAPER = {  # (initialisation, setting, experiment, images): final mIoU of trial 0
    ("none", "full", "main", 16): 0.40,
    ("imagenet", "full", "main", 16): 0.42,
    ("depth", "full", "main", 16): 0.46,
    ("depth-imagenet", "full", "main", 16): 0.48,
    ("flow", "full", "main", 16): 0.37,
    ("depth-supervised", "full", "main", 16): 0.46,
    ("depth", "encoder-only", "main", 16): 0.44,
    ("none", "frozen", "main", 16): 0.38,
    ("imagenet", "frozen", "main", 16): 0.35,
    ("depth", "frozen", "main", 16): 0.41,
    ("imagenet", "deeplab", "main", 16): 0.41,
    ("depth", "deeplab", "main", 16): 0.41,
    ("depth-imagenet", "deeplab", "main", 16): 0.44,
    ("none", "full", "main", 128): 0.50,
    ("imagenet", "full", "main", 128): 0.50,
    ("depth", "full", "main", 128): 0.50,
    ("depth-imagenet", "full", "main", 128): 0.53,
    ("depth", "full", "large-to-small", 16): 0.45,
    ("depth", "full", "small-to-large", 16): 0.45,
    ("none", "full", "high", 16): 0.40,
    ("imagenet", "full", "high", 16): 0.42,
    ("depth", "full", "high", 16): 0.46,
    ("depth-imagenet", "full", "high", 16): 0.48,
    ("imagenet", "deeplab", "high", 16): 0.41,
    ("depth", "deeplab", "high", 16): 0.44,
    ("none", "full", "whole", 200): 0.40,
    ("imagenet", "full", "whole", 200): 0.42,
    ("depth", "full", "whole", 200): 0.46,
}
"""An order in which all fourteen claims hold."""
REVERSED = {run: 0.88 - score for run, score in PAPER.items()} | {
    ("imagenet", "deeplab", "main", 16): 0.50,
    ("none", "full", "main", 128): 0.40,
    ("imagenet", "full", "main", 128): 0.43,
    ("depth", "full", "main", 128): 0.37,
    ("depth-imagenet", "full", "main", 128): 0.35,
}
"""The opposite order, in which none of their parts does; what was about equal differs by three points."""
DIVERGES = {("depth", "full", "small-to-large", 16), ("none", "full", "whole", 200)}


def stand_in(scores: dict) -> dict:
    """The same scores with the embedded world's initialisations in the place of ImageNet's."""
    return {(run[0].replace("imagenet", "classification"), *run[1:]): score for run, score in scores.items()}


def results(scores: dict, diverges=(), **others) -> Results:
    """Tidy results with these final scores; depth arrives in a quarter of the time, reversed in four times."""
    held = _results(tuple(scores.items()), frozenset(diverges), **others)
    return replace(held, metrics=held.metrics.copy())


@cache
def _results(
    scores: tuple, diverges: frozenset, reverse=False, trials=TRIALS, noise=0.0, encoder=ENCODER, iterations=ITERATIONS
) -> Results:
    runs = [
        _run(run, score, trial, run in diverges, reverse, noise, encoder, iterations)
        for run, score in scores
        for trial in range(trials)
    ]
    metrics, history = pd.DataFrame([run.metrics for run in runs]), pd.concat([run.history for run in runs])
    empty = pd.DataFrame({"truth": [], "count": []})
    known = dict(profile="laptop", source="planted", of_this_machine=False, data_set="streets", label_set=KITTI)
    return Results(**known, metrics=metrics, history=history, confusion=empty, pretrain=empty,
                   pretrain_history=empty, examples=None,
                   depth_examples={}, flow_examples={}, plan={"runs": []})  # fmt: skip


def _run(run: tuple, score: float, trial: int, diverges: bool, reverse: bool, noise: float, encoder: str, length: int):
    initialisation, setting, experiment, images = run
    names = ("encoder", "initialisation", "setting", "experiment", "images", "trial")
    identity = dict(zip(names, (encoder, initialisation, setting, experiment, images, trial), strict=True))
    identity["name"] = "-".join(map(str, identity.values()))
    identity["pretraining"] = -1 if initialisation == "none" else trial
    seed = np.random.default_rng([*identity["name"].encode()])
    final = score + SPREAD * trial + JITTER[trial % len(JITTER)] * (len(initialisation) % 5) + seed.normal(0, noise)
    quick = initialisation.startswith("depth") and "imagenet" not in initialisation
    history = pd.DataFrame(identity | {"iteration": COURSE * length, "miou_seven": final * _rise(quick != reverse)})
    better = 0.04 * quick * (-1 if reverse else 1) + seed.normal(0, noise) * (initialisation != "none")
    history["miou_occurring"] = history["miou_seven"] * 0.5
    history["accuracy"] = 0.3 + history["miou_seven"] + better
    history["nll"] = 2 - history["miou_seven"]
    last = {"miou_seven": final, "accuracy": 0.3 + final, "nll": 2 - final, "diverged_at": np.nan}
    if diverges:
        last = dict.fromkeys(last, np.nan) | {"diverged_at": DIVERGED_AT * length}
        history = history[COURSE < DIVERGED_AT]
    return SimpleNamespace(metrics=identity | last | {"commit": "0123abc", "device": "CPU"}, history=history)


def _rise(quick: bool) -> np.ndarray:
    """Linear up to the end, or four times as fast and then level."""
    return np.minimum(1, COURSE * (4 if quick else 1))


@pytest.fixture(scope="module")
def agreeing():
    return claims_ledger.ledger(results(stand_in(PAPER), DIVERGES))


@pytest.fixture(scope="module")
def opposite():
    return claims_ledger.ledger(results(stand_in(REVERSED), reverse=True))


def words(ledger, part) -> set:
    """The verdicts on a statement, up to their commas."""
    rows = ledger[(ledger["id"] == part) & ~ledger["metric"].eq("accuracy")]
    assert len(rows)
    return {verdict.partition(",")[0] for verdict in rows["verdict"]}


def gap(ledger, part, metric="miou_seven"):
    return ledger[(ledger["id"] == part) & (ledger["metric"] == metric)].iloc[0]


def test_each_of_fourteen_claims_has_one_primary_contrast(agreeing):
    assert [part.id for part in question.PRIMARY] == [f"C{number}" for number in range(1, 15)]
    assert agreeing.loc[agreeing["primary"], "id"].tolist() == [part.id for part in question.PRIMARY]
    assert {claim_of(part.id) for part in PARTS} == {part.id for part in question.PRIMARY}
    assert len({part.id for part in PARTS}) == len(PARTS)


@pytest.mark.parametrize("part", [part.id for part in PARTS])
def test_what_the_paper_found_agrees_and_the_reverse_never_does(agreeing, opposite, part):
    expected = ("agrees", "disagrees") if claim_of(part) == part else ("indicates for", "indicates against")
    assert (words(agreeing, part), words(opposite, part)) == tuple({word} for word in expected)


def test_noise_is_undecided():
    level = {run: 0.4 for run in stand_in(PAPER)}
    noisy = claims_ledger.ledger(results(level, noise=0.05, trials=8))
    rows = noisy[noisy["unit"] != "% of trials"]
    assert ((rows["low"] <= rows["effect"]) & (rows["effect"] <= rows["high"])).all()
    null = rows[rows["primary"] & ~rows["id"].isin(["C5", "C10"])]  # depth is planted as sooner, and more accurate
    assert null["verdict"].str.startswith("undecided, within").all() and len(null) == 12


def test_a_claims_verdict_is_that_of_its_contrast_alone(agreeing):
    scores = stand_in(PAPER) | {("classification", "frozen", "main", 16): 0.41}
    ledger = claims_ledger.ledger(results(scores, DIVERGES))
    assert words(ledger, "C4") == {"agrees"} and words(ledger, "C4a") == {"indicates against"}
    table = claims_ledger.summary(ledger)
    assert len(table) == 14 and table.loc["C4", ENCODER] == "agrees"
    assert table.loc["C4", "claim"] == "With the encoder frozen, depth beats random weights"


def test_effects_are_the_planted_ones(agreeing, opposite):
    assert gap(agreeing, "C1").effect == pytest.approx(4, abs=0.1) and gap(agreeing, "C1").trials == 4
    assert gap(opposite, "C1").effect == pytest.approx(-4, abs=0.1)
    assert (
        gap(agreeing, "C5a").effect == pytest.approx(0.25, rel=0.15)
        and gap(opposite, "C5a").effect > 2.5
        and gap(agreeing, "C5").effect < 0.3
    )
    assert gap(agreeing, "C10", "miou_occurring").effect == pytest.approx(4, abs=0.05)
    assert gap(opposite, "C10", "miou_occurring").effect == pytest.approx(-4, abs=0.05)
    assert gap(agreeing, "C12c").effect == 100 and gap(opposite, "C12c").effect == 0
    assert gap(agreeing, "C6").effect == pytest.approx((6 + 3) / 2, abs=0.1)  # the mean over 16 and 128 images
    assert gap(agreeing, "C14", "nll").effect == pytest.approx(-0.06, abs=1e-3)
    assert list(agreeing.loc[agreeing["id"] == "C6a", "images"]) == [16, 128]
    units = dict(zip(agreeing["id"], agreeing["unit"], strict=True))
    assert (units["C5"], units["C10"], units["C14"]) == ("ratio of iterations", "accuracy points", "nats per pixel")


def test_pairing_by_trial_finds_what_the_spread_hides(agreeing):
    """Trials lie three points apart and the effect is 4: unpaired, four trials would not decide."""
    values = results(stand_in(PAPER)).metrics
    of = {n: values[(values["setting"] == "full") & (values["experiment"] == "main") & (values["images"] == 16)
                    & (values["initialisation"] == n)]["miou_seven"] for n in ("depth", "classification")}  # fmt: skip
    error = np.sqrt(sum(v.var(ddof=1) / len(v) for v in of.values()))
    assert 100 * 2.45 * error > 4  # Welch's interval would hold zero
    assert gap(agreeing, "C1").low > 3


def test_what_was_not_run_is_not_run():
    some = {run: score for run, score in stand_in(PAPER).items() if run[0] in ("none", "classification")}
    ledger = claims_ledger.ledger(results({run: score for run, score in some.items() if run[3] == 16}))
    assert gap(ledger, "C1").verdict == "not run" and gap(ledger, "C1").note == "not run: depth, full"
    assert gap(ledger, "C1").trials == 0 and np.isnan(gap(ledger, "C1").effect)
    assert gap(ledger, "C6a").note == "not run: a second training-set size"
    assert gap(ledger, "C12c").note == "not run: none, full, whole" and pd.isna(gap(ledger, "C12c").images)
    assert gap(ledger, "C13a").verdict == "indicates for" and gap(ledger, "C13").verdict == "not run"
    assert gap(ledger, "C6").note == "not run: a second training-set size"
    assert gap(ledger, "C3").note == "not run: depth-classification, full"
    assert gap(ledger, "C9a").note == "not run: depth-classification, deeplab"


def diverge(held: Results, run: str, at: float, trials="0123") -> None:
    """Have trials of planted results diverge: their last evaluation is before `at`, a share of their iterations."""
    for table in (held.metrics, held.history):
        of = table["name"].str.contains(f"-{run}-[{trials}]$")
        assert of.any()
        if table is held.metrics:
            table.loc[of, ["miou_seven", "accuracy", "nll"]] = np.nan
            table.loc[of, "diverged_at"] = at * ITERATIONS
        else:
            table.loc[of & (table["iteration"] >= at * ITERATIONS), ["miou_seven", "miou_occurring", "nll"]] = np.nan


def test_a_diverged_run_counts_with_its_last_finite_evaluation():
    held = results(stand_in(PAPER), DIVERGES)
    diverge(held, "classification-full-main-16", 0.5, "0")
    row = gap(claims_ledger.ledger(held), "C1")
    first = float(row.differences.split()[0])
    assert first == pytest.approx(46 - 0.45 * 42, abs=0.2) and (row.trials, row.diverged) == (4, 1)
    assert "1 diverged runs count with their last finite evaluation" in row.note
    assert (row.stuck_a, row.stuck_b) == (0, 1) and "the error rate is not guaranteed" in row.note
    assert row.trimmed == pytest.approx(4, abs=0.2) and row.verdict.startswith("undecided")


def test_an_arm_of_which_every_trial_diverged_is_compared_all_the_same():
    held = results(stand_in(PAPER), DIVERGES)
    diverge(held, "classification-full-main-16", 0.5)
    row = gap(claims_ledger.ledger(held), "C1")
    assert (row.verdict, row.trials, row.diverged) == ("agrees", 4, 4)
    assert row.effect == pytest.approx(46 + 4.5 - 0.45 * (42 + 4.5), abs=0.2)
    diverge(held, "classification-full-main-16", 0)  # not even an evaluation before training
    row = gap(claims_ledger.ledger(held), "C1")
    assert (row.verdict, row.trials) == ("undecided", 0) and np.isnan(row.effect)
    assert "trials 0, 1, 2, 3 without a value: no look that includes them decides" in row.note


STARTED = {"C11b": ("depth", "full", "small-to-large", 16), "C12c": ("none", "full", "whole", 200)}
"""What the paper says diverges, by part."""


def partly_diverged(part: str, count: int, iterations: int, trials: int = 4):
    """The part's row where the first `count` trials of its runs diverged."""
    scores = {STARTED[part]: stand_in(PAPER)[STARTED[part]]}  # the others are not asked
    held = results(scores, iterations=iterations, trials=trials)
    of = held.metrics["name"].str.contains("-".join(map(str, STARTED[part]))) & (held.metrics["trial"] < count)
    held.metrics.loc[of, "diverged_at"] = 100.0
    return gap(claims_ledger.ledger(held), part)


@pytest.mark.parametrize("part", STARTED)
@pytest.mark.parametrize("iterations", [350, 40_000])
@pytest.mark.parametrize(("count", "verdict"), [(4, "indicates for"), (2, "indicates for"), (1, "undecided")])
def test_several_diverged_trials_speak_for_it_and_one_decides_nothing(part, iterations, count, verdict):
    row = partly_diverged(part, count, iterations)
    assert (row.verdict, row.effect, row.note) == (verdict, 25 * count, f"{count} of 4 trials diverged")


@pytest.mark.parametrize(("part", "onset"), [("C11b", "20,000"), ("C12c", "30,000")])
def test_short_runs_do_not_refute_what_the_paper_saw_later(part, onset):
    row = partly_diverged(part, 0, 350)
    assert row.verdict == "undecided" and row.effect == 0 and not row.primary
    assert row.note == f"0 of 4 trials diverged; 350 iterations are too few to refute it: the paper has {onset}"
    row = partly_diverged(part, 0, int(onset.replace(",", "")))
    assert (row.verdict, row.note) == ("indicates against", "0 of 4 trials diverged")
    row = partly_diverged(part, 3, 40_000, trials=3)
    assert (row.verdict, row.note) == ("undecided", "3 of 3 trials diverged; fewer than four trials")


def test_a_share_of_trials_has_its_exact_interval():
    for trials in (1, 3, 4, 9):
        for count in range(trials + 1):
            theirs = binomtest(count, trials).proportion_ci(method="exact")
            assert exact_interval(count, trials) == pytest.approx((theirs.low, theirs.high))
    row = partly_diverged("C12c", 0, 350, trials=3)
    assert (row.low, row.high) == pytest.approx((0, 70.76), abs=0.01)


def test_random_weights_are_compared_up_to_where_they_diverge(agreeing):
    row = gap(agreeing, "C12f")  # depth is level at 0.46, random weights have risen to a quarter of 0.40
    assert row.effect == pytest.approx(46 - 40 / 4 + 1.5 * 3 * 0.75, abs=0.1) and row.trials == 4
    assert row.note.startswith("4 trials compared where the other was last evaluated")
    ahead = claims_ledger.ledger(results(stand_in(REVERSED), {STARTED["C12c"]}, reverse=True))
    assert gap(ahead, "C12f").verdict == "indicates against"


@pytest.mark.parametrize("trials", [1, 3])
def test_fewer_than_four_trials_decide_nothing(trials):
    ledger = claims_ledger.ledger(results(stand_in(PAPER), trials=trials))
    assert set(ledger["verdict"]) == {"undecided"} and ledger["note"].str.contains("fewer than four trials").all()
    contrasts = ledger[ledger["unit"] != "% of trials"]
    assert contrasts["low"].isna().all() == (trials == 1) and (contrasts["level"] == 0.998).all()


@pytest.mark.parametrize(
    ("trials", "counted", "level", "note"),
    [
        (4, 4, 0.998, "decided at 4 repetitions"),
        (7, 4, 0.998, "7 repetitions: judged at 4, the next look is at 8"),
        (9, 8, 0.988, "9 repetitions: judged at 8, the next look is at 12"),
        (12, 12, 0.962, "decided at 4 repetitions"),
        (14, 14, 0.962, "beyond 12 repetitions the interval alone is new"),
    ],
)
def test_claims_are_judged_at_looks_alone(trials, counted, level, note):
    row = gap(claims_ledger.ledger(results(stand_in(PAPER), DIVERGES, trials=trials)), "C1")
    assert (row.verdict, row.repetitions, row.trials, row.level) == ("agrees", counted, trials, level)
    assert note in row.note and len(row.differences.split()) == trials


def test_what_was_decided_stays_decided_and_the_newest_interval_is_said_to_hold_no_more():
    held = results(stand_in(PAPER), DIVERGES, trials=8)
    late = held.metrics["name"].str.contains("-depth-full-main-16-[4567]$")
    held.metrics.loc[late, "miou_seven"] -= [0.03, 0.09, 0.04, 0.10]
    row = gap(claims_ledger.ledger(held), "C1")
    assert row.verdict == "agrees" and row.low < 0 < row.high
    assert "decided at 4 repetitions; the interval of all 8 no longer excludes no difference" in row.note


def test_a_trial_that_one_arm_lacks_is_in_no_look():
    held = results(stand_in(PAPER), DIVERGES, trials=8)
    gone = held.metrics["name"].str.contains("-depth-full-main-16-5$")
    ledger = claims_ledger.ledger(replace(held, metrics=held.metrics[~gone]))
    assert "trials 5 missing in depth: no look that includes them decides" in gap(ledger, "C1").note
    assert (gap(ledger, "C1").repetitions, gap(ledger, "C2").repetitions) == (4, 8)
    gone = held.metrics["name"].str.contains("-depth-full-main-16-1$")
    row = gap(claims_ledger.ledger(replace(held, metrics=held.metrics[~gone])), "C1")
    assert row.verdict == "undecided" and row.trials == 7 and row.p == 1


def shared(draws: list[int], trials: int) -> Results:
    """Planted results whose trials start from these draws of the pre-training."""
    held = results(stand_in(PAPER), DIVERGES, trials=trials)
    drawn = held.metrics["trial"].map(dict(enumerate(draws)))
    held.metrics["pretraining"] = drawn.where(held.metrics["initialisation"] != "none", -1)
    return held


def test_trials_of_one_pretraining_only_indicate():
    for held in (
        shared([0] * 4, 4),
        replace(one := shared([0] * 4, 4), metrics=one.metrics.drop(columns="pretraining")),
    ):
        ledger = claims_ledger.ledger(held)
        found = set(ledger.loc[ledger["primary"], "verdict"].str.partition(",")[0])
        assert found == {"indicates for"} and "the interval is of this pre-training" in gap(ledger, "C1").note
    ledger = claims_ledger.ledger(shared([0, 1, 2, 2, 1, 0, 1, 2], 8))
    assert gap(ledger, "C1").verdict == "indicates for" and "these 3 pre-trainings" in gap(ledger, "C1").note


def test_trials_that_share_four_pretrainings_are_averaged_within_them():
    held = shared([0, 1, 2, 3] * 2, 8)
    row = gap(claims_ledger.ledger(held), "C1")
    assert (row.verdict, row.repetitions, row.trials, row.level) == ("agrees", 4, 8, 0.998)
    each = np.array(row.differences.split(), float).reshape(2, 4).mean(0)
    width = t.ppf(0.999, 3) * each.std(ddof=1) / 2
    assert (row.low, row.high) == pytest.approx((each.mean() - width, each.mean() + width), abs=1e-3)
    assert "means within each of 4 pre-trainings, which 8 trials share" in row.note
    against = gap(claims_ledger.ledger(held), "C4")  # none has no pre-training to count
    assert against.repetitions == 4


def test_small_differences_are_equal_and_small_sure_ones_both():
    near = {("depth", "full", "main", 16): 0.42}
    row = gap(claims_ledger.ledger(results(stand_in(PAPER | near), DIVERGES, trials=8, noise=0.002)), "C1")
    assert row.verdict == "equal" and row.p > 0.05 > row.p_equal
    near = {("depth", "full", "main", 16): 0.43}
    row = gap(claims_ledger.ledger(results(stand_in(PAPER | near), DIVERGES, trials=8)), "C1")
    assert row.verdict == "agrees, but within 2 points"


def test_what_fails_in_half_of_its_pretrainings_is_not_tested():
    rows = [depth() | {"pretraining": k, "name": f"{ENCODER}-depth-p{k}", "learned": "yes"} for k in range(4)]
    for count, verdict in ((1, "agrees"), (2, "not tested")):
        said = [of | {"learned": "no", "learned_because": "Not learned."} for of in rows[:count]]
        held = replace(results(stand_in(PAPER), DIVERGES), pretrain=pd.DataFrame([*said, *rows[count:]]))
        row = gap(claims_ledger.ledger(held), "C1")
        assert (row.verdict, row.failed) == (verdict, count)
        assert f"pre-training failed in {count} of 4 trials: the depth network: Not learned." in row.note


def test_what_was_decided_stays_decided_when_later_pretrainings_fail():
    rows = [depth() | {"pretraining": k, "name": f"{ENCODER}-depth-p{k}", "learned": "no" if k > 3 else "yes",
                       "learned_because": "Not learned."} for k in range(8)]  # fmt: skip
    held = replace(results(stand_in(PAPER), DIVERGES, trials=8), pretrain=pd.DataFrame(rows))
    ledger = claims_ledger.ledger(held)
    assert gap(ledger, "C1").verdict == "agrees" and gap(ledger, "C1").p == 1
    assert "decided before the pre-training failed in half of the trials" in gap(ledger, "C1").note
    assert gap(ledger, "C14a", "nll").verdict == "not tested"  # secondary statements are judged at the newest look


def test_a_question_that_was_changed_is_refused(monkeypatch):
    before = question.digest()
    monkeypatch.setattr(question, "PRIMARY", (replace(question.PRIMARY[0], sentence="x"), *question.PRIMARY[1:]))
    assert question.digest() == before  # words may change
    monkeypatch.setattr(question, "LOOKS", (3, 8, 12))
    with pytest.raises(InputError, match=f"the question was changed: it is [0-9a-f]+ now, {before} was asked"):
        claims_ledger.ledger(results(stand_in(PAPER)))


def test_imagenets_own_runs_go_before_their_stand_ins():
    both = stand_in(REVERSED) | PAPER
    row = gap(claims_ledger.ledger(results(both)), "C1")
    assert row.compared == "depth − imagenet, full" and row.stand_in == "" and row.verdict == "agrees"
    row = gap(claims_ledger.ledger(results(stand_in(PAPER))), "C2")
    assert row.compared == "depth-classification − classification, full"
    assert row.stand_in == "depth-classification for depth-imagenet, classification for imagenet"
    partly = {run: score for run, score in both.items() if run[:2] != ("imagenet", "deeplab")}
    row = gap(claims_ledger.ledger(results(partly)), "C3")  # one side alone from ImageNet would mix two pre-trainings
    assert row.compared == "depth-classification, full − classification, deeplab"


def test_two_runs_of_the_same_trial_are_refused():
    held = results(stand_in(PAPER))
    twice = held.metrics["name"].str.contains("-depth-full-main-16-[01]")
    held.metrics.loc[twice, "trial"] = 0
    with pytest.raises(InputError, match="several runs are trial 0 of resnet18-slim, depth, full, main, 16"):
        claims_ledger.ledger(held)


def test_the_text_has_every_claim_and_every_row(agreeing):
    text = claims_ledger.markdown(agreeing, "footer line")
    lines = [line for line in text.splitlines() if line.startswith(("| C", "| **C"))]
    assert len(lines) == 14 + len(agreeing) and text.endswith("footer line\n")
    (row,) = [line for line in lines if line.startswith("| C5a ")]
    assert "| < 1/3 | ratio of iterations | 0.33 (resnet18) |" in row and "| 99.8 % | 4 | indicates for |" in row
    assert len([line for line in lines if line.startswith("| **C") and "| **agrees" in line]) == 14
    assert f"The question has the hash {question.ASKED}." in text


def published(encoder: str):
    return claims_ledger.ledger(results(stand_in(PAPER), DIVERGES, encoder=encoder))


def test_the_papers_effects_are_those_of_its_tables():
    eighteen, fifty = published("resnet18"), published("resnet50")
    both = {part: (gap(eighteen, part).paper, gap(fifty, part).paper) for part in (of.id for of in PARTS) if part not in
            ("C10", "C10a", "C14", "C14a")}  # fmt: skip
    for part, expected in {
        "C1": (0.85, 5.25), "C2": (5.05, 6.27), "C3": (7.53, 7.53), "C4": (1.78, 8.07), "C4a": (-7.91, -5.69),
        "C7": (1.54, 2.34), "C7a": (3.51, 3.93), "C9": (0.04, 0.04), "C9a": (0.38, 0.38), "C11a": (3.39, 3.39),
        "C11": (7.19, 7.19), "C5": (1 / 3, 1 / 3),
    }.items():  # fmt: skip
        assert both[part] == pytest.approx(expected, abs=0.005), part
    assert (gap(eighteen, "C2", "accuracy").paper, gap(fifty, "C3", "accuracy").paper) == pytest.approx((4.00, 4.68))
    assert gap(eighteen, "C3").paper_encoder == "resnet50" and gap(fifty, "C11a").paper_encoder == "resnet18"
    assert all(np.isnan(both[part]).all() for part in ("C6b", "C8", "C11b", "C12", "C12d", "C12f", "C13", "C13a"))
    sizes = eighteen[eighteen["id"] == "C6a"].set_index("images")["paper"]
    assert sizes[16] == pytest.approx(5.05) and np.isnan(sizes[128])
    assert gap(published("resnet18-slim"), "C1").paper_encoder == "resnet18"


def test_a_replication_of_the_papers_own_numbers_agrees():
    rows = paper.published().query("encoder == 'resnet50'")
    scores = {(r.initialisation, r.setting, r.experiment, 16): r.miou_seven for r in rows.itertuples()}
    ledger = claims_ledger.ledger(results(scores, encoder="resnet50"))
    for part in ("C1", "C2", "C3", "C4", "C4a", "C7", "C9", "C9a"):
        assert words(ledger, part) <= {"agrees", "indicates for"}, part


def test_tables_of_the_paper():
    table = paper.table2()
    assert len(table) == 8
    row = table.query("setting == 'encoder-only' and encoder == 'resnet18'").iloc[0]
    assert (row["miou_seven"], row["accuracy"]) == pytest.approx((0.4669, 0.7504))


@pytest.mark.parametrize(
    ("profile", "imagenet", "lacks"),
    [
        ("laptop", False, {"C12a"}),  # its hour is full
        ("gpu", False, set()),
        ("gpu", True, set()),
        ("kitti", True, {"C13", "C13b", "C13c"}),  # no depth camera
    ],
)
def test_the_profiles_have_the_runs_of_every_part(profile, imagenet, lacks, monkeypatch):
    monkeypatch.setattr(plan, "_published", lambda *_: "of published weights")
    planned = plan.plan(profile, published=Published({"imagenet": "weights"}) if imagenet else plan.NONE).runs
    found = [run.parameters for run in planned if run.kind == "finetune"]
    names = {} if imagenet else STAND_INS
    for encoder in {run["encoder"] for run in found}:
        there = {(r["initialisation"], r["setting"], r["experiment"]) for r in found if r["encoder"] == encoder}
        missing = set()
        for part in PARTS:
            sides = {(names.get(s.initialisation, s.initialisation), s.setting, s.experiment) for s in (part.a, part.b)}
            missing |= set() if sides <= there else {part.id}
        assert missing == lacks


def said(*rows: dict) -> dict[str, str]:
    """The notes by part, where these pre-training runs are known."""
    named = [row | {"name": f"{ENCODER}-{row['name']}"} for row in rows]
    held = replace(shared([0] * 4, 4), pretrain=pd.DataFrame(named))
    return claims_ledger.ledger(held).drop_duplicates("id").set_index("id")["note"]


def flow(epe, mean):
    return {"name": "flow", "iteration": 500, "epe": epe, "epe_mean_map": mean}


def depth(abs_rel=0.33, mean=0.48, name="depth", iterations=900):
    return {"name": name, "iteration": iterations, "abs_rel": abs_rel, "abs_rel_mean_map": mean}


@pytest.mark.parametrize(
    ("epe", "mean", "note"),
    [
        (1.91, 1.93, "the flow network is hardly better than the mean flow (1.91 against 1.93 px)"),
        (2.0, 1.93, "the flow network is no better than the mean flow (2.00 against 1.93 px)"),
        (1.8, 1.93, ""),
        (np.nan, np.nan, ""),
    ],
)
def test_flow_that_learned_little_of_its_images_is_said(epe, mean, note):
    notes = said(flow(epe, mean), depth())
    assert ("pre-training failed in 4 of 4 trials: " in notes["C8"]) == bool(note)
    assert note in notes["C8"] and "flow" not in notes["C1"]


def test_depth_that_learned_little_of_its_images_is_said_where_it_is_compared():
    notes = said(depth(0.49), depth(0.3, name="depth-large"), depth(0.47, name="depth-supervised"))
    assert "the depth network is no better than the mean depth map (0.49 against 0.48)" in notes["C1"]
    assert "the depth-supervised network is hardly better than the mean depth map" in notes["C13"]
    assert not any("better than" in notes[part] for part in ("C4a", "C12", "C11a"))
    notes = said(depth(), depth(0.6, name="depth-large"))
    assert "better than" not in notes["C1"] and "the depth network of the large size is no better than" in notes["C12"]


def test_depth_that_was_learned_for_another_time_at_the_large_size_is_said():
    text = "depth at the large size had 360 steps, at the small one 900"
    notes = said(depth(), depth(name="depth-large", iterations=360))
    assert all(text in notes[part] for part in ("C11a", "C11", "C12", "C12b", "C12d", "C12e"))
    assert not any(text in notes[part] for part in ("C1", "C11b", "C12c"))
    assert not any("steps" in note for note in said(depth(), depth(name="depth-large")))
    assert not any("steps" in note for note in said(depth(name="depth-large", iterations=360)))
    assert set(FROM_LARGE) == {
        part.experiment for of in PROFILES.values() for part in of.parts if part.pretrained_large
    }


def test_the_two_architectures_of_claim_3_are_said_to_share_batches_alone():
    notes = said(depth())
    assert "two architectures: the trials share the order of batches, not the fresh layers" in notes["C3"]
    assert not any("architectures" in notes[part] for part in ("C1", "C7", "C9", "C12d"))


def test_what_stands_for_the_papers_data_is_said():
    held = results(stand_in(PAPER), DIVERGES)
    ledger = claims_ledger.ledger(held)
    indoors = ledger["id"].str.startswith("C13")
    place = "embedded street world for NYU-V2"
    assert ledger.loc[indoors, "stand_in"].str.endswith(place).all()
    assert ledger.loc[indoors, "note"].str.contains(f"stand-in: {place}").all()
    assert not ledger.loc[~indoors, "stand_in"].str.contains("NYU").any()
    nyu = claims_ledger.ledger(replace(held, data_set="nyu", label_set=NYU13))
    assert not nyu["stand_in"].str.contains("NYU").any() and not nyu["note"].str.contains("NYU").any()


def test_figure_8_has_its_part_with_the_accuracy_beside():
    rows = claims_ledger.ledger(results(stand_in(PAPER), DIVERGES)).query("id == 'C12d'").set_index("metric")
    assert not rows["primary"].any() and list(rows.index) == ["miou_seven", "accuracy"]
    assert rows["compared"].iloc[0] == "depth − classification, deeplab, high" and "Figure 8" in rows["note"].iloc[0]
    assert rows["effect"].tolist() == pytest.approx([3, 3], abs=0.3)


@pytest.mark.parametrize(("order", "verdict"), [((0.3, 0.4, 0.5), "agrees"), ((0.5, 0.4, 0.3), "disagrees")])
def test_claim_13_is_decided_by_its_results(order, verdict):
    starts = ("none", "imagenet", "depth-supervised")
    scores = {(start, "full", "main", 795): score for start, score in zip(starts, order, strict=True)}
    planted = results(scores, reverse=verdict == "disagrees", encoder="resnet50")
    found = replace(planted, data_set="nyu", label_set=NYU13, confusion=planted.metrics)
    ledger = claims_ledger.ledger(found)
    of = ledger[ledger["id"].str.startswith("C13")]
    beside = "indicates for" if verdict == "agrees" else "indicates against"
    assert of["verdict"].tolist() == [verdict, *[beside] * 3] and (of["stand_in"] == "").all()
    others = ledger[~ledger["id"].str.startswith("C13")]
    assert set(others["verdict"]) == {claims_ledger.NOT_RUN}
    assert set(found.main.metrics["initialisation"]) == set(starts)
