"""What is written in numpy alone: the same as torch writes, or nothing, so that torch can tell what is wrong."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from files_for_tests import bake_files, full, lora, normal, read, relative, write

from eleven.compress import Target
from eleven.errors import OutputError, TensorError
from eleven.exports import adapter, product
from eleven.exports.forms import Form

SHAPES = {"a.fc": (48, 64), "a.conv": (32, 16, 3, 3), "a.one": (40, 24, 1, 1)}
FORMS = [Form(dtype="fp16"), Form(dtype="bf16"), Form(dtype="fp32"), Form(Target(2)), Form(dialect="diffusers")]
CODE = """
import sys
sys.argv = ["eleven", "--quiet", "bake", *{parts!r}, "--to", {to!r}, "--rank", {rank!r}]
from eleven.cli.main import main
code = main()
print(code, "torch._C" in sys.modules, "torch.nn" in sys.modules)
"""


@pytest.fixture
def files(tmp_path):
    found = {}
    for at, dtype in enumerate((torch.float16, torch.float32, torch.bfloat16)):
        made = {name: lora(shape, torch.zeros(()), 10 * at)[0] for name, shape in SHAPES.items()}
        modules = {name: {key: one.to(dtype) for key, one in tensors.items()} for name, tensors in made.items()}
        found[write(tmp_path / f"{dtype}.safetensors", modules)] = 0.3 + at
    return found


def without_numpy(monkeypatch) -> None:
    monkeypatch.setattr(adapter, "write_product", lambda *_: None)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_torch_writes_and_proves_the_same(form, files, tmp_path, monkeypatch):
    here = bake_files(files, tmp_path / "numpy.safetensors", form)
    without_numpy(monkeypatch)
    there = bake_files(files, tmp_path / "torch.safetensors", form)
    ours, theirs = read(tmp_path / "numpy.safetensors"), read(tmp_path / "torch.safetensors")
    assert list(ours) == list(theirs)
    assert {key: (one.shape, one.dtype) for key, one in ours.items()} == {
        key: (one.shape, one.dtype) for key, one in theirs.items()
    }
    for one, other in zip(here.layers, there.layers, strict=True):
        assert (one.layer, one.form) == (other.layer, other.form)
        assert one.asked == pytest.approx(other.asked, rel=1e-5)
        assert one.missed == pytest.approx(other.missed, rel=0.02, abs=1e-12 * one.asked)
    if form.target is None:
        assert all(relative(ours[key].double(), theirs[key].double()) < 1e-2 for key in ours)


@pytest.mark.parametrize("rank", ["exact", "2"])
def test_torch_is_not_loaded_for_it(files, tmp_path, rank):
    parts = [f"{path}:{strength}" for path, strength in files.items()]
    code = CODE.format(parts=parts, to=str(tmp_path / "out.safetensors"), rank=rank)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1:] == ["0 False False"], ran.stderr


def test_torch_is_loaded_where_it_is_needed(tmp_path):
    path = write(tmp_path / "whole.safetensors", {"a.fc": full((8, 8), torch.zeros(8, 8).double(), 1)[0]})
    code = CODE.format(parts=[f"{path}:0.5"], to=str(tmp_path / "out.safetensors"), rank="exact")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1:] == ["0 True True"], ran.stderr


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_still_an_error(tmp_path, bad):
    tensors = lora((16, 24), torch.zeros(()), 0)[0]
    tensors["lora_up.weight"][0, 0] = bad
    path = write(tmp_path / "bad.safetensors", {"a.fc": tensors})
    with pytest.raises(TensorError, match="NaN or infinite"):
        bake_files({path: 1.0}, tmp_path / "out.safetensors", Form())


def test_what_is_too_large_for_the_type_is_still_an_error(tmp_path):
    tensors = {"lora_up.weight": normal(16, 2) * 1e5, "lora_down.weight": normal(2, 24) * 1e5}
    path = write(tmp_path / "large.safetensors", {"a.fc": tensors})
    with pytest.raises(TensorError, match="too large for fp16"):
        bake_files({path: 1.0}, tmp_path / "out.safetensors", Form())
    assert bake_files({path: 1.0}, tmp_path / "out.safetensors", Form(dtype="fp32")).error < 1e-6


def test_small_factors_are_balanced_before_they_are_rounded(tmp_path):
    tensors = {"lora_up.weight": normal(16, 2) * 1e-6, "lora_down.weight": normal(2, 24) * 1e3}
    path = write(tmp_path / "small.safetensors", {"a.fc": tensors})
    assert bake_files({path: 1.0}, tmp_path / "out.safetensors", Form()).error < 1e-3


def test_the_proof_is_of_what_the_file_holds(files, tmp_path, monkeypatch):
    read_back = product._read

    def damaged(file, key):
        raw = read_back(file, key)
        if key == "a.fc.lora_up.weight":
            raw.values[0, 0] ^= 1 << 14
        return raw

    monkeypatch.setattr(product, "_read", damaged)
    proof = bake_files(files, tmp_path / "out.safetensors", Form())
    assert max(proof.layers, key=lambda layer: layer.error).layer == "a.fc.weight"
    assert proof.error > 0.01


def test_what_does_not_read_back_is_an_error(files, tmp_path, monkeypatch):
    def damaged(file, key):
        entry = file.entries[key]
        return product.Raw(entry.dtype, np.full(entry.shape, 0x7C00, np.uint16))

    monkeypatch.setattr(product, "_read", damaged)
    with pytest.raises(OutputError, match="does not read back"):
        bake_files(files, tmp_path / "out.safetensors", Form())
