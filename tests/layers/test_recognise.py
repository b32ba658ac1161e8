"""Families and dialects are recognised in real files, by names and by shapes."""

from __future__ import annotations

import string
from collections import Counter

import pytest
from adapter_listings import headers, listing, matrices
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from eleven.layers.family import family
from eleven.layers.layer import Place
from eleven.layers.positions import ATTENTION, TEXT
from eleven.layers.recognise import recognise
from eleven.layers.suffixes import group

LISTINGS = {
    "anima_lora_kohya_format": ("anima", {"kohya": 11}),
    "anima_lora_kohya_with_te_format": ("anima", {"kohya": 9}),
    "anima_lora_lokr_format": ("anima", {"comfyui": 3}),
    "anima_lora_peft_format": ("anima", {"comfyui": 6}),
    "flux_control_lora_format": ("flux", {"bare": 466}),
    "flux_dora_onetrainer_format": ("flux", {"onetrainer": 506}),
    "flux_lokr_bfl_format": ("flux", {"comfyui": 6}),
    "flux_lora_aitoolkit_format": ("flux", {"comfyui": 228}),
    "flux_lora_diffusers_base_model_format": ("flux", {"peft": 381}),
    "flux_lora_diffusers_format": ("flux", {"diffusers": 494}),
    "flux_lora_diffusers_no_proj_mlp_format": ("flux", {"diffusers": 342}),
    "flux_lora_kohya_format": ("flux", {"kohya": 304}),
    "flux_lora_kohya_with_te1_format": ("flux", {"kohya": 376}),
    "flux_lora_xlabs_format": ("flux", {"xlabs": 12}),
    "krea2_lora_kohya_format": ("krea2", {"kohya": 40}),
    "qwen_image_lora_diffusers_format": ("qwen-image", {"bare": 3}),
    "qwen_image_lora_kohya_format": ("qwen-image", {"kohya": 8}),
}
"""Family, and modules by dialect, of each listing."""

INVENTED = {"anima_lora_lokr_format", "flux_lokr_bfl_format", "qwen_image_lora_kohya_format"}
"""Listings whose LoKr factors were made up: w1 ⊗ w2 has as many entries as the weight, but not its shape."""

SD = sorted(
    name
    for name, shapes in headers().items()
    if shapes and (all(key.isdecimal() for key in shapes) or any("attn2" in key or "unet:" in key for key in shapes))
    if not name.startswith("lycoris/")
)
"""Plain LoRAs of SD 1 and SD 2, in five dialects; the LoKr have a test of their own."""


def cross_width(shapes):
    """768 or 1024, whichever occurs among the widths of the downs, in files of SD 1 and SD 2."""
    (width,) = {size for shape in shapes.values() for size in shape} & {768, 1024}
    return width


@pytest.mark.parametrize("name", LISTINGS)
def test_every_listing_is_recognised_without_a_module_left(assets, name):
    shapes = listing(name)
    known = dict.fromkeys(group(shapes).modules, (None, None)) if name in INVENTED else matrices(shapes)
    found = recognise(known)
    wanted, dialects = LISTINGS[name]
    assert wanted in [each.name for each in (found.family, *found.also)]
    assert found.unplaced == ()
    assert found.dialects == Counter(dialects)
    assert group(shapes).rest == ()


def test_a_listing_that_fits_several_families_says_so_and_the_preference_decides(assets):
    known = matrices(listing("qwen_image_lora_diffusers_format"))
    assert {each.name for each in recognise(known).also} == {"chroma", "qwen-image"}
    found = recognise(known, prefer=family("qwen-image"))
    assert found.family is family("qwen-image")
    assert "as well as in FLUX.1" in found.evidence


def test_a_preference_decides_nothing_where_another_family_fits_better(assets):
    found = recognise(matrices(listing("flux_lora_kohya_format")), prefer=family("chroma"))
    assert found.family is family("flux")


@pytest.mark.parametrize("name", SD or [pytest.param("", marks=pytest.mark.skip(reason="no ../shared/assets here"))])
def test_sd1_and_sd2_are_told_apart_in_every_real_file(name):
    shapes = headers()[name]
    found = recognise(matrices(shapes))
    assert found.family is family("sd1" if cross_width(shapes) == 768 else "sd2")
    assert found.unplaced == ()
    assert len({place.module for places in found.places.values() for place in places}) == len(found.places)


