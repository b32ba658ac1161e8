"""`eleven suggest` in text, JSON, a recipe and a page; a base is asked through one door."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType

import pytest
from safetensors.torch import save_file

from eleven.cli.main import run
from eleven.suggestions.probe import Band, Probe
from eleven.suggestions.suggesting import conclude
from models import base_tensors, one_layer, write_layer


@pytest.fixture
def models(tmp_path):
    """A LoRA and a LoKr of one layer, of one word."""
    told = {"modelspec.trigger_phrase": "sks person"}
    return [
        str(write_layer(tmp_path / f"eve-{name}.safetensors", one_layer(seed)[name], **told))
        for seed, name in enumerate(("lora", "lokr"))
    ]


def answer(capsys, *words):
    assert run(["suggest", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_strengths_stand_with_their_reasons_and_numbers_with_their_chance(models, capsys):
    assert run(["suggest", *models]) == 0
    out = capsys.readouterr().out
    for says in ("eve-lora", "0.70", "an even share", "(chance)", "total 1.40", "Files alone do not tell"):
        assert says in out
    assert "predictions" not in out.partition("total")[0]


def test_json_has_every_number(models, capsys):
    found = answer(capsys, *models)
    assert (found["schema_version"], found["total"], found["overlap"], found["bands"]) == (1, 1.4, None, [])
    assert [one["strength"] for one in found["files"]] == [0.7, 0.7]
    assert found["files"][0]["words"] == ["sks person"]
    assert found["gram"][0][0] == pytest.approx(found["files"][0]["norm"] ** 2)
    (pair,) = found["pairs"]
    assert -1 <= pair["cosine"] <= 1
    assert pair["cosine_chance"] > 0
    assert pair["predictions"] is None


def test_the_collapse_meter_reads_the_suggested_mix(models, tmp_path, capsys):
    found = answer(capsys, *models)["collapse"]
    assert (found["zone"], found["total"], found["preset"], found["red"]) == ("green", 1.4, 1.4, 1.5)
    assert (found["at_best"], found["additivity"], found["gain"]) == (False, None, None)
    assert 0.7 * 2**0.5 * 0.9 < found["ratio"] < found["effect"] < 1.35
    assert found["edge"] == pytest.approx(1.4 * 1.5 / found["effect"])
    assert run(["suggest", *models, "--page", str(tmp_path / "page.html")]) == 0
    assert found["text"].startswith("collapse meter: green: 1.40 in total")
    assert found["text"][:60] in capsys.readouterr().out
    page = (tmp_path / "page.html").read_text("utf-8")
    assert found["text"] in page
    assert "suggested 1.40" in page


def test_a_recipe_is_written_that_bake_takes(models, tmp_path, capsys):
    to, baked = tmp_path / "mix.toml", tmp_path / "mix.safetensors"
    assert run(["suggest", *models, "--to", str(to)]) == 0
    assert f"recipe: {to}" in capsys.readouterr().out
    assert run(["bake", str(to), "--to", str(baked)]) == 0
    assert baked.exists()
    assert run(["suggest", *models, "--to", str(to.with_suffix(".json"))]) == 0
    assert json.loads(to.with_suffix(".json").read_text("utf-8"))["parts"][0]["strength"] == 0.7


def test_the_page_opens_offline_and_says_what_json_says(models, tmp_path, capsys):
    page = tmp_path / "page.html"
    found = answer(capsys, *models, "--page", str(page))
    html = page.read_text("utf-8")
    assert "default-src 'none'" in html
    assert not re.search(r"""(src|href)=["'](?!#)|@import|url\(|<script""", html)
    for one in found["files"]:
        assert one["name"] in html
    assert "Start with 2 models at 1.40 in total." in html
    assert "Nothing speaks against mixing these files." in html


