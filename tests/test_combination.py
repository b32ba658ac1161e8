"""A mix layer by layer: linear in strengths, blind to order, strengths where they are addressed, clear refusals."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from eleven.combination import combine
from eleven.errors import FamilyMismatch, TensorError, UnknownKeys, UsageError
from eleven.finetunes.opening import open_finetune
from eleven.mix import Mix, Part

BLOCKS = {
    "IN01": "down_blocks_0_attentions_0",
    "IN02": "down_blocks_0_attentions_1",
    "OUT11": "up_blocks_3_attentions_2",
}
UNET = {block: f"lora_unet_{name}_transformer_blocks_0_attn1_to_q" for block, name in BLOCKS.items()}
TEXT = "lora_te_text_model_encoder_layers_3_self_attn_q_proj"
SIZES = dict.fromkeys(UNET.values(), 320) | {TEXT: 768}
STRENGTHS = st.floats(-2, 2).map(lambda value: round(value, 3))


def adapter(path: Path, seed: int, prefixes=tuple(SIZES), **more) -> Path:
    draw = torch.Generator().manual_seed(seed)
    tensors = dict(more)
    for prefix in prefixes:
        tensors[f"{prefix}.lora_up.weight"] = torch.randn(SIZES[prefix], 2, generator=draw)
        tensors[f"{prefix}.lora_down.weight"] = torch.randn(2, SIZES[prefix], generator=draw)
    save_file(tensors, path)
    return path


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three")
    with ExitStack() as stack:
        yield [stack.enter_context(open_finetune(adapter(folder / f"{at}.safetensors", at))) for at in range(3)]


def parts(strengths, **more):
    return tuple(Part(file=str(at), sha256=str(at), strength=strength, **more) for at, strength in enumerate(strengths))


def combined(finetunes, those, **more):
    """What a mix does to a few vectors, by layer."""
    combination = combine(Mix(parts=those, **more), finetunes)
    return {layer.name: delta @ torch.eye(delta.shape[1], 3) for layer, delta in combination}


def single(finetune):
    return {layer.name: delta @ torch.eye(delta.shape[1], 3) for layer, delta in finetune.deltas()}


@settings(deadline=None, max_examples=25)
@given(st.lists(STRENGTHS, min_size=3, max_size=3))
def test_mix_is_linear_in_the_strengths(three, strengths):
    found = combined(three, parts(strengths))
    alone = [single(finetune) for finetune in three]
    wanted = {name: sum(s * one[name].double() for s, one in zip(strengths, alone, strict=True)) for name in alone[0]}
    assert found.keys() == (wanted.keys() if any(strengths) else set())
    for name, got in found.items():
        assert float((got.double() - wanted[name]).norm()) <= 1e-5 * sum(map(abs, strengths))


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(3)), st.lists(STRENGTHS, min_size=3, max_size=3), st.sampled_from(["sum", "dare_ties"]))
def test_order_of_the_parts_changes_no_bit(three, order, strengths, method):
    those = parts(strengths, at={"te": 0.0, "IN02": 0.0, "OUT11": 0.0})
    straight = combined(three, those, method=method)
    turned = combined([three[at] for at in order], tuple(those[at] for at in order), method=method)
    assert straight.keys() == turned.keys()
    assert all(straight[name].equal(turned[name]) for name in straight)


@settings(deadline=None, max_examples=25)
@given(STRENGTHS, st.dictionaries(st.sampled_from(["unet", "te", "te1", "TE", *BLOCKS]), STRENGTHS, max_size=4))
def test_each_layer_gets_the_strength_of_its_narrowest_address(three, strength, at):
    part = Part(file="0", strength=strength, at=at)
    found, alone = combined(three[:1], (part,)), single(three[0])
    wanted = dict.fromkeys(alone, strength)
    for name in alone:
        encoder = name.startswith("text_encoder.")
        block = "TE" if encoder else next(block for block, at in BLOCKS.items() if flat(name).startswith(f"unet_{at}"))
        addresses = (block, "te1", "te") if encoder else (block, "unet")
        wanted[name] = next((at[address] for address in addresses if address in at), strength)
    assert found.keys() == {name for name, value in wanted.items() if value}
    for name, got in found.items():
        assert got.allclose(alone[name] * wanted[name], atol=1e-5)


def flat(name):
    return name.replace(".", "_")


def test_the_same_file_twice_with_other_addresses_is_sorted_too(three):
    those = (Part(file="0", at={"te": 0.3}), Part(file="0", at={"te": 0.1}))
    both = [combine(Mix(parts=order), [three[0]] * 2) for order in (those, those[::-1])]
    assert both[0].mix == both[1].mix
    assert [part for part, _ in both[0].parts] == [part for part, _ in both[1].parts]


def test_parts_without_strength_take_no_part(three, tmp_path):
    with open_finetune(adapter(tmp_path / "a.safetensors", 5, [TEXT])) as other:
        found = combine(Mix(parts=parts([0.5, 0.0])), [three[0], other])
        assert [finetune for _, finetune in found.parts] == [three[0]]
        assert len(found.modules) == 4


@pytest.mark.parametrize("address", ["unte", "IN99", "in01", "te4", "vae", "VAE", "transformer"])
def test_addresses_that_the_family_does_not_have_are_refused(three, address):
    with pytest.raises(
        UsageError, match=rf"0\.safetensors: nothing in Stable Diffusion 1 is addressed by '{address}'\."
    ):
        combine(Mix(parts=(Part(file="0", at={address: 0.5}),)), three[:1])


def test_text_and_denoiser_have_their_strengths_in_an_unknown_family_too(tmp_path):
    names = ("text_encoder.layers.0.fc", "net.layers.0.fc")
    tensors = {f"{name}.lora_{side}.weight": torch.ones(2, 2) for name in names for side in ("up", "down")}
    save_file(tensors, tmp_path / "a.safetensors")
    with open_finetune(tmp_path / "a.safetensors") as tune:
        found = combined([tune], (Part(file="a", strength=0.0, at={"te": 0.5, "unet": 0.25}),))
        assert float(found["text_encoder.layers.0.fc.weight"][0, 0]) == 1.0
        assert float(found["net.layers.0.fc.weight"][0, 0]) == 0.5
        only = combined([tune], (Part(file="a", strength=0.0, at={"te": 0.5}),))
        assert list(only) == ["text_encoder.layers.0.fc.weight"]


def test_parts_of_other_families_and_without_common_layers_are_refused(three, tmp_path):
    name = "lora_unet_double_blocks_0_img_attn_proj"
    save_file(
        {f"{name}.lora_{side}.weight": torch.zeros(shape) for side, shape in (("up", (3072, 1)), ("down", (1, 3072)))},
        tmp_path / "flux.safetensors",
    )
    with (
        open_finetune(tmp_path / "flux.safetensors") as flux,
        pytest.raises(
            FamilyMismatch, match=r"0\.safetensors is for Stable Diffusion 1, flux\.safetensors for FLUX\.1\."
        ),
    ):
        combine(Mix(parts=parts([1, 1])), [three[0], flux])
    first, second = (adapter(tmp_path / f"{block}.safetensors", 1, [UNET[block]]) for block in ("IN01", "IN02"))
    with (
        open_finetune(first) as one,
        open_finetune(second) as other,
        pytest.raises(FamilyMismatch, match=r"IN01\.safetensors and IN02\.safetensors have no layer in common"),
    ):
        combine(Mix(parts=parts([1, 1])), [one, other])


def test_denoiser_and_text_encoder_of_one_family_complete_each_other(tmp_path):
    first, second = (
        adapter(tmp_path / "a.safetensors", 1, [UNET["IN01"]]),
        adapter(tmp_path / "b.safetensors", 2, [TEXT]),
    )
    with open_finetune(first) as one, open_finetune(second) as other:
        assert len(combine(Mix(parts=parts([1, 1])), [one, other]).modules) == 2


def test_unknown_and_damaged_tensors_are_refused(tmp_path):
    odd = adapter(tmp_path / "odd.safetensors", 1, strange=torch.ones(2))
    with open_finetune(odd) as tune:
        with pytest.raises(UnknownKeys, match=r"no layer is known for 1 of its tensors \(first: strange\)"):
            combine(Mix(parts=parts([1])), [tune])
        assert len(combine(Mix(parts=parts([1])), [tune], ignore_unknown=True).modules) == 4
    save_file(
        {f"{TEXT}.lora_up.weight": torch.ones(768, 2), f"{TEXT}.lora_down.weight": torch.ones(3, 768)},
        tmp_path / "bad.safetensors",
    )
    with (
        open_finetune(tmp_path / "bad.safetensors") as tune,
        pytest.raises(
            TensorError, match=r"bad\.safetensors: 1 of its layers cannot be read; lora_te_.*contradict each other"
        ),
    ):
        combine(Mix(parts=parts([1])), [tune], ignore_unknown=True)


def test_parts_in_double_and_single_precision_mix(tmp_path):
    files = []
    for index, dtype in enumerate((torch.float64, torch.float32)):
        tensors = {"a.lora_up.weight": torch.ones(8, 2), "a.lora_down.weight": torch.ones(2, 6)}
        files.append(tmp_path / f"{index}.safetensors")
        save_file({key: tensor.to(dtype) for key, tensor in tensors.items()}, files[-1])
    mix = Mix(parts=tuple(Part(file=str(file), strength=0.5) for file in files))
    with ExitStack() as stack:
        ((_, delta),) = combine(mix, [stack.enter_context(open_finetune(file)) for file in files])
    assert delta.dense().dtype == torch.float32
    assert delta.dense().equal(torch.full((8, 6), 2.0))
