"""`eleven demo` shows what it computes: files that open, and a mix that is exact."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from eleven.cli.main import run
from eleven.demonstration import MODULES, check_mix, make_files
from eleven.exports.proof import LayerProof, Proof


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


def test_the_demo_bakes_its_mix_and_measures_the_file(tmp_path, capsys):
    for _ in range(2):
        assert run(["demo", "--to", str(tmp_path), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
    assert 1e-6 < told["proof"]["error"] < 1e-3 and told["proof"]["applied"] == len(MODULES)
    assert len({key.split(".")[0] for key in load_file(told["baked"])}) == len(MODULES)


def test_a_baked_file_that_is_off_ends_in_1(tmp_path, monkeypatch):
    from eleven import demonstration

    proof = Proof((LayerProof("x", 1.0, 1e-4, "full"),))
    monkeypatch.setattr(demonstration, "bake_mix", lambda files: (files[0], proof))
    assert run(["demo", "--to", str(tmp_path)]) == 1


@pytest.mark.parametrize("name", ["demo_lora.safetensors", "demo_mix.safetensors"])
@pytest.mark.parametrize("metadata", [None, {"ss_output_name": "demo_lora"}, {"eleven.recipe": '{"parts": []}'}])
def test_the_demo_overwrites_no_file_of_the_users(tmp_path, capsys, name, metadata):
    save_file({"a": torch.ones(1)}, tmp_path / name, metadata)
    before = (tmp_path / name).read_bytes()
    assert run(["demo", "--to", str(tmp_path)]) == 1
    assert "exists, and no demo made it" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_in_the_folders_place_is_told(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    for to in ("file", "file/inside"):
        assert run(["demo", "--to", str(tmp_path / to)]) == 1
        assert "cannot be made a folder" in capsys.readouterr().err
