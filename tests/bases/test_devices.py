"""Devices and number types by name, and what suits a machine."""

from __future__ import annotations

import pytest
import torch

from eleven.bases.devices import choose_device, choose_dtype
from eleven.errors import UsageError


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many CUDA devices, with or without MPS, new enough for bfloat16 or not."""

    def made(cuda=0, mps=False, new=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: new)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor: new)

    return made


@pytest.mark.parametrize(("there", "chosen"), [({"cuda": 1, "mps": True}, "cuda"), ({"mps": True}, "mps"), ({}, "cpu")])
def test_auto_takes_cuda_then_mps_then_the_cpu(machine, there, chosen):
    machine(**there)
    assert choose_device("auto") == torch.device(chosen)


def test_a_device_by_name_and_number(machine):
    machine(cuda=2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cuda:", "", "meta", "CUDA"])
def test_unknown_devices_are_refused(machine, name):
    machine(cuda=2)
    with pytest.raises(UsageError, match="is no device") as told:
        choose_device(name)
    assert "auto, cuda, mps, cpu" in told.value.hint


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "cpu:3"])
def test_devices_that_are_not_there_are_refused(machine, name):
    machine()
    with pytest.raises(UsageError, match="has no such device"):
        choose_device(name)


def test_a_gpu_that_does_not_exist_is_refused(machine):
    machine(cuda=1)
    with pytest.raises(UsageError, match="cuda:1: "):
        choose_device("cuda:1")


@pytest.mark.parametrize(
    ("device", "wide", "new", "chosen"),
    [
        ("cpu", False, True, torch.float32),
        ("cpu", True, True, torch.float32),
        ("cuda", False, True, torch.float16),
        ("cuda", True, True, torch.bfloat16),
        ("cuda", True, False, torch.float16),
        ("mps", True, True, torch.bfloat16),
        ("mps", True, False, torch.float16),
    ],
)
def test_the_type_suits_the_device(machine, device, wide, new, chosen):
    machine(cuda=1, mps=True, new=new)
    assert choose_dtype("auto", torch.device(device), wide=wide) is chosen


def test_a_type_by_either_name():
    place = torch.device("cpu")
    for names, dtype in ((("fp16", "float16"), torch.float16), (("bf16", "bfloat16"), torch.bfloat16)):
        assert [choose_dtype(name, place, wide=False) for name in names] == [dtype] * 2
    with pytest.raises(UsageError, match="int8: is no number type"):
        choose_dtype("int8", place, wide=False)
