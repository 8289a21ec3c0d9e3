"""A training that a person watches: one picture that is replaced, and not a bit of the results is another."""

import numpy as np
import pytest
import safetensors.torch
import torch
from helpers.small import finetuning, pretraining

from depthseg_lib.panels import live
from depthseg_lib.training import finetune, pretrain


class Handle:
    """What `display` gives a notebook."""

    def __init__(self):
        self.shown = []

    def __call__(self, figure, display_id):
        assert display_id
        return self.update(figure)

    def update(self, figure):
        self.shown.append(figure)
        assert figure._repr_png_()[0].startswith(b"\x89PNG")
        return self


@pytest.fixture
def handle(monkeypatch):
    made = Handle()
    monkeypatch.setattr(live, "display", made)
    return made


RUNS = {
    "depth": (pretraining(), ["image", "true depth", "predicted depth"]),
    "flow": (pretraining(initialisation="flow"), ["frame", "exact flow", "predicted flow"]),
    "classification": (pretraining(initialisation="classification"), None),
    "segmentation": (finetuning(), ["image", "truth", "prediction"]),
    "frozen": (finetuning(setting="frozen"), ["image", "truth", "prediction"]),
}


@pytest.mark.parametrize("name", RUNS)
def test_looking_changes_no_bit_and_each_evaluation_replaces_the_picture(name, handle, tmp_path, capsys):
    config, titles = RUNS[name]
    run = pretrain.run if name in ("depth", "flow", "classification") else finetune.run
    plain = run(config, tmp_path / "plain", lambda line: None)
    watched = run(config, tmp_path / "watched", live.Live())
    seconds = [of.history.drop(columns="seconds") for of in (plain, watched)]
    assert seconds[0].equals(seconds[1])
    one, two = (safetensors.torch.load_file(tmp_path / of / "weights.safetensors") for of in ("plain", "watched"))
    assert all(torch.equal(one[tensor], two[tensor]) for tensor in one)
    assert len(handle.shown) == 3 and "iteration" not in capsys.readouterr().out
    loss, score, *pictures = handle.shown[-1].axes
    assert {len(line.get_xdata()) for line in (*loss.lines, *score.lines)} == {3}
    assert len(loss.lines) == (1 if name == "classification" else 2) and len(score.lines) == 1
    assert loss.get_xlim()[1] > 4 and handle.shown[-1].texts[-1].get_text().startswith("iteration 4/4: train_loss")
    shown = [axes.get_title() for axes in pictures]
    assert shown == titles if titles else len(shown) == 6


def test_trials_share_one_picture_with_those_before_in_grey(handle, tmp_path, capsys):
    finetune.run_trials(finetuning(), 2, tmp_path, live.Live())
    last = handle.shown[-1]
    assert len(handle.shown) == 6 and len(last.axes[1].lines) == 2
    assert last.axes[1].lines[0].get_color() == live.style.GREY != last.axes[1].lines[1].get_color()
    assert last.texts[-1].get_text().startswith("trial 1: iteration 4/4")
    finetune.run_trials(finetuning(), 2, tmp_path, live.Live())
    assert capsys.readouterr().out.splitlines()[-1] == "trial 1: finished before"


@pytest.mark.parametrize("config", [finetuning(), pretraining()], ids=["segmentation", "depth"])
def test_a_first_estimate_does_not_wait_for_the_second_evaluation(config, handle, tmp_path, capsys):
    config, run = (
        config.changed(iterations=24, evaluate_every=24),
        finetune.run if "images" in config.to_mapping() else pretrain.run,
    )
    run(config, tmp_path / "watched", live.Live())
    said = [figure.texts[-1].get_text() for figure in handle.shown]
    assert [line.split(":")[0] for line in said] == [f"iteration {number}/24" for number in (0, 20, 24)]
    assert said[1].endswith("s left") and len(handle.shown[1].axes[1].lines[0].get_xdata()) == 1
    capsys.readouterr()
    run(config, tmp_path / "plain", print)
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "iteration 0/24",
        "iteration 24/24",
    ]
    one, two = (safetensors.torch.load_file(tmp_path / of / "weights.safetensors") for of in ("plain", "watched"))
    assert all(torch.equal(one[tensor], two[tensor]) for tensor in one)


def test_what_is_gone_on_with_is_shown_at_once(handle, tmp_path, capsys):
    config = pretraining()
    pretrain.run(config, tmp_path, lambda line: None)
    (tmp_path / "metrics.json").unlink()  # as if it had been stopped after its last evaluation
    pretrain.run(config, tmp_path, live.Live())
    (figure,) = handle.shown
    assert figure.texts[-1].get_text() == "going on from iteration 4" and len(figure.axes[0].lines[0].get_xdata()) == 3


def test_depths_and_flows_share_the_scale_of_the_first(handle):
    depth = np.full((4, 6), 10.0)
    depth[:, :3] = 5
    depth[0, 0] = 0
    truth, deeper = live.coloured([depth, depth * 100])
    assert (truth[0, 0] == 1).all() and (truth[1, 0] != truth[1, 5]).any()
    assert np.allclose(deeper[1, 5], truth[1, 5])  # at the end of the scale
    flow = np.zeros((2, 4, 6))
    flow[0] = 8
    red, half = live.coloured([flow, flow / 2])
    assert np.allclose(red[0, 0], (1, 0, 0)) and np.allclose(half[0, 0], (1, 0.5, 0.5))


def test_headless_a_run_reports_lines(monkeypatch):
    monkeypatch.setenv("DEPTHSEG_HEADLESS", "1")
    assert live.watch() is print
    monkeypatch.delenv("DEPTHSEG_HEADLESS")
    assert isinstance(live.watch(), live.Live)
