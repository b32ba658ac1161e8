from __future__ import annotations

import pytest
import torch

from eleven.delta import Sum
from eleven.errors import ElevenError, TensorError, UnknownKeys
from eleven.techniques import SUFFIXES, TECHNIQUES, boft, decode, dora, full, ia3, lora, measure, oft, recognise, sparse
from eleven.techniques.exact import checked, widened
from eleven.testing import Given, relative_error

OUT, IN = 6, 4


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


PAIR = {"lora_up.weight": normal(OUT, 2), "lora_down.weight": normal(2, IN), "alpha": torch.tensor(1.0)}
RESIDUAL = {
    "bias_indices": torch.tensor([[1], [2]]),
    "bias_values": torch.tensor([5.0]),
    "bias_size": torch.tensor([OUT, IN]),
}
IA3 = {"weight": normal(OUT, seed=3), "on_input": torch.tensor(0)}


def test_names_are_unique_and_every_suffix_belongs_to_a_technique():
    assert len({technique.NAME for technique in TECHNIQUES}) == len(TECHNIQUES)
    assert dora.SUFFIXES.union(*(technique.SUFFIXES for technique in TECHNIQUES)) == SUFFIXES


def test_one_layer_is_split_among_its_techniques_and_alpha_goes_to_the_factors():
    parts, left = recognise({*PAIR, "diff_b", *RESIDUAL, "other"})
    assert parts == [(lora, frozenset(PAIR)), (full, frozenset({"diff_b"})), (sparse, frozenset(RESIDUAL))]
    assert left == {"other"}


@pytest.mark.parametrize("suffixes", [{"weight"}, {"weight", "bias"}, {"alpha"}, {"scale"}, set()])
def test_names_that_mean_nothing_alone_are_left(suffixes):
    assert recognise(suffixes) == ([], suffixes)


def test_weight_belongs_to_ia3_only_beside_its_side():
    assert recognise({"weight", "on_input"}) == ([(ia3, frozenset({"weight", "on_input"}))], frozenset())


@pytest.mark.parametrize(("technique", "shape"), [(oft, (3, 2, 2)), (boft, (1, 3, 2, 2)), (boft, (2, 4, 2, 2))])
def test_boft_is_told_from_oft_by_the_shape_of_its_blocks(technique, shape):
    shapes = {"oft_blocks": shape, "alpha": ()}
    assert recognise(shapes.keys(), shapes) == ([(technique, frozenset(shapes))], frozenset())


def test_dora_is_explained_only_beside_a_technique():
    assert recognise({"dora_scale"}) == ([], {"dora_scale"})
    assert recognise({"dora_scale", *PAIR}) == ([(lora, frozenset(PAIR))], frozenset())
    assert recognise({"dora_peft", *PAIR})[1] == {"dora_peft"}


def test_dora_wraps_the_sum_of_all_techniques():
    weight, scale = normal(OUT, IN, seed=6), normal(OUT, 1, seed=7).abs()
    change = decode(PAIR | RESIDUAL | {"dora_scale": scale}, Given(weight))["weight"].dense()
    moved = weight + decode(PAIR | RESIDUAL, Given())["weight"].dense()
    assert relative_error(change, moved * scale / moved.norm(dim=1, keepdim=True) - weight) < 1e-6


def test_dora_of_a_bias_alone_is_refused():
    with pytest.raises(TensorError, match="dora_scale"):
        decode({"diff_b": torch.ones(OUT), "dora_scale": torch.ones(OUT, 1)}, Given(normal(OUT, IN)))


def test_techniques_of_one_layer_are_added():
    bias = normal(OUT, seed=4)
    change = decode(PAIR | RESIDUAL | {"diff_b": bias, "diff": normal(OUT, IN, seed=5)}, Given())
    truth = PAIR["lora_up.weight"] @ PAIR["lora_down.weight"] / 2 + normal(OUT, IN, seed=5)
    truth[1, 2] += 5
    assert relative_error(change["weight"].dense(), truth) < 1e-6
    assert torch.equal(change["bias"].dense().flatten(), bias)


def test_multiplicative_technique_sees_the_original_weight_not_the_changed_one():
    weight = normal(OUT, IN, seed=6)
    both = decode(PAIR | IA3, Given(weight))["weight"].dense()
    alone = [decode(tensors, Given(weight))["weight"].dense() for tensors in (PAIR, IA3)]
    assert relative_error(both, sum(alone)) < 1e-6


def test_two_biases_are_added():
    tensors = PAIR | {"lora_up.bias": torch.ones(OUT), "diff_b": torch.ones(OUT)}
    assert decode(tensors, Given())["bias"].dense().flatten().tolist() == [1.5] * OUT


def test_single_technique_is_not_wrapped():
    assert not isinstance(decode(PAIR, Given())["weight"], Sum)


