"""The training loop: schedules, divergence, resuming, the device."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.small import finetuning
from torch import nn

from depthseg_lib.errors import InputError
from depthseg_lib.training import engine, finetune


class Line(nn.Module):
    """Least squares of a line, with dropout so that the run depends on torch's random state."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))

    def forward(self, batch):
        x, y = batch
        return (nn.functional.dropout(self.weight, 0.2, self.training)[0] * x + self.weight[1] - y).square().mean()


class LineTask:
    """Points on y = 3 x - 1; from `breaks_at` on, the loss is infinite."""

    def __init__(self, breaks_at=None):
        self.module, self.count, self.breaks_at, self.steps = Line(), 32, breaks_at, 0
        self.x = torch.linspace(-1, 1, 32)

    def batch(self, indices, iteration=0):
        self.steps += 1
        broken = self.breaks_at is not None and self.steps > self.breaks_at
        return self.x[indices], 3 * self.x[indices] - 1 + (torch.inf if broken else 0)

    def evaluate(self):
        return {"error": self.module((self.x, 3 * self.x - 1)).item()}


SCHEDULE = engine.Schedule(60, 8, 0.1, engine.cosine, 15, seed=1)


def run(task, folder, schedule=SCHEDULE, identity="one"):
    torch.manual_seed(0)
    lines = []
    return engine.train(task, schedule, engine.make_fabric("32-true"), folder, identity, lines.append), lines


def test_training_learns_and_history_has_a_row_per_evaluation(tmp_path):
    outcome, lines = run(LineTask(), tmp_path)
    history = pd.read_parquet(tmp_path / "history.parquet")
    assert list(history["iteration"]) == [0, 15, 30, 45, 60]
    assert np.isnan(history["train_loss"][0]) and history["train_loss"][1:].notna().all()
    assert history["error"].iloc[-1] < 0.1 * history["error"].iloc[0]
    assert outcome.diverged_at is None and len(lines) == 5
    assert "nan" not in lines[0] and "error" in lines[0]  # there is no training loss before the first step


def test_learning_rate_follows_the_schedule_per_iteration(tmp_path):
    outcome, _ = run(LineTask(), tmp_path)
    expected = 0.1 * 0.5 * (1 + np.cos(np.pi * np.array([0, 15, 30, 45, 60]) / 60))
    np.testing.assert_allclose(outcome.history["learning_rate"], expected, atol=1e-12)
    assert [engine.tenth_from(0.75)(p) for p in (0, 0.74, 0.75, 1)] == [1, 1, 0.1, 0.1]


def test_the_released_codes_schedule_on_cityscapes_is_a_polynomial():
    np.testing.assert_allclose([engine.poly(p) for p in (0, 0.25, 0.5, 1)], [1, 0.75**0.9, 0.5**0.9, 0])


def test_gradient_descent_has_its_momentum_by_hand(tmp_path):
    """Two steps on the loss w at a rate of 0.1: w falls by 0.1, then by 0.1 times 1 + 0.9."""

    class Falling:
        count, module = 1, nn.Linear(1, 1, bias=False)
        batch = staticmethod(lambda indices, iteration: torch.ones(1))

        def evaluate(self):
            return {"w": self.module.weight.item()}

    nn.init.ones_(Falling.module.weight)
    schedule = engine.Schedule(2, 1, 0.1, lambda progress: 1.0, 1, 0, "sgd")
    fabric = engine.make_fabric("32-true")
    found = engine.train(Falling(), schedule, fabric, tmp_path, "falling", lambda line: None)
    np.testing.assert_allclose(found.history["w"], [1.0, 0.9, 0.9 - 0.19], rtol=1e-6)


def test_same_seed_same_numbers_and_another_seed_others(tmp_path):
    errors = [
        run(LineTask(), tmp_path / str(i), s)[0].history["error"]
        for i, s in enumerate((SCHEDULE, SCHEDULE, replace(SCHEDULE, seed=2)))
    ]
    assert errors[0].equals(errors[1]) and not errors[0].equals(errors[2])


class Stop(Exception):
    pass


def test_a_stopped_run_goes_on_to_the_same_numbers(tmp_path):
    whole, _ = run(LineTask(), tmp_path / "whole")
    broken = LineTask()
    original = broken.batch

    def batch(indices, iteration):
        if broken.steps == 40:
            raise Stop
        return original(indices, iteration)

    broken.batch = batch
    with pytest.raises(Stop):
        run(broken, tmp_path / "broken")
    rest = LineTask()
    resumed, lines = run(rest, tmp_path / "broken")
    assert lines[0] == "going on from iteration 30" and rest.steps == 30
    columns = ["iteration", "train_loss", "error", "learning_rate"]
    pd.testing.assert_frame_equal(resumed.history[columns], whole.history[columns], check_exact=True)
    assert torch.equal(rest.module.weight.isfinite(), torch.ones(2, dtype=bool))


@pytest.mark.parametrize("iterations", [60, 45])
def test_a_run_stopped_right_after_its_last_checkpoint_has_all_its_results(tmp_path, iterations):
    whole, _ = run(LineTask(), tmp_path)
    if iterations < 60:  # as if it had been killed before the last part, and its history removed with its outputs
        state = torch.load(tmp_path / "checkpoint.pt")
        torch.save({**state, "rows": state["rows"][:-1], "iteration": iterations}, tmp_path / "checkpoint.pt")
    (tmp_path / "history.parquet").unlink()
    task = LineTask(breaks_at=0)
    evaluated = []
    original = task.evaluate
    task.evaluate = lambda: evaluated.append(1) or original()
    resumed, _ = run(task, tmp_path)
    assert evaluated and len(pd.read_parquet(tmp_path / "history.parquet")) == iterations // 15 + 1
    assert resumed.diverged_at == (None if iterations == 60 else 45)
    assert resumed.history["error"].iloc[-1] == whole.history["error"].iloc[iterations // 15]


def test_a_checkpoint_of_other_settings_is_not_gone_on_with(tmp_path):
    run(LineTask(), tmp_path, identity="one")
    task = LineTask()
    _, lines = run(task, tmp_path, identity="two")
    assert task.steps == 60 and "other settings" in lines[0]


def test_a_checkpoint_that_cannot_be_read_is_not_gone_on_with(tmp_path):
    torch.save({"rows": [np.float64(0.5)]}, tmp_path / "checkpoint.pt")
    task = LineTask()
    _, lines = run(task, tmp_path)
    assert task.steps == 60 and "cannot be read: starting anew" in lines[0]


def test_divergence_is_recorded_at_its_iteration_not_raised(tmp_path):
    outcome, lines = run(LineTask(breaks_at=37), tmp_path)
    assert outcome.diverged_at == 37
    assert list(outcome.history["iteration"]) == [0, 15, 30]
    assert "diverged at iteration 37" in lines[-1]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file.*cannot be written"):
        run(LineTask(), tmp_path / "file")


CONFIG = finetuning(iterations=12, evaluate_every=2)


def test_a_run_that_was_planned_for_a_gpu_does_not_train_without_one(tmp_path, monkeypatch):
    monkeypatch.setenv(engine.PLANNED_FOR, "gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    with pytest.raises(
        InputError, match=r"planned for a GPU, but PyTorch finds none on .*\(CUDA_VISIBLE_DEVICES = '7'\)"
    ):
        finetune.run(CONFIG, tmp_path, print)
    assert not (tmp_path / "checkpoint.pt").exists()
    monkeypatch.setenv(engine.PLANNED_FOR, "")
    assert engine.make_fabric("32-true").device.type == "cpu"
