"""The ledger on planted results: it agrees with what is there, never with the reverse, and says what it rests on."""

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from depthseg_lib.analysis import paper
from depthseg_lib.analysis.claims import ledger as claims_ledger
from depthseg_lib.analysis.claims.claims import CLAIMS, claim_of
from depthseg_lib.analysis.claims.comparisons import STAND_INS
from depthseg_lib.analysis.claims.effects import exact_interval
from depthseg_lib.analysis.results import Results
from depthseg_lib.analysis.statistics import Interval
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
    return Results(**known, metrics=metrics, history=history, confusion=empty, pretrain=empty, examples=None,
                   depth_examples={}, flow_examples={}, plan={"runs": []})  # fmt: skip


def _run(run: tuple, score: float, trial: int, diverges: bool, reverse: bool, noise: float, encoder: str, length: int):
    initialisation, setting, experiment, images = run
    names = ("encoder", "initialisation", "setting", "experiment", "images", "trial")
    identity = dict(zip(names, (encoder, initialisation, setting, experiment, images, trial), strict=True))
    identity["name"] = "-".join(map(str, identity.values()))
    seed = np.random.default_rng([*identity["name"].encode()])
    final = score + SPREAD * trial + JITTER[trial % len(JITTER)] * (len(initialisation) % 5) + seed.normal(0, noise)
    quick = initialisation.startswith("depth") and "imagenet" not in initialisation
    history = pd.DataFrame(identity | {"iteration": COURSE * length, "miou_seven": final * _rise(quick != reverse)})
    better = 0.04 * quick * (-1 if reverse else 1) + seed.normal(0, noise) * (initialisation != "none")
    history["miou_occurring"] = history["miou_seven"] * 0.5
    history["accuracy"] = 0.3 + history["miou_seven"] + better
    last = {"miou_seven": final, "accuracy": 0.3 + final, "nll": 2 - final, "diverged_at": np.nan}
    if diverges:
        last = dict.fromkeys(last, np.nan) | {"diverged_at": DIVERGED_AT * length}
        history = history[COURSE < DIVERGED_AT]
    return SimpleNamespace(metrics=identity | last | {"commit": "0123abc", "device": "CPU"}, history=history)


def _rise(quick: bool) -> np.ndarray:
    """Linear up to the end, or four times as fast and then level."""
    return np.minimum(1, COURSE * (4 if quick else 1))


PARTS = [part.id for claim in CLAIMS for part in claim.parts]


@pytest.fixture(scope="module")
def agreeing():
    return claims_ledger.ledger(results(stand_in(PAPER), DIVERGES))


@pytest.fixture(scope="module")
def opposite():
    return claims_ledger.ledger(results(stand_in(REVERSED), reverse=True))


@pytest.fixture(scope="module")
def noisy():
    level = {run: 0.4 for run in stand_in(PAPER)}
    return claims_ledger.ledger(results(level, noise=0.05, trials=3))


def verdicts(ledger, part) -> set:
    rows = ledger[(ledger["id"] == part) & ledger["decides"]]
    assert len(rows)
    return set(rows["verdict"])


def gap(ledger, part, metric="miou_seven"):
    return ledger[(ledger["id"] == part) & (ledger["metric"] == metric)].iloc[0]


def test_there_are_fourteen_claims():
    assert [claim.id for claim in CLAIMS] == [f"C{number}" for number in range(1, 15)]
    assert all(claim_of(part.id) == claim.id for claim in CLAIMS for part in claim.parts)


@pytest.mark.parametrize("part", PARTS)
def test_what_the_paper_found_agrees_and_the_reverse_never_does(agreeing, opposite, part):
    assert verdicts(agreeing, part) == {"agrees"} and verdicts(opposite, part) == {"disagrees"}


