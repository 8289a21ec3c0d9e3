"""A depth run as Monodepth2's files, and back bit for bit; other runs are refused."""

import shutil

import pytest
import safetensors.torch
import torch
from helpers.small import pretraining

from depthseg_lib.commands import export_monodepth2
from depthseg_lib.errors import InputError
from depthseg_lib.files import write_json
from depthseg_lib.models import checkpoints
from depthseg_lib.models.networks import DepthNetwork, PoseNetwork
from depthseg_lib.models.weights import save_weights


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a depth run, as one leaves it."""
    folder = tmp_path_factory.mktemp("runs") / "resnet18-depth"
    torch.manual_seed(0)
    networks = {"weights": DepthNetwork("resnet18"), "pose": PoseNetwork("resnet18")}
    torch.nn.init.normal_(networks["pose"].head.weight)
    for name, network in networks.items():
        save_weights(network, folder / f"{name}.safetensors", encoder="resnet18", initialisation="depth")
    write_json(folder / "params.json", pretraining(encoder="resnet18", initialisation="depth").to_mapping())
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it to be damaged."""
    return shutil.copytree(finished, tmp_path / "run")


def test_a_run_comes_back_bit_for_bit(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["export", str(finished), str(tmp_path / "out")])
    assert export_monodepth2.main() == 0 and "written" in capsys.readouterr().out
    for name, load in (("weights", checkpoints.load_depth), ("pose", checkpoints.load_pose)):
        before, after = (
            safetensors.torch.load_file(finished / f"{name}.safetensors"),
            load(tmp_path / "out", "resnet18")[0],
        )
        assert before.keys() == after.keys() and all(torch.equal(after[n], tensor) for n, tensor in before.items())
    plain = torch.load(tmp_path / "out" / "encoder.pth", weights_only=True)
    assert (plain["height"], plain["width"], plain["use_stereo"]) == (64, 96, False)


def test_depth_that_a_camera_taught_has_no_pose(run, tmp_path):
    write_json(run / "params.json", pretraining(encoder="resnet18", initialisation="depth-supervised").to_mapping())
    state = safetensors.torch.load_file(run / "weights.safetensors")
    about = {"encoder": "resnet18", "initialisation": "depth-supervised"}
    safetensors.torch.save_file(state, run / "weights.safetensors", metadata=about)
    export_monodepth2.export(run, tmp_path / "out")
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"encoder.pth", "depth.pth"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(initialisation="classification"), "run is no run that pre-trains depth"),
        (dict(initialisation="depth", setting="full"), "run is no run that pre-trains depth"),
        (dict(initialisation="depth-classification"), "holds weights of the initialisation 'depth', but"),
        (dict(encoder="resnet18-slim"), "Monodepth2 has no encoder 'resnet18-slim'"),
    ],
)
def test_other_runs_are_refused(run, settings, message, tmp_path):
    write_json(run / "params.json", pretraining(encoder="resnet18").to_mapping() | settings)
    with pytest.raises(InputError, match=message):
        export_monodepth2.export(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_says_what_is_missing(run, tmp_path, monkeypatch, capsys):
    (run / "weights.safetensors").unlink()
    monkeypatch.setattr("sys.argv", ["export", str(run), str(tmp_path / "out")])
    assert export_monodepth2.main() == 1
    assert "weights.safetensors: there is no weights file" in capsys.readouterr().err
    with pytest.raises(InputError, match="params.json: there is no such file"):
        export_monodepth2.export(tmp_path / "nowhere", tmp_path / "out")