def test_names_from_files_are_text_on_the_page(tmp_path, capsys):
    told = {"modelspec.trigger_phrase": "<script>alert(1)</script>"}
    path = write_layer(tmp_path / "a<b>.safetensors", one_layer()["lora"], **told)
    assert run(["suggest", str(path), "--page", str(tmp_path / "page.html")]) == 0
    html = (tmp_path / "page.html").read_text("utf-8")
    assert "<script" not in html
    assert "a<b>" not in html
    assert "a&lt;b&gt;" in html


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--to", "mix.yaml"], 2, "does not end in .toml or .json"),
        (["--photos", "."], 2, "Name the base with --base"),
        (["nothing.safetensors"], 2, "nothing.safetensors"),
        (["--base", "nobody/nothing-of-that-name"], 2, "no model of that id was downloaded"),
    ],
)
def test_what_makes_no_sense_is_refused(words, code, says, models, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert run(["suggest", *models, *words]) == code
    assert says in capsys.readouterr().err


def test_nothing_is_overwritten_unasked_and_no_model_ever(models, tmp_path, capsys):
    to = tmp_path / "mix.toml"
    to.write_text("mine")
    assert run(["suggest", *models, "--to", str(to)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert to.read_text() == "mine"
    assert run(["suggest", *models, "--page", models[0], "--force"]) == 1
    assert "is one of the inputs" in capsys.readouterr().err
    assert run(["suggest", *models, "--to", str(to), "--force"]) == 0


@pytest.fixture
def probing(monkeypatch):
    """A stand-in for the probe of a base, which is tested by itself; it keeps what it was asked."""
    module, adding, asked = ModuleType("eleven.engines.probing"), ModuleType("eleven.engines.additivity"), []

    @contextmanager
    def open_probe(*given):
        asked.append(given)
        target = (0.3, 0.1) if given[2] else ()
        yield Probe((Band("high", 0.5, 1.0, ((1.0, 0.6), (0.6, 1.0)), target, float(bool(target))),))

    def concluded(case, probe):
        examined = conclude(case, probe)
        return replace(examined, reading=examined.reading.with_predictions(additivity=0.2, gain=1.1))

    module.open_probe, adding.concluded = open_probe, concluded
    monkeypatch.setitem(sys.modules, "eleven.engines.probing", module)
    monkeypatch.setitem(sys.modules, "eleven.engines.additivity", adding)
    return asked


def test_a_base_tells_the_overlap_and_photos_the_proportions(models, tmp_path, probing, capsys):
    save_file(base_tensors("net.0.proj"), tmp_path / "base.safetensors")
    base = str(tmp_path / "base.safetensors")
    found = answer(capsys, *models, "--base", base)
    assert found["overlap"] == pytest.approx(0.6)
    assert found["total"] == pytest.approx(1.25, abs=0.02)
    assert found["bands"][0]["overlap"] == pytest.approx(0.6)
    assert found["pairs"][0]["predictions"] == pytest.approx(0.6)
    assert (found["collapse"]["additivity"], found["collapse"]["gain"]) == (0.2, 1.1)
    found = answer(capsys, *models, "--base", base, "--photos", str(tmp_path), "--trigger", "eve")
    assert found["by_photos"]
    assert found["files"][0]["strength"] > found["files"][1]["strength"]
    setup, files, photos, trigger, *_ = probing[1]
    assert (setup.base, [str(path) for path in files], photos, trigger) == (base, models, tmp_path, "eve")
    assert probing[0][3] == "sks person", "what the files tell"
    assert run(["suggest", *models, "--base", base, "--page", str(tmp_path / "page.html")]) == 0
    out = capsys.readouterr().out
    assert "predictions" in out
    assert "overlap of predictions by noise: high 0.60" in out
    assert "Predictions, high" in (tmp_path / "page.html").read_text("utf-8")


def test_a_lora_is_measured_without_loading_torch(tmp_path):
    path = write_layer(tmp_path / "a.safetensors", one_layer()["lora"])
    code = f"""
import sys
from eleven.cli.main import run
assert run(["suggest", {str(path)!r}, "--json"]) == 0
assert "torch" not in sys.modules, sorted(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
