"""A file is only read: it stays as it was, can be deleted, and says what it is."""

from __future__ import annotations

import hashlib
import sys

import pytest
import torch
from safetensors.torch import save_file

from eleven.errors import BaseNeeded, FileError
from eleven.finetunes.opening import open_finetune
from eleven.layers.dialect import spell
from eleven.layers.family import family
from models import base_tensors, one_layer, write_layer

PREFIX = "net.0.proj"
NEEDS_BASE = {"glora", "ia3", "ia3-peft", "oft", "boft", "oft-input", "tlora", "dora", "dora-loha"}


@pytest.mark.parametrize("name", one_layer())
def test_reading_changes_nothing_and_lets_the_file_go(name, tmp_path):
    path = write_layer(tmp_path / "a.safetensors", one_layer()[name])
    save_file(base_tensors(PREFIX), tmp_path / "base.safetensors")
    before = hashlib.sha256(path.read_bytes()).digest()
    with open_finetune(path, tmp_path / "base.safetensors") as tune:
        assert [layer.name.rpartition(".")[0] for layer, _ in tune.deltas()][:1] == [PREFIX]
        assert (tune.family, tune.unread, dict(tune.faults)) == (None, (), {})
    assert hashlib.sha256(path.read_bytes()).digest() == before
    path.unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files")
def test_a_file_can_be_deleted_while_it_is_open(tmp_path):
    path = write_layer(tmp_path / "a.safetensors", one_layer()["lora"])
    with open_finetune(path) as tune:
        path.unlink()
        assert len(list(tune.deltas())) == 1


@pytest.mark.parametrize("name", one_layer())
def test_changes_that_depend_on_the_base_say_so(name, tmp_path):
    path = write_layer(tmp_path / "a.safetensors", one_layer()[name])
    with open_finetune(path) as tune:
        if name not in NEEDS_BASE:
            assert list(tune.deltas())
            return
        with pytest.raises(BaseNeeded, match=r"a.safetensors: net.0.proj"):
            list(tune.deltas())


def test_an_unknown_family_keeps_the_files_own_names(tmp_path):
    path = write_layer(tmp_path / "a.safetensors", one_layer()["lora"], prefixes=("strange.3.name", "other"))
    with open_finetune(path) as tune:
        assert tune.family is None and tune.family_name == "an unknown family"
        assert {layer.name for layer, _ in tune.deltas()} == {"strange.3.name.weight", "other.weight"}


def write_ia3(path, known, parts=("unet", "text_encoder"), size=None, **metadata):
    """An (IA)³ in kohya's names of every attention of these parts of a family, or of so many outputs each."""
    tensors = {}
    for module, layer in known.modules().items():
        if (
            module.partition(".")[0] in parts
            and ".attn" in module.replace("self_attn", "attn")
            and len(layer.shape) == 2
        ):
            prefix = spell(known, module, "kohya")
            tensors |= {
                f"{prefix}.weight": torch.zeros(size or layer.shape[0]),
                f"{prefix}.on_input": torch.tensor(0.0),
            }
    save_file(tensors, path, metadata)
    return path


@pytest.mark.parametrize("name", ["lab", "sd1", "sdxl"])
def test_sizes_without_a_side_tell_the_family_too(name, tmp_path):
    with open_finetune(write_ia3(tmp_path / "a.safetensors", family(name))) as tune:
        assert (tune.family, tune.unread, tune.recognition.also) == (family(name), (), ())


def test_a_model_of_no_known_size_is_of_no_known_family(tmp_path):
    with open_finetune(write_ia3(tmp_path / "a.safetensors", family("lab"), size=37)) as tune:
        assert tune.family is None


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({}, "sd1"),
        ({"modelspec.architecture": "stable-diffusion-v2-768-v/lora"}, "sd2"),
        ({"ss_base_model_version": "sd_v2"}, "sd2"),
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "sd1"),
    ],
)
def test_where_two_families_fit_the_file_itself_decides(told, name, tmp_path):
    with open_finetune(write_ia3(tmp_path / "a.safetensors", family("sd2"), ("unet",), **told)) as tune:
        assert {tune.family, *tune.recognition.also} == {family("sd1"), family("sd2")}
        assert tune.family is family(name)


@pytest.mark.parametrize("tensors", [{}, {"a": torch.ones(3)}, {"x.lora_q": torch.ones(2, 2), "y": torch.ones(1)}])
def test_what_no_technique_explains_is_refused(tensors, tmp_path):
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(FileError, match=r"a.safetensors: no technique explains"):
        open_finetune(tmp_path / "a.safetensors")


def test_one_broken_layer_is_a_fault_and_spares_the_others(tmp_path):
    good, bad = one_layer()["lora"], one_layer()["lora"]
    bad["lora_up.weight"] = torch.ones(16, 5)
    tensors = {f"good.{suffix}": tensor for suffix, tensor in good.items()}
    tensors |= {f"bad.{suffix}": tensor for suffix, tensor in bad.items()}
    save_file(tensors, tmp_path / "a.safetensors")
    with open_finetune(tmp_path / "a.safetensors") as tune:
        assert list(tune.faults) == ["bad"] and "lora_up.weight [16, 5]" in tune.faults["bad"]
        assert [layer.name for layer, _ in tune.deltas()] == ["good.weight"]