@pytest.mark.parametrize("part", [name for name in PARTS if name not in ("C11c", "C12d")])
def test_noise_is_undecided(noisy, part):
    """Independent noise of five points: most intervals of three trials hold the reference, few at most do not."""
    rows = noisy[noisy["id"] == part]
    inside = (rows["low"] <= rows["effect"]) & (rows["effect"] <= rows["high"])
    assert inside.all() and set(rows["trials"]) == {3}
    references = {part.id: part.reference for claim in CLAIMS for part in claim.parts}
    holds = (rows["low"] < references[part]) & (rows["high"] > references[part])
    assert set(rows.loc[holds, "verdict"]) <= {"undecided"}
    assert (noisy["verdict"] == "undecided").mean() > 0.7


def test_claims_have_the_worst_verdict_of_their_parts(agreeing):
    assert set(agreeing["overall"]) == {"agrees"}
    scores = stand_in(PAPER) | {("classification", "frozen", "main", 16): 0.41}
    ledger = claims_ledger.ledger(results(scores, DIVERGES))
    assert verdicts(ledger, "C4a") == {"agrees"} and verdicts(ledger, "C4b") == {"disagrees"}
    assert set(ledger.loc[ledger["id"].isin(["C4a", "C4b"]), "overall"]) == {"disagrees"}
    table = claims_ledger.summary(ledger)
    assert len(table) == 14 and table.loc["C4", ENCODER] == "disagrees" and table.loc["C1", ENCODER] == "agrees"


def test_effects_are_the_planted_ones(agreeing, opposite):
    assert gap(agreeing, "C1").effect == pytest.approx(4, abs=0.1) and gap(agreeing, "C1").trials == 4
    assert gap(opposite, "C1").effect == pytest.approx(-4, abs=0.1)
    assert gap(agreeing, "C5a").effect == pytest.approx(0.25, rel=0.15) and gap(opposite, "C5a").effect > 2.5
    assert gap(agreeing, "C10a", "miou_occurring").effect == pytest.approx(4, abs=0.05)
    assert gap(opposite, "C10a", "miou_occurring").effect == pytest.approx(-4, abs=0.05)
    assert gap(agreeing, "C12d").effect == 100 and gap(opposite, "C12d").effect == 0
    assert gap(agreeing, "C14a", "nll").effect == pytest.approx(-0.06, abs=1e-3)
    assert list(agreeing.loc[agreeing["id"] == "C6a", "images"]) == [16, 128]
    units = dict(zip(agreeing["id"], agreeing["unit"], strict=True))
    assert (units["C5a"], units["C10a"], units["C14a"]) == ("ratio of iterations", "accuracy points", "nats per pixel")


def test_pairing_by_trial_finds_what_the_spread_hides(agreeing):
    """Trials lie three points apart and the effect is 4: unpaired, four trials would not decide."""
    values = results(stand_in(PAPER)).metrics
    of = {n: values[(values["setting"] == "full") & (values["experiment"] == "main") & (values["images"] == 16)
                    & (values["initialisation"] == n)]["miou_seven"] for n in ("depth", "classification")}  # fmt: skip
    error = np.sqrt(sum(v.var(ddof=1) / len(v) for v in of.values()))
    assert 100 * 2.45 * error > 4  # Welch's interval would hold zero
    assert gap(agreeing, "C1").low > 3.5


def test_what_was_not_run_is_not_run():
    some = {run: score for run, score in stand_in(PAPER).items() if run[0] in ("none", "classification")}
    ledger = claims_ledger.ledger(results({run: score for run, score in some.items() if run[3] == 16}))
    assert gap(ledger, "C1").verdict == "not run" and gap(ledger, "C1").note == "not run: depth, full"
    assert gap(ledger, "C1").trials == 0 and np.isnan(gap(ledger, "C1").effect)
    assert gap(ledger, "C6a").note == "not run: a second training-set size"
    assert gap(ledger, "C12d").note == "not run: none, full, whole" and pd.isna(gap(ledger, "C12d").images)
    assert gap(ledger, "C13b").verdict == "agrees" and gap(ledger, "C13b").overall == "not run"
    assert gap(ledger, "C3").note == "not run: depth-classification, full"
    assert gap(ledger, "C9b").note == "not run: depth-classification, deeplab"