@pytest.mark.parametrize("size", [4, 8, 16])
def test_the_lokr_fit_every_layer_that_lycoris_trains_in_sd1(assets, size):
    with safe_open(assets / "lokr_smart_falcon" / f"smart_falcon_{size}_lokr.safetensors", "pt") as file:
        shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
    found = recognise(matrices(shapes))
    parts = Counter(place.module.partition(".")[0] for places in found.places.values() for place in places)
    assert (found.family, parts) == (family("sd1"), {"unet": 278, "text_encoder": 72})
    assert (found.also, found.unplaced, found.dialects) == ((), (), {"kohya": 350})
    assert found.evidence.endswith("cross-attention width 768")


def test_numbered_modules_follow_the_order_in_which_old_diffusers_built_them(assets):
    found = recognise(matrices(headers()["cloneofsimo/lora_disney.safetensors"]))
    block = "unet.down_blocks.0.attentions.0.transformer_blocks.0"
    order = ["attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "ff.net.0.proj", "attn2.to_q"]
    assert [found.places[f"unet:{n}"][0].module for n in range(6)] == [f"{block}.{name}" for name in order]
    assert found.places["unet:143"][0].module == "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0"
    last = "text_encoder.text_model.encoder.layers.11.self_attn.out_proj"
    assert found.places["text_encoder:47"][0].module == last


def test_numbered_modules_with_one_wrong_shape_are_of_no_family(assets):
    known = matrices(headers()["cloneofsimo/lora_disney.safetensors"])
    assert recognise(known | {"unet:4": (320, 320)}).family is None


def test_a_fused_module_has_a_place_for_each_part(assets):
    found = recognise(
        {"lora_unet_single_blocks_3_linear1": (21504, 3072), "lora_unet_guidance_in_in_layer": (3072, 256)}
    )
    block = "transformer.single_transformer_blocks.3"
    assert found.places["lora_unet_single_blocks_3_linear1"] == (
        Place(f"{block}.attn.to_q", ((0, 3072),)),
        Place(f"{block}.attn.to_k", ((3072, 6144),)),
        Place(f"{block}.attn.to_v", ((6144, 9216),)),
        Place(f"{block}.proj_mlp", ((9216, 21504),)),
    )


def test_parts_that_a_dialect_numbers_are_places_of_their_own():
    found = recognise({"transformer.double_blocks.0.img_attn.qkv.1": (3072, 3072)}, prefer=family("flux"))
    place = Place("transformer.transformer_blocks.0.attn.to_k")
    assert found.places == {"transformer.double_blocks.0.img_attn.qkv.1": (place,)}
    assert found.dialects == {"onetrainer, original names": 1}


def test_an_input_layer_may_be_wider_in_a_variant():
    prefixes = {"lora_unet_conv_in": (320, 81), "lora_unet_down_blocks_0_resnets_0_conv1": (320, 2880)}
    assert recognise(prefixes).unplaced == ()


def test_names_of_a_family_with_foreign_shapes_are_of_no_family(assets):
    known = matrices(listing("flux_lora_kohya_format"))
    found = recognise(dict.fromkeys(known, (64, 64)))
    assert (found.family, found.unplaced) == (None, ())
    assert found.places == {prefix: (Place(prefix),) for prefix in known}


def test_modules_that_do_not_fit_are_listed_when_most_do(assets):
    known = matrices(listing("flux_lora_kohya_format"))
    found = recognise(known | {"lora_unet_foo": (8, 8)})
    assert (found.family, found.unplaced) == (family("flux"), ("lora_unet_foo",))


@given(st.dictionaries(st.text(string.ascii_lowercase + "._", max_size=30), st.just((64, 64)), max_size=20))
def test_random_names_are_of_no_family(names):
    found = recognise(names)
    assert found.family is None
    assert found.places == {name: (Place(name),) for name in names}
    assert not found.dialects


@pytest.mark.filterwarnings("ignore")
def test_the_order_inside_an_attention_is_that_of_the_classes():
    import torch
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        text, unet = CLIPTextModel(CLIPTextConfig(num_hidden_layers=1)), UNet2DConditionModel()
    for model, owner, order in ((text, "self_attn", TEXT), (unet, "attn1", ATTENTION)):
        linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
        inside = [name.partition(f".{owner}.")[2] for name in linear if f".{owner}." in name]
        assert tuple(inside[:4]) == order
