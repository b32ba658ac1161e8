"""Textual inversions that travel with a mix."""

from __future__ import annotations

import pytest
import torch
from files_for_tests import bake_files, header, lora, normal, read, save, write

import eleven
from eleven.errors import TensorError
from eleven.exports.forms import Form
from eleven.techniques.textual_inversion import read_output, read_word

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


def test_output_vectors_travel_too(tmp_path):
    file = save(tmp_path / "eve.safetensors", {"emb_params": normal(2, 768), "emb_params_out": normal(3, 768)})
    bake_files({adapter(tmp_path): 0.5, file: 1.0}, tmp_path / "out.safetensors", Form(dtype="fp32"))
    with eleven.open(tmp_path / "out.safetensors") as opened:
        (found,) = opened.words
        assert not opened.unread
        assert read_word(found, opened.container.read)["text_encoder"].equal(normal(2, 768))
        assert read_output(found, opened.container.read)["text_encoder"].equal(normal(3, 768))


def test_output_vectors_alone_are_refused(tmp_path):
    file = save(tmp_path / "eve.safetensors", {"emb_params_out": normal(3, 768)})
    with pytest.raises(TensorError, match=r"eve\.safetensors: eve has output vectors only.*Leave"):
        bake_files({adapter(tmp_path): 0.5, file: 1.0}, tmp_path / "out.safetensors")


def test_diffusers_gets_no_words_and_the_proof_says_so(tmp_path):
    files = {adapter(tmp_path): 0.5, word(tmp_path, "eve"): 1.0}
    proof = bake_files(files, tmp_path / "out.safetensors", Form(dialect="diffusers"))
    assert not any("eve" in key for key in read(tmp_path / "out.safetensors"))
    assert [name for name, _ in proof.skipped] == ["word eve"]
    assert not bake_files(files, tmp_path / "kohya.safetensors").skipped