def test_measure_is_of_the_technique_with_a_rank():
    shapes = {suffix: tuple(tensor.shape) for suffix, tensor in ({"diff_b": torch.ones(OUT)} | RESIDUAL | PAIR).items()}
    assert measure(shapes) == lora.Measure((OUT, IN), 2)


@pytest.mark.parametrize(
    "extra",
    [{"diff": torch.ones(OUT, IN + 1)}, {"diff_b": torch.ones(OUT + 1)}, {"bias_size": torch.tensor([OUT + 1, IN])}],
)
def test_techniques_of_different_shapes_are_refused(extra):
    with pytest.raises(TensorError, match="contradict|differ"):
        decode(PAIR | RESIDUAL | extra, Given())


@pytest.mark.parametrize("tensors", [{}, {"weight": torch.ones(3)}, PAIR | {"other": torch.ones(1)}])
def test_unexplained_names_are_refused(tensors):
    with pytest.raises(UnknownKeys):
        decode(tensors, Given())


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("suffix", ["lora_up.weight", "lora_down.weight", "alpha"])
def test_nan_and_infinity_are_refused_with_the_tensor_s_name(suffix, bad):
    damaged = PAIR[suffix].clone()
    damaged.view(-1)[0] = bad
    with pytest.raises(TensorError, match=suffix):
        decode(PAIR | {suffix: damaged}, Given())


def test_alpha_beyond_float32_is_refused_and_a_float64_alpha_leaves_the_factors_in_float32():
    with pytest.raises(TensorError, match="alpha"):
        decode(PAIR | {"alpha": torch.tensor(-1e300, dtype=torch.float64)}, Given())
    change = decode(PAIR | {"alpha": torch.tensor(0.1, dtype=torch.float64)}, Given())["weight"].dense()
    assert change.dtype == torch.float32
    assert relative_error(change * 10, decode(PAIR, Given())["weight"].dense()) < 1e-6


def test_vector_as_base_of_a_technique_of_matrices_is_refused():
    for tensors in (
        IA3,
        {"q_layer.weight": normal(1, IN), "p_layer.weight": normal(OUT, 1), "lambda_layer": normal(1, 1)},
    ):
        with pytest.raises(TensorError, match="no matrix"):
            decode(tensors, Given(torch.ones(OUT)))


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_factors_of_a_wrong_type_are_refused_with_the_tensor_s_name(dtype):
    with pytest.raises(TensorError, match=r"lora_up\.weight"):
        decode(PAIR | {"lora_up.weight": PAIR["lora_up.weight"].to(dtype)}, Given())


@pytest.mark.parametrize("suffix", RESIDUAL)
def test_indices_and_values_of_each_other_s_type_are_refused(suffix):
    damaged = RESIDUAL[suffix].to(torch.complex64 if suffix == "bias_values" else torch.float32)
    with pytest.raises(TensorError, match=suffix):
        decode(RESIDUAL | {suffix: damaged}, Given())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float64])
def test_factors_of_different_float_types_are_read_without_rounding(dtype):
    up = PAIR["lora_up.weight"].to(dtype)
    change = decode(PAIR | {"lora_up.weight": up}, Given())["weight"].dense()
    assert change.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert relative_error(change, up.double() @ PAIR["lora_down.weight"].double() / 2) < 1e-6


def test_widening_keeps_every_number_and_integers():
    narrow = {"a": torch.tensor([1e-7, 6e4]).half(), "b": torch.tensor([3])}
    wide = widened(narrow)
    assert wide["a"].dtype == torch.float32
    assert torch.equal(wide["a"].half(), narrow["a"])
    assert wide["b"] is narrow["b"]
    assert checked({"alpha": torch.tensor(3)})["alpha"] == 3


@pytest.mark.parametrize("shape", [(2,), (0,), (1, 2)])
def test_alpha_of_several_numbers_is_refused_by_the_header_alone(shape):
    with pytest.raises(TensorError, match="alpha"):
        measure({"lora_up.weight": (OUT, 2), "lora_down.weight": (2, IN), "alpha": shape})


@pytest.mark.parametrize("seed", range(300))
def test_any_shapes_under_any_names_are_read_or_refused(seed):
    drawn = torch.Generator().manual_seed(seed)

    def roll(high: int) -> int:
        return int(torch.randint(high, (), generator=drawn))

    names = sorted(SUFFIXES)
    tensors = {}
    for _ in range(1 + roll(5)):
        shape = [roll(4) for _ in range(roll(5))]
        dtype = (torch.float32, torch.float16, torch.int16, torch.bool, torch.complex64)[roll(10) % 5 if roll(2) else 0]
        tensors[names[roll(len(names))]] = torch.ones(shape, dtype=dtype)
    try:
        for delta in decode(tensors, Given(torch.ones(3, 3), torch.ones(3))).values():
            assert delta.dense().shape == delta.shape
    except ElevenError:
        return
