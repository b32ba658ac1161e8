"""What `eleven bake` says of strengths that are too much."""

from __future__ import annotations

import json

import pytest
from test_bake import SD1, lora

from eleven.amplification.zones import EFFECT
from eleven.cli.main import run


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lora(tmp_path / "a.safetensors", f"{SD1}to_q", f"{SD1}to_k")
    return tmp_path


def test_strengths_that_are_too_much_are_warned_of_with_the_total_at_the_line(here, capsys):
    assert run(["bake", "a.safetensors:1.1", "a.safetensors:1", "--to", "out.safetensors", "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)["collapse"]
    assert (told["zone"], told["total"], told["effect"]) == ("red", pytest.approx(2.1), pytest.approx(2.1, rel=1e-3))
    assert told["edge"] == pytest.approx(EFFECT.red, rel=1e-3)
    assert err.startswith("warning: The strengths add up to 2.10, which does about 2.10 × what one model does alone; ")
    assert err.endswith(f"here from {EFFECT.red:.2f} in total.\n")


@pytest.mark.parametrize("parts", [["a.safetensors"], ["a.safetensors:0.5", "a.safetensors:-0.4"]])
def test_usual_strengths_are_not_warned_of(here, capsys, parts):
    assert run(["bake", *parts, "--to", "out.safetensors", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "collapse" not in json.loads(out)
    assert err == ""
