"""`eleven inspect` shows files and folders, names what it cannot read, and ends with the right code."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from eleven.cli.main import run
from models import one_layer, write_layer


@pytest.fixture
def folder(tmp_path):
    """Two adapters, a junk file, a text, a PEFT folder, a folder with one more, and one with nothing."""
    write_layer(tmp_path / "one.safetensors", one_layer()["lora"], **{"modelspec.title": "mine"})
    write_layer(tmp_path / "two.safetensors", one_layer()["lokr"])
    (tmp_path / "junk.pt").write_bytes(b"<html>")
    (tmp_path / "notes.txt").write_text("nothing")
    for name in ("peft", "inner", "empty"):
        (tmp_path / name).mkdir()
    write_layer(tmp_path / "peft" / "adapter_model.safetensors", one_layer()["loha"])
    write_layer(tmp_path / "inner" / "three.safetensors", one_layer()["full"])
    return tmp_path


def test_a_file_is_shown_within_80_columns(folder, capsys):
    assert run(["inspect", str(folder / "one.safetensors"), "--norms", "--hashes"]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines()[1:])
    for says in (
        "technique   lora 1",
        "an unknown family",
        "rank        2",
        "scale       0.5",
        "title       mine",
        "sha256",
    ):
        assert says in out


def test_several_files_follow_each_other(folder, capsys):
    assert run(["inspect", str(folder / "one.safetensors"), str(folder / "two.safetensors")]) == 0
    out = capsys.readouterr().out
    assert out.index("one.safetensors") < out.index("two.safetensors")


def test_a_folder_is_a_table_that_names_what_cannot_be_read(folder, capsys):
    assert run(["inspect", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == [
        "junk.pt",
        "one.safetensors",
        "peft",
        "two.safetensors",
        "unreadable:",
    ]
    assert "lora 1" in lines[3] and "unknown" in lines[3] and "is a web page" in lines[-1]


def test_folders_inside_are_read_when_asked(folder, capsys):
    assert run(["inspect", str(folder), "--recursive", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told) == 5
    assert any(one["path"].endswith("three.safetensors") for one in told)
    assert next(one["error"]["cause"] for one in told if "error" in one).endswith("a confirmation.")


def test_a_folder_that_is_one_model_is_no_table(folder, capsys):
    assert run(["inspect", str(folder / "peft"), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["container"], told["techniques"]) == ("folder", {"loha": 1})


def test_a_pipeline_is_one_model(tmp_path, capsys):
    (tmp_path / "unet").mkdir()
    save_file({"a.weight": torch.ones(2, 2)}, tmp_path / "unet" / "diffusion_pytorch_model.safetensors")
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "X", "unet": ["diffusers", "U"]}))
    assert run(["inspect", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["container"] == "diffusers folder"


def test_an_empty_folder_is_an_empty_table(folder, capsys):
    assert run(["inspect", str(folder / "empty")]) == 0
    assert "holds no models" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_unreadable_files_are_named_after_the_others_and_the_code_is_2(folder, capsys, options):
    names = ["junk.pt", "gone.safetensors", "one.safetensors"]
    assert run(["inspect", *(str(folder / name) for name in names), *options]) == 2
    shown = capsys.readouterr()
    assert "junk.pt: is a web page" in shown.err and "gone.safetensors" in shown.err
    if options:
        assert ["error" in one for one in json.loads(shown.out)] == [True, True, False]
    else:
        assert "lora 1" in shown.out


def test_unread_keys_are_listed(folder, capsys):
    write_layer(folder / "odd.safetensors", one_layer()["lora"] | {"strange": torch.ones(1)})
    assert run(["inspect", str(folder / "odd.safetensors")]) == 0
    assert "not understood (1):\n    net.0.proj.strange" in capsys.readouterr().out


def test_help_has_an_example(capsys):
    assert run(["inspect", "--help"]) == 0
    assert "Example: eleven inspect" in capsys.readouterr().out


def test_nothing_to_inspect_is_a_usage_error(capsys):
    assert run(["inspect"]) == 2
    assert "FILE" in capsys.readouterr().err
