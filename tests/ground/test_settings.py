"""Settings refuse what they do not know, and say so; folders are the same from wherever Jupyter was started."""

from pathlib import Path

import pytest

from depthseg_lib.errors import InputError
from depthseg_lib.files import project_path
from depthseg_lib.settings import DataSettings, FinetuneConfig, PretrainConfig, check_parameters

ROOT = Path(__file__).parents[2]


def test_round_trip_through_plain_values():
    config = FinetuneConfig(initialisation="none", images=8, learning_rate=1e-4)
    assert FinetuneConfig(**config.to_mapping()) == config
    assert config.changed(trial=2).trial == 2 and config.changed(trial=0) == config


def test_a_notebook_gives_what_it_names_and_the_rest_is_the_studys():
    names = {"initialisation": "depth", "batch": 2, "something_else": 1}
    config = PretrainConfig.of_notebook(names, height=96)
    assert (config.batch, config.height, config.width) == (2, 96, PretrainConfig().width)
    with pytest.raises(InputError, match="no setting 'hight'; did you mean 'height'"):
        PretrainConfig.of_notebook(names, hight=96)


def test_a_parameter_that_the_notebook_does_not_have_is_refused():
    cells = [
        "",
        'initialisation = "none"  # where from\nother = {}',
        "%matplotlib inline",
        '# Parameters\nother = {"a": 1}\n',
    ]
    check_parameters([*cells, "x = 1"])
    with pytest.raises(InputError, match="no parameter 'initialization'; did you mean 'initialisation'"):
        check_parameters([*cells[:3], '# Parameters\ninitialization = "depth"\n'])
    with pytest.raises(InputError, match="no parameter 'zzz'; it has: initialisation, other"):
        check_parameters([*cells[:3], "# Parameters\nzzz = 1"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learnin_rate": 1e-3}, "no setting 'learnin_rate'; did you mean 'learning_rate'"),
        ({"colour": 1}, "no setting 'colour'; known: data_set, "),
        ({"iterations": "100"}, "iterations = '100': expected a whole number, found str"),
        ({"iterations": True}, "iterations = True: expected a whole number, found bool"),
        ({"iterations": 1.5}, "iterations = 1.5: expected a whole number"),
        ({"learning_rate": "1e-4"}, "learning_rate = '1e-4': expected a number, found str"),
        ({"learning_rate": float("nan")}, "learning_rate = nan: expected a finite number"),
        ({"data_folder": 3}, "data_folder = 3: expected a text"),
        ({"initialisation": "dept"}, "initialisation = 'dept': expected one of none, .*did you mean 'depth'"),
        ({"encoder": "vgg"}, "encoder = 'vgg': expected one of resnet18"),
        ({"setting": "half"}, "setting = 'half': expected one of full, frozen"),
        ({"protocol": "mine"}, "protocol = 'mine': expected one of paper"),
        ({"precision": "16-mixed"}, "precision = '16-mixed': expected one of 32-true"),
        ({"batch": 0}, "batch = 0: expected greater than 0"),
        ({"world_seed": -1}, "world_seed = -1: expected greater than or equal to 0"),
        ({"height": 60}, "60x192.*multiples of 32"),
        ({"height": 32}, "32x192.*64 at least"),
        ({"images": 201}, "images = 201, but only 200 are annotated"),
    ],
)
def test_bad_settings_are_named(values, message):
    with pytest.raises(InputError, match=message):
        FinetuneConfig(**values)


def test_settings_that_were_made_stay_as_they_are():
    with pytest.raises(ValueError, match="frozen"):
        DataSettings().height = 96
    assert hash(DataSettings()) == hash(DataSettings())


def test_an_int_is_a_fine_float():
    assert FinetuneConfig(learning_rate=1).learning_rate == 1.0


def test_a_pretraining_run_does_not_make_none():
    with pytest.raises(InputError, match="initialisation = 'none': expected one of classification, depth"):
        PretrainConfig(initialisation="none")
    assert PretrainConfig(initialisation="depth-classification").starts_from == "classification"


@pytest.mark.parametrize("start", [".", "notebooks", "depthseg_lib/data"])
def test_relative_paths_count_from_the_projects_root(monkeypatch, start):
    monkeypatch.chdir(ROOT / start)
    assert project_path("") == ROOT and project_path("runs") == ROOT / "runs"


def test_another_clone_is_its_own_project(monkeypatch, tmp_path):
    for name in ("notebooks", "depthseg_lib"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert project_path("") == tmp_path


def test_absolute_paths_stay(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert project_path(tmp_path / "x") == tmp_path / "x" and project_path("x") == ROOT / "x"
