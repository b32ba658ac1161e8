"""`eleven demo` shows what it computes: files that open, and a mix that is exact."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from eleven.cli.main import run
from eleven.demonstration import MODULES, check_mix, make_files


def test_the_demo_makes_three_techniques_and_mixes_them_exactly(tmp_path, capsys):
    assert run(["demo", "--to", str(tmp_path / "demo"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [file["techniques"] for file in told["files"]] == [{"lora": 5}, {"loha": 5}, {"lokr": 5}]
    assert all(
        file["family"] == "sd1" and file["dialect"] == "kohya" and not file["warnings"] for file in told["files"]
    )
    assert len(told["layers"]) == len(MODULES)
    assert 0 < told["worst"] == max(layer["error"] for layer in told["layers"]) < 1e-6
    assert all(layer["norm"] > 1 for layer in told["layers"])


def test_the_demo_says_what_comes_later(tmp_path, capsys):
    assert run(["demo", "--to", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert "comes later" in shown.err and "relative error" in shown.out and "demo_lokr" in shown.out


def test_the_comparison_would_see_a_wrong_scale(tmp_path, monkeypatch):
    from eleven import demonstration

    files = make_files(tmp_path)
    exact = demonstration.dense
    monkeypatch.setattr(demonstration, "dense", lambda tune, layer: exact(tune, layer) * 1.01)
    assert all(one.error == pytest.approx(0.0099, rel=0.01) for one in check_mix(files))


def test_the_mix_follows_the_files(tmp_path):
    files = make_files(tmp_path)
    before = [one.norm for one in check_mix(files)]
    tensors = load_file(files[0])
    save_file({key: torch.zeros_like(tensor) if "up" in key else tensor for key, tensor in tensors.items()}, files[0])
    assert all(after.norm < norm for after, norm in zip(check_mix(files), before, strict=True))
