"""Textual inversions that travel with a mix."""

from __future__ import annotations

import pytest
import torch
from files_for_tests import bake_files, header, lora, normal, read, save, write

import eleven
from eleven.errors import TensorError
from eleven.exports.forms import Form

QUERY = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


def word(folder, name, seed=1):
    (folder / str(seed)).mkdir(exist_ok=True)
    return save(folder / str(seed) / f"{name}.safetensors", {"emb_params": normal(2, 768, seed=seed)})


def adapter(folder):
    return write(folder / "a.safetensors", {QUERY: lora((320, 320), torch.zeros(()), 1)[0]})


def test_words_are_bundled_and_read_back(tmp_path):
    bake_files({adapter(tmp_path): 0.5, word(tmp_path, "eve"): 1.0}, tmp_path / "out.safetensors", Form(dtype="fp32"))
    found = read(tmp_path / "out.safetensors")
    bundled = [tensor for key, tensor in found.items() if key.startswith("bundle_emb.eve.")]
    assert len(bundled) == 1
    assert bundled[0].equal(normal(2, 768, seed=1))
    assert "eve" in header(tmp_path / "out.safetensors")["modelspec.trigger_phrase"].split(", ")
    with eleven.open(tmp_path / "out.safetensors") as opened:
        assert [one.token for one in opened.words] == ["eve"]
        assert list(opened.modules)
        assert not opened.unread


def test_words_alone_are_a_file_too(tmp_path):
    proof = bake_files({word(tmp_path, "eve"): 1.0, word(tmp_path, "adam", 2): 1.0}, tmp_path / "out.safetensors")
    assert proof.error == 0
    assert {key.split(".")[1] for key in read(tmp_path / "out.safetensors")} == {"eve", "adam"}


def test_one_word_taught_twice_is_refused_unless_it_is_the_same(tmp_path):
    files = {adapter(tmp_path): 0.5, word(tmp_path, "eve"): 1.0, word(tmp_path, "eve", 2): 1.0}
    with pytest.raises(TensorError, match=r"two parts teach the word 'eve' differently .*Rename one"):
        bake_files(files, tmp_path / "out.safetensors")
    (tmp_path / "2" / "eve.safetensors").write_bytes((tmp_path / "1" / "eve.safetensors").read_bytes())
    bake_files(files, tmp_path / "out.safetensors")


def test_words_at_strength_0_stay_behind(tmp_path):
    bake_files({adapter(tmp_path): 0.5, word(tmp_path, "eve"): 0.0}, tmp_path / "out.safetensors")
    assert not any("eve" in key for key in read(tmp_path / "out.safetensors"))
