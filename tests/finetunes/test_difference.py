"""A checkpoint less its base is a fine-tune, whichever layout each has; copies and equal layers do not count."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from eleven.errors import BaseNeeded, FamilyMismatch, TensorError
from eleven.finetunes.opening import open_finetune
from eleven.layers.family import family
from models import base_tensors

SD1 = family("sd1")
QUERY = "text_encoder.text_model.encoder.layers.3.self_attn.q_proj.weight"
SMALL = {name: at for name, at in SD1.layers().items() if name.startswith("text_encoder.") and len(at.shape) == 1}
"""Biases and norms, more than half of the text encoder's layers and hardly any bytes."""


def encoder(seed, dtype=torch.float32):
    """Some of SD 1's text encoder, by its layers' names."""
    chance = torch.Generator().manual_seed(seed)
    wanted = SMALL | {QUERY: SD1.layers()[QUERY]}
    return {name: torch.randn(at.shape, generator=chance).to(dtype) for name, at in wanted.items()}


def single_file(path, tensors, **more):
    keys = SD1.sources()
    save_file({keys[name].key: tensor for name, tensor in tensors.items()} | more, path)
    return path


def folder(path, tensors):
    (path / "text_encoder").mkdir(parents=True)
    held = {name.removeprefix("text_encoder."): tensor for name, tensor in tensors.items()}
    save_file(held, path / "text_encoder" / "model.safetensors")
    (path / "model_index.json").write_text(json.dumps({"_class_name": "X", "text_encoder": ["transformers", "CLIP"]}))
    return path


@pytest.mark.parametrize("tuned_as", [single_file, folder])
@pytest.mark.parametrize("base_as", [single_file, folder])
def test_the_difference_is_the_same_in_every_layout(tmp_path, tuned_as, base_as):
    tuned, base = encoder(1), encoder(2)
    tuned["text_encoder.text_model.final_layer_norm.bias"] = base["text_encoder.text_model.final_layer_norm.bias"]
    places = tuned_as(tmp_path / "tuned.safetensors", tuned), base_as(tmp_path / "base.safetensors", base)
    with open_finetune(*places) as tune:
        assert tune.family is SD1 and tune.unread == ()
        found = {layer.name: (layer, delta) for layer, delta in tune.deltas()}
    assert found.keys() == tuned.keys() - {"text_encoder.text_model.final_layer_norm.bias"}
    for name, (layer, delta) in found.items():
        assert layer.block == "TE" and delta.shape == layer.matrix
        assert torch.equal(delta.dense().reshape(tuned[name].shape), tuned[name] - base[name])


def test_half_precision_is_subtracted_in_full(tmp_path):
    tuned, base = encoder(1, torch.float16), encoder(2, torch.bfloat16)
    with open_finetune(
        single_file(tmp_path / "t.safetensors", tuned), single_file(tmp_path / "b.safetensors", base)
    ) as tune:
        found = {layer.name: delta.dense() for layer, delta in tune.deltas()}
    assert torch.equal(found[QUERY], tuned[QUERY].float() - base[QUERY].float())


def test_copies_for_training_are_ignored(tmp_path):
    plain = encoder(1)
    path = single_file(
        tmp_path / "t.safetensors", plain, **{"model_ema.decay": torch.ones(1), "model_ema.x": torch.ones(3)}
    )
    with open_finetune(path, single_file(tmp_path / "b.safetensors", plain)) as tune:
        assert list(tune.deltas()) == [] and tune.unread == ()


def test_checkpoints_of_unknown_families_compare_by_their_own_names(tmp_path):
    base = base_tensors("net.a") | base_tensors("net.b")
    tuned = base | {"net.a.weight": base["net.a.weight"] + 1}
    for name, tensors in (("base", base), ("tuned", tuned)):
        save_file(tensors, tmp_path / f"{name}.safetensors")
    with open_finetune(tmp_path / "tuned.safetensors", tmp_path / "base.safetensors") as tune:
        assert tune.family is None
        ((layer, delta),) = tune.deltas()
    assert layer.name == "net.a.weight" and torch.equal(delta.dense(), tuned["net.a.weight"] - base["net.a.weight"])


def test_without_a_base_it_is_asked_for(tmp_path):
    path = single_file(tmp_path / "t.safetensors", encoder(1))
    with open_finetune(path) as tune, pytest.raises(BaseNeeded, match="t.safetensors is a whole model"):
        next(tune.deltas())


def test_another_family_as_base_is_refused(tmp_path):
    save_file(base_tensors("net.a"), tmp_path / "other.safetensors")
    path, says = single_file(tmp_path / "t.safetensors", encoder(1)), "for Stable Diffusion 1, other.safetensors is not"
    with open_finetune(path, tmp_path / "other.safetensors") as tune, pytest.raises(FamilyMismatch, match=says):
        next(tune.deltas())


def test_numbers_that_are_none_are_refused_by_name(tmp_path):
    tuned = single_file(tmp_path / "t.safetensors", encoder(1) | {QUERY: torch.full((768, 768), float("nan"))})
    base = single_file(tmp_path / "b.safetensors", encoder(2))
    with open_finetune(tuned, base) as tune, pytest.raises(TensorError, match=r"t.safetensors: .*q_proj.weight holds"):
        list(tune.deltas())
