"""Keys are split into a module's prefix and a tensor's canonical name, in every spelling that files use."""

from __future__ import annotations

import pytest

from eleven import techniques
from eleven.layers.suffixes import AFTER, CANONICAL, JOINED, NAMED, SPELLED, group, split

UP, DOWN = "lora_up.weight", "lora_down.weight"


@pytest.mark.parametrize(
    ("key", "prefix", "suffix"),
    [
        ("lora_unet_mid_block.lora_up.weight", "lora_unet_mid_block", UP),
        ("lora_unet_mid_block.alpha", "lora_unet_mid_block", "alpha"),
        ("a.to_k.lora.down.weight", "a.to_k", DOWN),
        ("a.q_proj.lora_linear_layer.up.weight", "a.q_proj", UP),
        ("a.processor.to_k_lora.down.weight", "a.processor.to_k_lora", DOWN),
        ("double_blocks.0.processor.qkv_lora2.up.weight", "double_blocks.0.processor.qkv_lora2", UP),
        ("a.to_q.lora_A.weight", "a.to_q", DOWN),
        ("a.to_q.lora_B.default.weight", "a.to_q", UP),
        ("a.to_q.lora_B.my_face.weight", "a.to_q", UP),
        ("a.to_q.lora_B", "a.to_q", UP),
        ("a.to_q.lora_B.bias", "a.to_q", "lora_up.bias"),
        ("a.to_q.lora_B.default.bias", "a.to_q", "lora_up.bias"),
        ("a.to_q.lora_magnitude_vector.default.weight", "a.to_q", "dora_scale"),
        ("a.to_q.lora_magnitude_vector.default", "a.to_q", "dora_scale"),
        ("a.to_q.lora_magnitude_vector", "a.to_q", "dora_scale"),
        ("a.to_q.magnitude", "a.to_q", "dora_scale"),
        ("a.to_q.hada_w1_a.default", "a.to_q", "hada_w1_a"),
        ("a.to_q.lokr_w2", "a.to_q", "lokr_w2"),
        ("a.to_q.ia3_l.default", "a.to_q", "ia3_l"),
        ("a.to_q.oft_R.default.weight", "a.to_q", "oft_R.weight"),
        ("a.to_q.oft_R.scaled_oft", "a.to_q", "oft_R.scaled_oft"),
        ("lora_unet_a.a1.weight", "lora_unet_a", "a1.weight"),
        ("a.norm.key_norm.scale", "a.norm.key_norm", "set_weight"),
        ("lora_unet_a.scale", "lora_unet_a", "scale"),
        ("unet:17:up", "unet:17", UP),
        ("lora_unet_unet_a_to_k_lora_down.weight", "lora_unet_unet_a_to_k", DOWN),
    ],
)
def test_a_key_is_split_by_its_ending(key, prefix, suffix):
    assert split(key) == (prefix, suffix)


@pytest.mark.parametrize("key", ["a.b.weight", "emb_params", "<s1>", "", "alpha", "bundle_emb.x.clip_l", "a.b.bias"])
def test_other_keys_are_not_split(key):
    assert split(key) is None


def test_every_name_that_a_technique_holds_can_be_split_off():
    assert techniques.SUFFIXES <= CANONICAL
    for suffix in techniques.SUFFIXES - {"weight"}:
        assert split(f"x.{suffix}") == ("x", suffix)


def test_the_tables_only_lead_to_known_names():
    assert {*SPELLED.values(), *AFTER.values(), *JOINED.values()} <= CANONICAL
    assert all(f".{name}" in SPELLED for name in NAMED)


def test_a_plain_weight_belongs_to_a_module_only_beside_on_input():
    grouped = group(["x.weight", "x.on_input", "y.weight"])
    assert grouped.modules == {"x": {"on_input": "x.on_input", "weight": "x.weight"}}
    assert grouped.rest == ("y.weight",)


def test_a_bare_list_is_up_and_down_in_turn():
    assert group(["0", "1", "2", "3"]).modules == {"0": {UP: "0", DOWN: "1"}, "1": {UP: "2", DOWN: "3"}}


def test_keys_of_one_module_come_together_and_others_are_left():
    grouped = group(["x.lora_up.weight", "<token>", "x.alpha", "x.lora_down.weight"])
    assert grouped.modules == {"x": {UP: "x.lora_up.weight", "alpha": "x.alpha", DOWN: "x.lora_down.weight"}}
    assert grouped.rest == ("<token>",)
