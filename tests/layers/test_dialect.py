"""Every dialect names every module it can, and what it wrote is read as the same module again."""

from __future__ import annotations

import pytest

from eleven.errors import UsageError
from eleven.layers.dialect import DIALECTS, spell, spellings
from eleven.layers.family import FAMILIES, family
from eleven.layers.recognise import recognise
from eleven.layers.spelling import lookup, spelled

ROWS = [pytest.param(row, id=f"{row.name} {row.spelling}") for row in DIALECTS]
ADAPTED = [(each, part) for each in FAMILIES for part in each.components if part.role != "vae"]


def named(row, component):
    """What a row of the table calls each module of a component."""
    prefix = row.prefix_of(component)
    names = lookup(component, row.spelling, flat=row.flat) if prefix is not None else {}
    return {f"{prefix}{name}": at for name, at in names.items()}


@pytest.mark.parametrize("row", ROWS)
def test_what_a_dialect_writes_is_read_as_the_same_modules(row):
    written = [(owner, names) for owner, component in ADAPTED if (names := named(row, component))]
    assert written
    for owner, names in written:
        found = recognise({prefix: at.matrix for prefix, at in names.items()}, prefer=owner)
        assert (found.family, found.unplaced) == (owner, ())
        assert found.places == {prefix: at.places for prefix, at in names.items()}
        assert sum(found.dialects.values()) == len(names)


@pytest.mark.parametrize("row", ROWS)
def test_no_two_modules_of_a_component_share_a_spelling(row):
    for _, component in ADAPTED:
        if row.prefix_of(component) is not None:
            assert len(named(row, component)) == len(spelled(component, row.spelling))


@pytest.mark.parametrize("row", ROWS)
def test_components_of_a_family_share_a_spelling_only_where_shapes_tell_them_apart(row):
    shapes: dict[tuple[str, str], list[tuple[int | None, int | None]]] = {}
    for owner, component in ADAPTED:
        for prefix, at in named(row, component).items():
            shapes.setdefault((owner.name, prefix), []).append(at.matrix)
    assert all(len(set(several)) == len(several) for several in shapes.values())


@pytest.mark.parametrize("owner", FAMILIES, ids=lambda each: each.name)
def test_every_name_begins_with_a_known_head(owner):
    for component in owner.components:
        names = [at.name for spelling in ("diffusers", "original") for at in spelled(component, spelling)]
        assert names
        assert all(name.startswith(component.heads()) for name in names)


@pytest.mark.parametrize("dialect", ["kohya", "diffusers", "comfyui", "peft", "bare"])
@pytest.mark.parametrize("owner", FAMILIES, ids=lambda each: each.name)
def test_export_dialects_name_every_module_once(owner, dialect):
    modules = {place.module for places in spellings(owner, dialect).values() for place in places}
    wanted = {name for name in owner.modules() if not name.startswith("vae.")}
    unnamed = wanted - modules
    assert modules <= wanted
    assert all(name.startswith("text_encoder_") for name in unnamed)
    assert not unnamed or dialect in ("peft", "bare")


@pytest.mark.parametrize(
    ("name", "module", "dialect", "prefix"),
    [
        ("sd1", "unet.mid_block.resnets.0.conv1", "kohya", "lora_unet_mid_block_resnets_0_conv1"),
        ("sdxl", "unet.mid_block.resnets.0.conv1", "kohya", "lora_unet_middle_block_0_in_layers_2"),
        ("sdxl", "unet.mid_block.resnets.0.conv1", "comfyui", "diffusion_model.middle_block.0.in_layers.2"),
        ("sdxl", "unet.mid_block.resnets.0.conv1", "diffusers", "unet.mid_block.resnets.0.conv1"),
        (
            "sdxl",
            "text_encoder_2.text_model.encoder.layers.3.mlp.fc1",
            "kohya",
            "lora_te2_text_model_encoder_layers_3_mlp_fc1",
        ),
        ("flux", "transformer.transformer_blocks.0.attn.to_k", "kohya", "lora_unet_double_blocks_0_img_attn_qkv"),
        ("flux", "text_encoder_2.encoder.block.0.layer.0.SelfAttention.q", "kohya",
         "lora_te3_encoder_block_0_layer_0_SelfAttention_q"),
        ("sd3", "transformer.transformer_blocks.0.attn.to_k", "kohya", "lora_unet_joint_blocks_0_x_block_attn_qkv"),
        ("qwen-image", "transformer.transformer_blocks.0.attn.to_k", "comfyui",
         "diffusion_model.transformer_blocks.0.attn.to_k"),
    ],
)  # fmt: skip
def test_modules_are_spelled_as_the_programs_do(name, module, dialect, prefix):
    assert spell(family(name), module, dialect) == prefix


def test_an_unknown_dialect_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"klingon.*Known are kohya"):
        spell(FAMILIES[0], "unet.conv_in", "klingon")


def test_a_module_without_a_name_in_a_dialect_is_refused():
    with pytest.raises(UsageError, match=r"xlabs has no name for unet\.conv_in"):
        spell(FAMILIES[0], "unet.conv_in", "xlabs")
