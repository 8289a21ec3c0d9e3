"""Settings refuse what they do not know, and say so."""

import pytest

from depthseg_lib.errors import InputError
from depthseg_lib.settings import DataSettings, FinetuneConfig, PretrainConfig


def test_round_trip_through_plain_values():
    config = FinetuneConfig(initialisation="none", images=8, learning_rate=1e-4)
    assert FinetuneConfig.from_mapping(config.to_mapping()) == config


def test_from_namespace_takes_its_own_names_and_misses_none():
    values = PretrainConfig().to_mapping()
    assert PretrainConfig.from_namespace({**values, "something_else": 1}) == PretrainConfig()
    del values["batch"]
    with pytest.raises(InputError, match="lacks batch"):
        PretrainConfig.from_namespace(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learnin_rate": 1e-3}, "no setting 'learnin_rate'; did you mean 'learning_rate'"),
        ({"iterations": "100"}, "iterations = '100' is a str, expected int"),
        ({"iterations": True}, "iterations = True is a bool, expected int"),
        ({"learning_rate": "1e-4"}, "learning_rate = '1e-4' is a str, expected float"),
        ({"initialisation": "dept"}, "unknown initialisation 'dept'.*did you mean 'depth'"),
        ({"encoder": "vgg"}, "unknown encoder 'vgg': expected one of resnet18"),
        ({"setting": "half"}, "unknown setting 'half'"),
        ({"protocol": "mine"}, "unknown protocol 'mine'"),
        ({"batch": 0}, "batch = 0: expected more than zero"),
        ({"height": 60}, "60x192.*multiples of 32"),
        ({"height": 32}, "32x192.*64 at least"),
        ({"images": 201}, "images = 201, but only 200 are annotated"),
        ({"study": 0}, "version 0 of the study, but this is version"),
        ({"precision": "16-mixed"}, "unknown precision"),
    ],
)
def test_bad_settings_are_named(values, message):
    with pytest.raises(InputError, match=message):
        FinetuneConfig(**values)


def test_an_int_is_a_fine_float():
    assert FinetuneConfig(**{"learning_rate": 1}).learning_rate == 1


def test_a_pretraining_run_does_not_make_none():
    with pytest.raises(InputError, match="unknown initialisation of a pre-training run 'none'"):
        PretrainConfig(initialisation="none")
    assert PretrainConfig(initialisation="depth-classification").starts_from == "classification"
    assert DataSettings().data_set == "streets"
