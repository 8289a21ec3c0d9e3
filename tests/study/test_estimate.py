"""Estimates of time and disk: what they are built from, and how they grow."""

import pytest

from depthseg_lib.commands.progress import estimated, jobs_of
from depthseg_lib.study import estimate
from depthseg_lib.study import plan as study_plan

RUN = dict(encoder="resnet18", height=192, width=640, iterations=20_000, batch=16)
RUN |= dict(initialisation="depth", photograph_size=64)


def test_the_measured_runs_come_out_as_they_were_measured():
    assert estimate.gpu_seconds("finetune", RUN | {"trials": 1}) == pytest.approx(2.5 * 3600)
    assert estimate.gpu_seconds("finetune", RUN | {"trials": 4}) == pytest.approx(10 * 3600)
    assert estimate.gpu_seconds("pretrain", RUN) == pytest.approx(20_000 * 16 / 18.4)


def test_time_grows_with_pixels_and_encoder_and_a_frozen_encoder_is_cheaper():
    one = estimate.gpu_seconds("finetune", RUN)
    assert estimate.gpu_seconds("finetune", RUN | {"height": 384}) == pytest.approx(2 * one)
    assert estimate.gpu_seconds("finetune", RUN | {"encoder": "resnet50"}) == pytest.approx(30 / 19 * one)
    assert estimate.gpu_seconds("finetune", RUN | {"setting": "frozen"}) < one
    wide, narrow = (RUN | {"initialisation": "classification", "width": width} for width in (640, 64))
    assert estimate.gpu_seconds("pretrain", wide) == estimate.gpu_seconds("pretrain", narrow)


def test_the_cache_holds_images_labels_and_depth():
    assert estimate.cache_bytes(10, 0, 4, 8, depth=False) == 10 * 3 * 32
    assert estimate.cache_bytes(10, 5, 4, 8, depth=True) == 10 * 5 * 32 + 5 * 4 * 32


@pytest.mark.parametrize(("profile", "unit"), [("gpu", "GPU hours"), ("laptop", "hours of a core")])
def test_the_table_adds_up_and_says_what_it_rests_on(profile, unit):
    plan = study_plan.plan(profile)
    title, _, *rows = [line for line in estimated(jobs_of(plan.runs, plan.figures)) if line.strip()]
    text = " ".join(rows)
    assert title.strip() == f"estimated {unit}, by kind of run"
    assert ("Titan Xp" in text and "no GPU has run this profile yet" in text) == (profile == "gpu")
    together = next(line for line in rows if line.startswith("together")).split()
    assert int(together[1]) == len(plan.runs)
    assert float(together[2]) == pytest.approx(sum(run.cost for run in plan.runs) / 3600, abs=0.01)