def test_diverged_trials_are_left_out_and_said():
    held = results(stand_in(PAPER), DIVERGES)
    one = held.metrics["name"].str.contains("-depth-full-main-16-0$")
    held.metrics.loc[one, ["miou_seven", "accuracy", "nll"]] = np.nan
    held.metrics.loc[one, "diverged_at"] = 500.0
    ledger = claims_ledger.ledger(held)
    assert (gap(ledger, "C1").trials, gap(ledger, "C1").note) == (3, "1 diverged trials left out")
    assert gap(ledger, "C5a").trials == gap(ledger, "C10a", "miou_occurring").trials == 3
    every = held.metrics["name"].str.contains("-depth-full-main-16-")
    held.metrics.loc[every, ["miou_seven", "accuracy", "nll", "diverged_at"]] = [np.nan, np.nan, np.nan, 500.0]
    lost = gap(claims_ledger.ledger(held), "C1")
    assert (lost.verdict, lost.trials, lost.note) == ("undecided", 0, "4 diverged trials left out")


STARTED = {"C11c": ("depth", "full", "small-to-large", 16), "C12d": ("none", "full", "whole", 200)}
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
@pytest.mark.parametrize(("count", "verdict"), [(4, "agrees"), (2, "agrees"), (1, "undecided")])
def test_several_diverged_trials_agree_and_one_decides_nothing(part, iterations, count, verdict):
    row = partly_diverged(part, count, iterations)
    assert (row.verdict, row.effect, row.note) == (verdict, 25 * count, f"{count} of 4 trials diverged")


@pytest.mark.parametrize(("part", "onset"), [("C11c", "20,000"), ("C12d", "30,000")])
def test_short_runs_do_not_refute_what_the_paper_saw_later(part, onset):
    row = partly_diverged(part, 0, 350)
    assert row.verdict == "undecided" and row.effect == 0 and row.decides
    assert row.note == f"0 of 4 trials diverged; 350 iterations are too few to refute it: the paper has {onset}"
    row = partly_diverged(part, 0, int(onset.replace(",", "")))
    assert (row.verdict, row.note) == ("disagrees", "0 of 4 trials diverged")
    assert partly_diverged(part, 0, 40_000, trials=1).verdict == "undecided"  # one trial cannot be several


def test_a_share_of_trials_has_its_exact_interval():
    for trials in (1, 3, 4, 9):
        for count in range(trials + 1):
            theirs = binomtest(count, trials).proportion_ci(method="exact")
            assert exact_interval(count, trials) == pytest.approx((theirs.low, theirs.high))
    row = partly_diverged("C12d", 0, 350, trials=3)
    assert (row.low, row.high) == pytest.approx((0, 70.76), abs=0.01)


def test_random_weights_are_compared_up_to_where_they_diverge(agreeing):
    row = gap(agreeing, "C12g")  # depth is level at 0.46, random weights have risen to a quarter of 0.40
    assert row.effect == pytest.approx(46 - 40 / 4 + 1.5 * 3 * 0.75, abs=0.1) and row.trials == 4
    assert row.note == "4 trials of the other diverged: compared at their last evaluation before"
    ahead = claims_ledger.ledger(results(stand_in(REVERSED), {STARTED["C12d"]}, reverse=True))
    assert gap(ahead, "C12g").verdict == "disagrees"
    lost = gap(claims_ledger.ledger(results(stand_in(PAPER), {("depth", "full", "whole", 200)})), "C12g")
    assert (lost.verdict, lost.trials, lost.note) == ("undecided", 0, "4 diverged trials left out")


