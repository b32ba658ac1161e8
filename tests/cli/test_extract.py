"""`eleven extract` as a user meets it."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from eleven.cli.main import run


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A model of no known family, its fine-tune, and an adapter."""
    monkeypatch.chdir(tmp_path)
    draw = torch.Generator().manual_seed(0)
    base = {f"net.{at}.weight": torch.randn(24, 16, generator=draw) for at in range(3)}
    base |= {"net.0.bias": torch.zeros(24), "norm.weight": torch.ones(24)}
    moved = {key: tensor + 0.1 * torch.randn(tensor.shape, generator=draw) for key, tensor in base.items()}
    save_file(base, tmp_path / "base.safetensors")
    save_file(base | {key: moved[key] for key in moved if key != "net.2.weight"}, tmp_path / "tuned.safetensors")
    return tmp_path


def extract(*words):
    return run(["extract", "tuned.safetensors", "--base", "base.safetensors", "--to", "out.safetensors", *words])


def test_difference_is_written_and_told(here, capsys):
    assert extract("--rank", "4", "--dtype", "fp32") == 0
    assert capsys.readouterr().out.startswith("out.safetensors: 4 layers, relative error ")
    found = load_file("out.safetensors")
    assert found["net.0.lora_up.weight"].shape == (24, 4)
    assert {key.partition(".lora")[0] for key in found if "lora_up" in key} == {"net.0", "net.1"}
    assert {"net.0.diff_b", "norm.w_norm"} <= found.keys()


def test_energy_alone_has_no_limit_and_the_default_rank_has(here, capsys):
    draw = torch.Generator().manual_seed(1)
    base = {"net.weight": torch.zeros(96, 96)}
    save_file(base, here / "base.safetensors")
    save_file({"net.weight": torch.randn(96, 96, generator=draw)}, here / "tuned.safetensors")
    assert extract() == 0
    assert load_file("out.safetensors")["net.lora_up.weight"].shape == (96, 32)
    assert "% of the energy is kept. Raise --rank." in capsys.readouterr().err
    assert extract("--energy", "0.99", "--force") == 0
    assert 32 < load_file("out.safetensors")["net.lora_up.weight"].shape[1] < 96
    assert capsys.readouterr().err == ""
    assert extract("--energy", "0.99", "--rank", "8", "--force") == 0
    assert load_file("out.safetensors")["net.lora_up.weight"].shape == (96, 8)
    assert "note: 1 of 1 layers keep less than --energy 0.99. Raise --rank." in capsys.readouterr().err


def test_base_in_eight_bits_serves(here):
    base = {key: tensor.to(torch.float8_e4m3fn) for key, tensor in load_file("base.safetensors").items()}
    save_file(base, here / "base.safetensors")
    assert extract("--dtype", "fp32") == 0
    wanted = load_file("tuned.safetensors")["net.0.bias"] - base["net.0.bias"].float()
    assert torch.equal(load_file("out.safetensors")["net.0.diff_b"], wanted)


def test_json_tells_every_layer(here, capsys):
    assert extract("--as", "lokr", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {layer["form"] for layer in told["layers"]} == {"kronecker", "full"}
    assert told["applied"] == 4


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (["--rank", "0"], "'--rank': Input should be greater than or equal to 1", 2),
        (["--rank", "exact"], "'--rank'", 2),
        (["--energy", "0"], "--energy is 0. It is a share", 2),
        (["--as", "loha"], "nothing is stored as 'loha'. Choose from lora, lokr.", 2),
        (["--as", "lokr", "--dialect", "diffusers"], "diffusers has no LoKr.", 2),
        (["--rank", "1", "--tolerance", "0.01"], "is above the tolerance 1.00e-02", 1),
        (["--to", "tuned.safetensors", "--force"], "is one of the inputs", 1),
        (["--to", "base.safetensors", "--force"], "is one of the inputs", 1),
        (["--to", "out.ckpt"], "out.ckpt does not end in .safetensors.", 2),
        (["--to", "no/out.safetensors"], "the folder no does not exist.", 1),
        (["--base", "tuned.safetensors"], "the two models are equal", 2),
        (["--as", "lokr", "--tolerance", "0"], "Use --as lora. Or raise --tolerance", 1),
        (["--base", "missing.safetensors"], "missing.safetensors", 2),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(here, capsys, words, told, code):
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    assert extract(*words) == code
    assert told in " ".join(line.partition(": ")[2] for line in capsys.readouterr().err.splitlines())
    after = {path.name: path.read_bytes() for path in here.iterdir() if path.name != "out.safetensors"}
    assert after == before


def test_adapter_is_no_checkpoint(here, capsys):
    save_file({"x.lora_up.weight": torch.ones(4, 1), "x.lora_down.weight": torch.ones(1, 4)}, here / "a.safetensors")
    assert run(["extract", "a.safetensors", "--base", "base.safetensors", "--to", "out.safetensors"]) == 2
    assert "a.safetensors: is no base model." in capsys.readouterr().err
