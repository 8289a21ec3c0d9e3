import pytest
import torch

from depthseg_lib.commands import machine
from depthseg_lib.commands.machine import Device


@pytest.fixture(autouse=True)
def own_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_REMEMBERED", tmp_path / "device.json")
    monkeypatch.setattr(machine, "_DEVICES", tmp_path / "dev")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path / "device.json"


def gpus(monkeypatch, *names):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: names[index])


def test_the_profile_follows_the_device(monkeypatch):
    gpus(monkeypatch)
    assert (machine.ask().profile, machine.ask().ids, str(machine.ask())) == ("laptop", "", "the CPU")
    gpus(monkeypatch, "H200", "H200")
    assert (machine.ask().profile, machine.ask().ids, str(machine.ask())) == ("gpu", "0,1", "2 x H200")


def test_torch_is_asked_once(monkeypatch, own_memory):
    gpus(monkeypatch, "H200")
    assert machine.device() == Device(("H200",))
    gpus(monkeypatch)
    assert machine.device() == Device(("H200",))
    own_memory.write_text("broken")
    assert machine.device() == Device()


def test_other_visible_gpus_are_asked_for_again(monkeypatch):
    gpus(monkeypatch, "H200", "H200")
    assert machine.device().ids == "0,1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    gpus(monkeypatch, "H200")
    assert machine.device() == Device(("H200",), "1")
    assert machine.device().ids == "1"


def test_gpus_that_are_hidden_are_not_those_that_were_seen(monkeypatch):
    gpus(monkeypatch, "H200")
    assert machine.device().ids == "0"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    gpus(monkeypatch)
    assert machine.device() == Device()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    gpus(monkeypatch, "H200")
    assert machine.device().profile == "gpu"


def test_without_gpus_there_are_no_ids_whatever_is_visible(monkeypatch):
    gpus(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert machine.device().ids == ""


@pytest.mark.parametrize("change", ["a driver", "another torch"])
def test_a_changed_machine_or_torch_is_asked_again(monkeypatch, own_memory, change):
    gpus(monkeypatch)
    assert machine.device().profile == "laptop"
    gpus(monkeypatch, "H200")
    assert machine.device().profile == "laptop"
    if change == "a driver":
        (own_memory.parent / "dev").mkdir()
        (own_memory.parent / "dev/nvidia0").touch()
    else:
        monkeypatch.setattr(machine, "version", lambda name: "99.0")
    assert machine.device().profile == "gpu"


def test_an_environment_that_cannot_be_written_is_no_error(monkeypatch, own_memory):
    gpus(monkeypatch)
    (own_memory.parent / "file").write_text("in the way")
    monkeypatch.setattr(machine, "_REMEMBERED", own_memory.parent / "file/device.json")
    assert machine.device() == Device()