def test_one_trial_decides_nothing():
    ledger = claims_ledger.ledger(results(stand_in(PAPER), trials=1))
    deciding = ledger[ledger["unit"] != "% of trials"]
    assert set(deciding["verdict"]) == {"undecided"} and deciding["low"].isna().all()


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


@pytest.mark.parametrize(
    ("low", "high", "expected", "verdict"),
    [
        (0.1, 2, "above", "agrees"),
        (-2, -0.1, "above", "disagrees"),
        (-1, 2, "above", "undecided"),
        (-2, -0.1, "below", "agrees"),
        (0.1, 2, "below", "disagrees"),
        (0.1, np.inf, "below", "disagrees"),
        (-1, np.inf, "below", "undecided"),
        (-0.9, 0.9, "equal", "agrees"),
        (1.1, 3, "equal", "disagrees"),
        (-3, -1.1, "equal", "disagrees"),
        (0.5, 1.5, "equal", "undecided"),
        (np.nan, np.nan, "above", "undecided"),
        (np.nan, np.nan, "equal", "undecided"),
    ],
)
def test_verdicts_follow_the_interval(low, high, expected, verdict):
    assert claims_ledger.judge(Interval((low + high) / 2, low, high, 3), expected) == verdict
    shifted = Interval((low + high) / 2 + 5, low + 5, high + 5, 3)
    assert claims_ledger.judge(shifted, expected, reference=5.0) == verdict


def test_the_text_has_every_claim_and_every_row(agreeing):
    text = claims_ledger.markdown(agreeing, "footer line")
    lines = [line for line in text.splitlines() if line.startswith("| C")]
    assert len(lines) == 14 + len(agreeing) and text.endswith("footer line\n")
    (row,) = [line for line in lines if line.startswith("| C5b ")]
    assert "| < 1/3 | ratio of iterations | 0.33 (resnet18) |" in row and "| 4 | agrees |" in row
    assert "(agrees)" in next(line for line in lines if "accuracy points | 0.04 (resnet18)" in line)


def published(encoder: str):
    return claims_ledger.ledger(results(stand_in(PAPER), DIVERGES, encoder=encoder))


def test_the_papers_effects_are_those_of_its_tables():
    eighteen, fifty = published("resnet18"), published("resnet50")
    both = {part: (gap(eighteen, part).paper, gap(fifty, part).paper) for part in PARTS if part not in
            ("C10a", "C10b", "C14a", "C14b")}  # fmt: skip
    for part, expected in {
        "C1": (0.85, 5.25), "C2": (5.05, 6.27), "C3": (7.53, 7.53), "C4a": (1.78, 8.07), "C4b": (-7.91, -5.69),
        "C7a": (1.54, 2.34), "C7b": (3.51, 3.93), "C9a": (0.04, 0.04), "C9b": (0.38, 0.38), "C11a": (3.39, 3.39),
        "C11b": (7.19, 7.19), "C5a": (1 / 3, 1 / 3),
    }.items():  # fmt: skip
        assert both[part] == pytest.approx(expected, abs=0.005), part
    assert (gap(eighteen, "C2", "accuracy").paper, gap(fifty, "C3", "accuracy").paper) == pytest.approx((4.00, 4.68))
    assert gap(eighteen, "C3").paper_encoder == "resnet50" and gap(fifty, "C11a").paper_encoder == "resnet18"
    assert all(np.isnan(both[part]).all() for part in ("C6b", "C8", "C11c", "C12a", "C12e", "C12g", "C13a", "C13b"))
    sizes = eighteen[eighteen["id"] == "C6a"].set_index("images")["paper"]
    assert sizes[16] == pytest.approx(5.05) and np.isnan(sizes[128])
    assert gap(published("resnet18-slim"), "C1").paper_encoder == "resnet18"


