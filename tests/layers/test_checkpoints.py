"""Whole models are recognised from their keys, in every layout, whole or in part."""

from __future__ import annotations

import pytest
from adapter_listings import headers, listing

from eleven.layers.checkpoints import recognise_checkpoint
from eleven.layers.family import FAMILIES, family

PARTS = [pytest.param(each, part, id=f"{each.name} {part.folder}") for each in FAMILIES for part in each.components]


def entries(component, prefix, layout):
    """Shapes by key of a checkpoint that keeps the component so."""
    layers, made = component.layers(), {}
    for name, source in component.keys(prefix, layout).items():
        shape = layers[name].shape or (4, 4)
        last = max((stop for _, stop in source.ranges or ()), default=shape[0])
        count = max(last, made.get(source.key, (0,))[0])
        made[source.key] = shape[::-1] if source.transposed else (count, *shape[1:])
    return made


def whole(owner):
    """Shapes by key of the family's usual single file."""
    return {key: shape for part in owner.components for key, shape in entries(part, *part.checkpoints[0]).items()}


@pytest.mark.parametrize("owner", FAMILIES, ids=lambda each: each.name)
def test_a_whole_model_is_recognised_with_every_layer(owner):
    found = recognise_checkpoint(whole(owner))
    assert found.family is owner
    assert found.sources == owner.sources()
    assert (found.rest, found.ignored, found.also) == ((), (), ())


@pytest.mark.parametrize(("owner", "component"), PARTS)
def test_a_component_alone_is_recognised_in_every_layout(owner, component):
    assert component.checkpoints
    for at in component.checkpoints:
        found = recognise_checkpoint(entries(component, *at))
        assert owner in (found.family, *found.also), at
        assert found.rest == (), at
        assert found.family is not owner or found.sources.keys() == component.layers().keys(), at


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_an_inpainting_model_has_more_input_channels(name):
    model = whole(family(name)) | {"model.diffusion_model.input_blocks.0.0.weight": (320, 9, 3, 3)}
    found = recognise_checkpoint(model)
    assert found.family is family(name)
    assert found.sources["unet.conv_in.weight"].key == "model.diffusion_model.input_blocks.0.0.weight"


def test_attention_of_the_vae_may_be_stored_as_a_convolution():
    model = whole(family("sd1"))
    model |= {key: (*shape, 1, 1) for key, shape in model.items() if ".attn_1." in key and len(shape) == 2}
    assert len(recognise_checkpoint(model).sources) == len(family("sd1").layers())


def test_copies_and_bookkeeping_are_ignored_and_the_rest_is_listed():
    model = whole(family("sd1"))
    more = {
        "model_ema.diffusion_modelinput_blocks00weight": (320, 4, 3, 3),
        "betas": (1000,),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": (1, 77),
        "what.is.this": (3,),
    }
    found = recognise_checkpoint(model | more)
    assert found.ignored == tuple(more)[:3]
    assert found.rest == ("what.is.this",)


def test_a_layer_of_the_wrong_shape_is_not_found():
    key = "model.diffusion_model.middle_block.0.in_layers.2.weight"
    found = recognise_checkpoint(whole(family("sd1")) | {key: (1280, 640, 3, 3)})
    assert found.rest == (key,)
    assert "unet.mid_block.resnets.0.conv1.weight" not in found.sources


def test_parts_of_a_fused_key_know_their_rows_and_a_transposed_one_says_so():
    found = recognise_checkpoint(whole(family("sdxl")))
    key = found.sources["text_encoder_2.text_model.encoder.layers.0.self_attn.k_proj.weight"]
    assert (key.key, key.ranges) == (
        "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight",
        ((1280, 2560),),
    )
    assert found.sources["text_encoder_2.text_projection.weight"].transposed


def test_a_model_of_an_unknown_family_keeps_its_names():
    found = recognise_checkpoint({"net.0.weight": (8, 4), "net.0.bias": (8,)})
    assert found.family is None
    assert {name: source.key for name, source in found.sources.items()} == {name: name for name in found.sources}


def test_adapters_and_embeddings_are_no_models(assets):
    assert (
        recognise_checkpoint({key: tuple(shape) for key, shape in listing("flux_control_lora_format").items()}) is None
    )
    assert recognise_checkpoint({"emb_params": (4, 768)}) is None
    assert recognise_checkpoint({}) is None


def test_the_real_adapters_are_no_models(assets):
    lora = {name: shapes for name, shapes in headers().items() if any("lora" in key for key in shapes)}
    assert lora
    assert not [name for name, shapes in lora.items() if recognise_checkpoint(shapes)]
