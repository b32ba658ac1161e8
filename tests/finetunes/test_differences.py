"""DreamBooth models of every type and container against their base; wrong bases are noticed."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from safetensors.torch import save_file

from eleven.errors import FamilyMismatch, TensorError
from eleven.exports.extraction import suspicious
from eleven.finetunes.opening import open_finetune
from eleven.layers.family import family

SD1 = family("sd1")
TYPES = (torch.float16, torch.bfloat16, torch.float32)
NORM, VAE = "text_encoder.text_model.final_layer_norm.weight", "vae."


def model(seed: int = 0, dtype: torch.dtype = torch.float32, *, vae: bool = True) -> dict[str, torch.Tensor]:
    """All biases and norms of SD 1's text encoder and VAE, and the VAE's narrow weights, in the original layout."""
    chance = torch.Generator().manual_seed(seed)
    wanted = {
        name: at.shape
        for name, at in SD1.layers().items()
        if name.startswith(("text_encoder.", "vae.")[: 1 + vae])
        and (len(at.shape) == 1 or (name.startswith("vae.") and at.shape[0] <= 128))
    }
    return {SD1.sources()[name].key: torch.randn(size, generator=chance).to(dtype) for name, size in wanted.items()}


def write(path, tensors):
    (torch.save if path.suffix == ".ckpt" else save_file)(tensors, path)
    return path


def changes(tuned, base):
    with open_finetune(tuned, base) as tune:
        return {layer.name: delta.dense() for layer, delta in tune.deltas()}


@pytest.mark.parametrize(("first", "second"), list(product(TYPES, TYPES)))
@pytest.mark.parametrize("ending", ["safetensors", "ckpt"])
def test_differences_of_any_types_are_the_nearest_float32(first, second, ending, tmp_path):
    tuned, base = model(1, first, vae=False), model(2, second, vae=False)
    found = changes(write(tmp_path / f"t.{ending}", tuned), write(tmp_path / "b.safetensors", base))
    for name, delta in found.items():
        key = SD1.sources()[name].key
        assert delta.flatten().equal((tuned[key].double() - base[key].double()).float())
    assert len(found) == len(tuned)


def test_the_vae_is_no_part_of_a_difference(tmp_path):
    base = model()
    moved = {key: tensor + 1 for key, tensor in base.items() if key.startswith("first_stage_model.")}
    key = SD1.sources()[NORM].key
    tuned = base | moved | {key: base[key] + 1}
    found = changes(write(tmp_path / "t.safetensors", tuned), write(tmp_path / "b.safetensors", base))
    assert found.keys() == {NORM}


def test_a_layer_of_another_shape_is_refused_with_both_shapes(tmp_path):
    base = {"net.a.weight": torch.ones(3, 4), "net.b.weight": torch.ones(3, 4)}
    tuned = base | {"net.b.weight": torch.ones(3, 5)}
    paths = write(tmp_path / "t.safetensors", tuned), write(tmp_path / "b.safetensors", base)
    with pytest.raises(TensorError, match=r"t\.safetensors: net\.b\.weight is \[3, 5\], in b\.safetensors \[3, 4\]"):
        changes(*paths)


def test_layers_that_the_base_lacks_are_refused_with_their_number(tmp_path):
    base = {"net.a.weight": torch.ones(3, 4)}
    tuned = {"net.a.weight": torch.zeros(3, 4), "net.b.weight": torch.ones(3, 4), "net.position_ids": torch.ones(3)}
    paths = write(tmp_path / "t.safetensors", tuned), write(tmp_path / "b.safetensors", base)
    told = r"b\.safetensors lacks 1 of the 3 layers of t\.safetensors \(first: net\.b\.weight\).*whole model"
    with pytest.raises(FamilyMismatch, match=told):
        changes(*paths)


def test_a_base_without_the_tuned_component_is_refused_and_one_with_more_is_not(tmp_path):
    def text(size):
        return {key: size * tensor for key, tensor in model(vae=False).items()}

    def unet():
        layers = [at for name, at in SD1.layers().items() if name.startswith("unet.") and len(at.shape) == 1]
        return {SD1.sources()[at.name].key: torch.ones(at.shape) for at in layers}

    both = write(tmp_path / "both.safetensors", unet() | text(1))
    with pytest.raises(FamilyMismatch, match=r"te\.safetensors lacks \d+ of .*first: unet\."):
        changes(both, write(tmp_path / "te.safetensors", text(2)))
    assert len(changes(tmp_path / "te.safetensors", both)) == len(text(1))


def test_layers_that_the_base_has_can_be_asked_for_one_by_one(tmp_path):
    base = {"net.a.weight": torch.ones(3, 4)}
    tuned = {"net.a.weight": torch.zeros(3, 4), "net.b.weight": torch.ones(3, 4)}
    paths = write(tmp_path / "t.safetensors", tuned), write(tmp_path / "b.safetensors", base)
    with open_finetune(*paths) as tune:
        assert [layer.name for layer, _ in tune.change("net.a")] == ["net.a.weight"]
        with pytest.raises(FamilyMismatch):
            tune.change("net.b")


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_a_base_in_eight_bits_is_subtracted_as_it_is(kind, tmp_path):
    tuned, base = model(1, vae=False), {key: tensor.to(kind) for key, tensor in model(2, vae=False).items()}
    found = changes(write(tmp_path / "t.safetensors", tuned), write(tmp_path / "b.safetensors", base))
    for name, delta in found.items():
        key = SD1.sources()[name].key
        assert delta.flatten().equal(tuned[key] - base[key].float())
    assert len(found) == len(tuned)


def test_a_base_with_another_vae_is_suspicious_and_rounding_is_not(tmp_path):
    base = write(tmp_path / "base.safetensors", model())
    same = write(tmp_path / "same.safetensors", {key: tensor.half() for key, tensor in model().items()})
    other = write(tmp_path / "other.safetensors", model(5))
    assert not suspicious(base, base)
    assert not suspicious(same, base)
    (told,) = suspicious(other, base)
    assert "base.safetensors may not be the base of other.safetensors" in told


def test_models_without_a_vae_raise_no_suspicion(tmp_path):
    first = write(tmp_path / "a.safetensors", model(1, vae=False))
    assert not suspicious(first, write(tmp_path / "b.safetensors", model(2, vae=False)))
