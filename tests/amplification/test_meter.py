"""The meter's arithmetic: what strengths, likeness of models and their technique do to a reading, and bad input."""

from __future__ import annotations

from math import sqrt

import pytest
import torch

from eleven.amplification.grams import measure
from eleven.amplification.meter import Known, collapse_of, read
from eleven.amplification.reading import line, sweep
from eleven.amplification.zones import EFFECT, EFFECT_AT_BEST
from eleven.errors import FamilyMismatch, TensorError, UsageError
from eleven.finetunes.opening import open_finetune
from eleven.mix import Mix, Part
from models import write_layer

LAYERS = ("net.0.proj", "net.1.proj")
UNET = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
TEXT = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"


def normal(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lora(path, seed, *, scale=1.0, rows=slice(None), prefixes=LAYERS):
    """A LoRA of rank 2; where `rows` are given, it moves those outputs alone."""
    up = torch.zeros(16, 2)
    up[rows] = normal(16, 2, seed=seed)[rows] * scale
    return write_layer(
        path, {"lora_up.weight": up, "lora_down.weight": normal(2, 12, seed=seed + 1)}, prefixes=prefixes
    )


def mix_of(*strengths, **more):
    return Mix(parts=tuple(Part(file=str(at), strength=strength) for at, strength in enumerate(strengths)), **more)


def numbers(reading):
    """All that arithmetic gives."""
    sides = [*reading.components.values(), *reading.blocks.values()]
    return [reading.total, reading.effect, reading.ratio, reading.layers, reading.edge, *sides]


@pytest.fixture
def opened():
    """Opens files for the time of a test."""
    kept = []

    def opening(*paths):
        kept.extend(open_finetune(path) for path in paths)
        return kept[-len(paths) :]

    yield opening
    for finetune in kept:
        finetune.close()


@pytest.fixture
def apart(tmp_path, opened):
    """Two models that move different outputs, so that their changes are orthogonal; one is five times the other."""
    first = lora(tmp_path / "a.safetensors", 1, rows=slice(0, 8))
    return opened(first, lora(tmp_path / "b.safetensors", 5, rows=slice(8, 16), scale=5))


def test_twice_the_strengths_are_twice_everything(apart):
    once, twice = (collapse_of(mix_of(*strengths), apart) for strengths in ((0.4, 0.3), (0.8, 0.6)))
    for name in ("total", "effect", "ratio", "layers"):
        assert getattr(twice, name) == pytest.approx(2 * getattr(once, name), rel=1e-6)
    (swept,) = sweep(once, (1.4,))
    assert numbers(swept) == pytest.approx(numbers(twice), rel=1e-6)
    assert once.edge == pytest.approx(twice.edge) == pytest.approx(0.7 * EFFECT.red / once.effect)


def test_orthogonal_changes_add_in_quadrature_whatever_their_norms(apart):
    assert collapse_of(mix_of(0.8, 0.6), apart).ratio == pytest.approx(1.0, rel=1e-6)


def test_equal_changes_add_up_and_opposite_ones_cancel(tmp_path, opened):
    same = opened(lora(tmp_path / "a.safetensors", 1), lora(tmp_path / "b.safetensors", 1))
    found = collapse_of(mix_of(0.9, 0.7), same)
    assert (found.total, found.ratio, found.effect) == pytest.approx((1.6, 1.6, 1.6), rel=1e-6)
    assert found.zone == "red"
    assert "add up to 1.60" in found.reasons[0]
    less = read(measure(same), mix_of(0.9, -0.7))
    assert (less.total, less.ratio, less.effect) == pytest.approx((1.6, 0.2, 0.2), rel=1e-4)


def test_a_lora_and_the_same_change_entry_by_entry_are_equal(tmp_path, opened, apart):
    matrices = [{layer.name: delta.dense() for layer, delta in one.deltas()} for one in apart]
    full = [
        write_layer(tmp_path / f"full{at}.safetensors", {"diff": next(iter(one.values()))}, prefixes=LAYERS)
        for at, one in enumerate(matrices)
    ]
    mix = mix_of(0.9, 1.1)
    expected, found = collapse_of(mix, apart), collapse_of(mix, opened(*full))
    assert numbers(found) == pytest.approx(numbers(expected), rel=1e-5)


def test_each_model_is_counted_at_its_own_best_strength(apart):
    grams = measure(apart)
    found = read(grams, mix_of(0.8, 1.2), Known((0.8, 1.2), overlap=0.0))
    assert (found.effect, found.ratio) == pytest.approx((sqrt(2), sqrt(2)), rel=1e-6)
    assert found.at_best
    assert found.limits == EFFECT_AT_BEST
    assert read(grams, mix_of(0.8, 1.2), Known((0.8, 1.2), overlap=1.0)).effect == pytest.approx(2.0, rel=1e-6)
    assert read(grams, mix_of(1, 1), Known(overlap=-0.5)).effect == read(grams, mix_of(1, 1), Known(overlap=0)).effect


def test_a_model_alone_does_what_its_strength_says(tmp_path, opened):
    (alone,) = opened(lora(tmp_path / "a.safetensors", 1))
    assert collapse_of(mix_of(0.8), [alone]).effect == pytest.approx(0.8, rel=1e-6)
    assert collapse_of(mix_of(1.0), [alone]).zone == "green"
    assert collapse_of(mix_of(EFFECT.red + 0.01), [alone]).zone == "red"


def test_components_and_blocks_have_their_own_strengths(tmp_path, opened):
    (one,) = opened(
        write_layer(
            tmp_path / "a.safetensors",
            {"lora_up.weight": normal(320, 2, seed=1), "lora_down.weight": normal(2, 320, seed=2)},
            prefixes=(UNET,),
        )
    )
    parts = (Part(file="a", strength=1.0, at={"IN01": 0.5}),)
    found = read(measure([one]), Mix(parts=parts))
    assert found.components == pytest.approx({"unet": 0.5}, rel=1e-6)
    assert found.blocks == pytest.approx({"IN01": 0.5}, rel=1e-6)
    assert (found.total, found.effect) == pytest.approx((0.5, 0.5), rel=1e-6)


def test_other_methods_are_counted_by_what_they_make(apart):
    sums, ties = (collapse_of(mix_of(1.0, 1.0, method=name), apart) for name in ("sum", "magnitude"))
    assert 0 < ties.ratio < sums.ratio


def test_measured_predictions_join_the_reading(apart):
    found = collapse_of(mix_of(0.5, 0.5), apart)
    assert found.zone == "green"
    told = found.with_predictions(additivity=0.58, gain=1.1)
    assert (told.zone, told.reasons) == ("green", ())
    assert line(told).startswith("collapse meter: green: 1.00 in total does about ")
    assert ", additivity 0.58, gain 1.10; red from " in line(told)


def test_a_sample_of_the_modules_tells_about_the_same(tmp_path, opened):
    prefixes = [f"net.{at}.proj" for at in range(120)]
    tensors = [
        {
            f"{name}.{side}": normal(*shape, seed=seed + 7 * at)
            for at, name in enumerate(prefixes)
            for side, shape in (("lora_up.weight", (16, 2)), ("lora_down.weight", (2, 12)))
        }
        for seed in (1, 5000)
    ]
    from safetensors.torch import save_file

    for at, one in enumerate(tensors):
        save_file(one, tmp_path / f"{at}.safetensors")
    both = opened(tmp_path / "0.safetensors", tmp_path / "1.safetensors")
    whole, sampled = measure(both), measure(both, most=30)
    assert (len(whole.layers), len(sampled.layers)) == (120, 30)
    assert read(sampled, mix_of(1, 1)).ratio == pytest.approx(read(whole, mix_of(1, 1)).ratio, rel=0.05)


def test_a_change_of_zero_does_nothing(tmp_path, opened, apart):
    (nothing,) = opened(lora(tmp_path / "zero.safetensors", 1, scale=0))
    assert read(measure([apart[0], nothing]), mix_of(0.6, 2.0)).ratio == pytest.approx(0.6, rel=1e-6)
    found = collapse_of(mix_of(1.0), [nothing])
    assert (found.ratio, found.zone, found.listed()["edge"]) == (0, "green", None)
    assert line(found).endswith(" × one model.")
    assert found.at(2.0).effect == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("full", [False, True])
def test_numbers_that_are_none_are_told_with_file_and_layer(tmp_path, opened, apart, value, full):
    tensors = (
        {"diff": normal(16, 12, seed=3)}
        if full
        else {"lora_up.weight": normal(16, 2, seed=3), "lora_down.weight": normal(2, 12, seed=4)}
    )
    next(iter(tensors.values()))[0, 0] = value
    (broken,) = opened(write_layer(tmp_path / "broken.safetensors", tensors, prefixes=LAYERS))
    with pytest.raises(TensorError, match=r"broken\.safetensors.*net\.0\.proj"):
        measure([apart[0], broken])


def test_what_cannot_be_read_is_refused(tmp_path, opened, apart):
    (other,) = opened(lora(tmp_path / "other.safetensors", 1, prefixes=("elsewhere.proj",)))
    with pytest.raises(FamilyMismatch, match="have no layer in common"):
        collapse_of(mix_of(1, 1), [apart[0], other])
    with pytest.raises(UsageError, match="changes no layer"):
        measure([])
    grams = measure(apart)
    with pytest.raises(UsageError, match="2 models, 1 parts, 2 best strengths"):
        read(grams, mix_of(1.0))
    with pytest.raises(UsageError, match="2 models, 2 parts, 3 best strengths"):
        read(grams, mix_of(1, 1), Known((1.0, 1.0, 1.0)))
    for wrong in ({"singles": (1.0, 0.0)}, {"singles": (float("nan"),)}, {"overlap": 1.5}):
        with pytest.raises(UsageError, match="best strengths"):
            Known(**wrong)


@pytest.mark.parametrize("suffix", ["thin", "full"])
def test_changes_of_different_shapes_are_told(tmp_path, opened, suffix):
    paths = []
    for at, columns in enumerate((12, 10)):
        thin = {"lora_up.weight": normal(16, 2, seed=at), "lora_down.weight": normal(2, columns, seed=at)}
        tensors = thin if suffix == "thin" else {"diff": normal(16, columns, seed=at)}
        paths.append(write_layer(tmp_path / f"{at}.safetensors", tensors, prefixes=LAYERS))
    with pytest.raises(TensorError, match=r"0\.safetensors and 1\.safetensors: .*\[16, 12\] and \[16, 10\]"):
        measure(opened(*paths))
