import pytest
import torch

from depthseg_lib.commands import machine
from depthseg_lib.commands.machine import Device


@pytest.fixture(autouse=True)
def devices(tmp_path, monkeypatch):
    """A folder of devices of the test's own, and no memory of an earlier answer."""
    monkeypatch.setattr(machine, "NODES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    machine.device.cache_clear()
    yield tmp_path
    machine.device.cache_clear()


def gpus(monkeypatch, *names):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: names[index])


def test_the_profile_follows_the_device(monkeypatch, devices):
    (devices / "nvidia0").touch()
    gpus(monkeypatch, "H200", "H200")
    found = machine.device()
    assert (found.profile, found.ids, str(found)) == ("gpu", "0,1", "2 x H200")
    assert str(Device(("H100",))) == "H100"


def test_torch_is_not_asked_without_a_driver(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: pytest.fail("asked"))
    found = machine.device()
    assert (found.profile, found.ids, str(found)) == ("laptop", "", "the CPU")


def test_a_driver_without_a_gpu_is_a_cpu(monkeypatch, devices):
    (devices / "nvidiactl").touch()
    gpus(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.device() == Device()


def test_gpus_are_called_what_is_visible(monkeypatch, devices):
    (devices / "nvidia0").touch()
    gpus(monkeypatch, "H200")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert machine.device().ids == "3"
