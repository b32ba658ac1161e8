"""Families of models of any size: the known one where all sizes are its own, else one with names like it."""

from __future__ import annotations

import pytest

from eleven.errors import FamilyMismatch
from eleven.layers.dialect import spellings
from eleven.layers.family import FAMILIES, family
from eleven.layers.live import known_family, live_family


def shapes_of(known, scale=1):
    """Names and shapes of a model like a family's, its sizes divided."""
    return {
        part.folder: {row.name: tuple(max(1, size // scale) for size in row.shape) for row in part.rows}
        for part in known.components
    }


@pytest.mark.parametrize("known", [family for family in FAMILIES if family.layers()], ids=lambda known: known.name)
def test_a_model_of_a_familys_own_size_is_that_family(known):
    if any(not layer.shape for layer in known.layers().values()):
        pytest.skip("the table tells no shapes")
    found = live_family(shapes_of(known), hint="sd1")
    assert found.family is known
    assert set(found.own) == set(known.layers())


def test_one_layer_of_another_size_makes_another_family():
    shapes = shapes_of(family("lab"))
    assert known_family(shapes) is family("lab")
    assert known_family({"unet": shapes["unet"]}) is family("lab")
    assert known_family({"text_encoder": shapes["text_encoder"]}) is None
    assert known_family({"unet": shapes["unet"] | {"conv_in.bias": (65,)}}) is None


@pytest.mark.parametrize("name", ["sd1", "sdxl", "sd3", "flux"])
@pytest.mark.parametrize("dialect", ["kohya", "diffusers", "comfyui"])
def test_a_smaller_model_is_spelled_as_the_real_one(name, dialect):
    known = family(name)
    assert known is not None
    found = live_family(shapes_of(known, 16), hint=name).family
    assert found.name == f"{name}-own"
    small, real = spellings(found, dialect), spellings(known, dialect)
    unlike = [prefix for prefix in real if "VAE" not in prefix and prefix not in small and "vae" not in prefix]
    assert not unlike
    for prefix, places in real.items():
        if not places[0].module.startswith("vae."):
            assert [place.module for place in small[prefix]] == [place.module for place in places]
            assert [bool(place.ranges) for place in small[prefix]] == [bool(place.ranges) for place in places]
    assert [layer.block for layer in found.layers().values()] == [layer.block for layer in known.layers().values()]


def test_a_unet_with_one_block_a_level_counts_its_own_steps():
    known = family("sdxl")
    assert known is not None
    shapes = shapes_of(known, 16)
    unet = {name: shape for name, shape in shapes["unet"].items() if ".resnets.1." not in name or "up_" in name}
    unet = {name: shape for name, shape in unet.items() if ".resnets.2." not in name and ".attentions.2." not in name}
    unet = {name: shape for name, shape in unet.items() if "down" not in name or ".attentions.1." not in name}
    found = live_family(shapes | {"unet": unet}, hint="sdxl").family
    rows = {row.name: row for row in found.components[0].rows}
    assert rows["down_blocks.1.attentions.0.proj_in.weight"].original == "input_blocks.3.1.proj_in.weight"
    assert rows["down_blocks.1.downsamplers.0.conv.weight"].original == "input_blocks.4.0.op.weight"
    assert rows["up_blocks.1.attentions.1.proj_in.weight"].original == "output_blocks.3.1.proj_in.weight"
    assert rows["up_blocks.1.upsamplers.0.conv.weight"].original == "output_blocks.3.2.conv.weight"
    assert rows["up_blocks.1.attentions.1.proj_in.weight"].block == "OUT03"


def test_fused_rows_are_counted_in_the_models_own_sizes():
    known = family("flux")
    assert known is not None
    found = live_family(shapes_of(known, 16), hint="flux").family
    rows = {row.name: row for row in found.components[0].rows}
    assert rows["single_transformer_blocks.3.proj_mlp.weight"].ranges == ((576, 1344),)
    assert rows["norm_out.linear.weight"].ranges == ((192, 384), (0, 192))


def test_text_encoders_without_their_first_word_are_recognised():
    known = family("sd1")
    assert known is not None
    shapes = shapes_of(known, 16)
    bare = {name.removeprefix("text_model."): shape for name, shape in shapes["text_encoder"].items()}
    found = live_family(shapes | {"text_encoder": bare}, hint="sd1")
    assert found.own["text_encoder.text_model.final_layer_norm.weight"] == "text_encoder.final_layer_norm.weight"


def test_a_model_that_is_named_like_none_is_refused():
    with pytest.raises(FamilyMismatch, match="no known family"):
        live_family({"unet": {"body.0.weight": (4, 4)}})
