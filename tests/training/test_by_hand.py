"""Runs by hand: a folder for each set of settings, and a given folder's finished run is not replaced."""

import pytest
from helpers.small import finetuning, pretraining

from depthseg_lib import files, fingerprint
from depthseg_lib.errors import InputError
from depthseg_lib.files import write_json
from depthseg_lib.training import by_hand


def test_each_set_of_settings_has_its_folder_and_trials_share_one():
    config = finetuning(initialisation="flow")
    place = by_hand.place("finetune", config)
    made = fingerprint.of("finetune", config)
    assert place == files.project_path(f"runs/by-hand/finetune/resnet18-slim-flow-full-n4-{made[:6]}")
    assert by_hand.place("finetune", config.changed(trial=3)) == place
    others = [config.changed(iterations=5), config.changed(initialisation="depth"), config.changed(images=5)]
    assert len({place, *(by_hand.place("finetune", other) for other in others)}) == 4
    pretrained = by_hand.place("pretrain", pretraining())
    assert pretrained.parent.parts[-3:] == ("runs", "by-hand", "pretrain")
    assert pretrained.name.startswith("resnet18-slim-depth-")


def left(folder, kind, config):
    write_json(folder / "environment.json", {"settings": config.to_mapping()})
    write_json(folder / "metrics.json", {"fingerprint": fingerprint.of(kind, config)})


def test_a_given_folder_with_a_finished_run_of_other_settings_is_refused_to_a_run_by_hand(tmp_path):
    config = pretraining()
    assert by_hand.place("pretrain", config, tmp_path) == tmp_path
    left(tmp_path, "pretrain", config)
    assert by_hand.place("pretrain", config, tmp_path) == tmp_path
    with pytest.raises(InputError, match=r"holds a finished run with iterations = 4, which .*set folder = \"\""):
        by_hand.place("pretrain", config.changed(iterations=6), tmp_path)
    planned = config.changed(iterations=6, fingerprint="of the plan")
    assert by_hand.place("pretrain", planned, tmp_path) == tmp_path


def test_a_finished_trial_is_a_finished_run(tmp_path):
    left(tmp_path / "t0", "finetune", finetuning())
    assert by_hand.place("finetune", finetuning(trial=1), tmp_path) == tmp_path
    with pytest.raises(InputError, match="t0 holds a finished run with batch = 2"):
        by_hand.place("finetune", finetuning(batch=1), tmp_path)


def test_a_run_of_the_same_settings_by_other_code_is_refused_too(tmp_path):
    left(tmp_path, "pretrain", pretraining())
    write_json(tmp_path / "metrics.json", {"fingerprint": "of older code"})
    with pytest.raises(InputError, match="made by other code or from other weights"):
        by_hand.place("pretrain", pretraining(), tmp_path)