def test_a_replication_of_the_papers_own_numbers_agrees():
    rows = paper.published().query("encoder == 'resnet50'")
    scores = {(r.initialisation, r.setting, r.experiment, 16): r.miou_seven for r in rows.itertuples()}
    ledger = claims_ledger.ledger(results(scores, encoder="resnet50"))
    for part in ("C1", "C2", "C3", "C4a", "C4b", "C7a", "C9a", "C9b"):
        assert gap(ledger, part).verdict == "agrees", part


def test_tables_of_the_paper():
    table = paper.table2()
    assert len(table) == 8
    row = table.query("setting == 'encoder-only' and encoder == 'resnet18'").iloc[0]
    assert (row["miou_seven"], row["accuracy"]) == pytest.approx((0.4669, 0.7504))


@pytest.mark.parametrize(
    ("profile", "imagenet", "lacks"),
    [
        ("laptop", False, {"C12b"}),  # its hour is full
        ("gpu", False, set()),
        ("gpu", True, set()),
        ("kitti", True, {"C13a", "C13c", "C13d"}),  # no depth camera
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
        for part in (part for claim in CLAIMS for part in claim.parts):
            sides = {(names.get(s.initialisation, s.initialisation), s.setting, s.experiment) for s in (part.a, part.b)}
            missing |= set() if sides <= there else {part.id}
        assert missing == lacks


def said(*rows: dict) -> dict[str, str]:
    """The notes by part, where these pre-training runs are known."""
    named = [row | {"name": f"{ENCODER}-{row['name']}"} for row in rows]
    held = replace(results(stand_in(PAPER), DIVERGES), pretrain=pd.DataFrame(named))
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
    assert notes["C8"] == note and "flow" not in notes["C1"]


def test_depth_that_learned_little_of_its_images_is_said_where_it_is_compared():
    notes = said(depth(0.49), depth(0.3, name="depth-large"), depth(0.47, name="depth-supervised"))
    assert notes["C1"] == "the depth network is no better than the mean depth map (0.49 against 0.48)"
    assert "the depth-supervised network is hardly better than the mean depth map" in notes["C13a"]
    assert not any("better than" in notes[part] for part in ("C4b", "C12a", "C11a"))
    notes = said(depth(), depth(0.6, name="depth-large"))
    assert notes["C1"] == "" and "the depth network of the large size is no better than" in notes["C12a"]


def test_depth_that_was_learned_for_another_time_at_the_large_size_is_said():
    text = "depth at the large size had 360 steps, at the small one 900"
    notes = said(depth(), depth(name="depth-large", iterations=360))
    assert all(text in notes[part] for part in ("C11a", "C11b", "C12a", "C12c", "C12e", "C12f"))
    assert not any(text in notes[part] for part in ("C1", "C11c", "C12d"))
    assert not any("steps" in note for note in said(depth(), depth(name="depth-large")))
    assert not any("steps" in note for note in said(depth(name="depth-large", iterations=360)))
    assert set(FROM_LARGE) == {
        part.experiment for of in PROFILES.values() for part in of.parts if part.pretrained_large
    }


def test_the_two_architectures_of_claim_3_are_said_to_share_batches_alone():
    notes = said(depth())
    assert notes["C3"] == "two architectures: the trials share the order of batches, not the fresh layers"
    assert not any("architectures" in notes[part] for part in ("C1", "C7a", "C9a", "C12e"))


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
    rows = claims_ledger.ledger(results(stand_in(PAPER), DIVERGES)).query("id == 'C12e'").set_index("metric")
    assert list(rows["decides"]) == [True, False] and list(rows.index) == ["miou_seven", "accuracy"]
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
    assert of["verdict"].tolist() == [verdict] * 4 and set(of["overall"]) == {verdict} and (of["stand_in"] == "").all()
    others = ledger[~ledger["id"].str.startswith("C13")]
    assert set(others["verdict"]) == {claims_ledger.NOT_RUN}
    assert set(found.main.metrics["initialisation"]) == set(starts)
