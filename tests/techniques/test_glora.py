from __future__ import annotations

import pytest
import torch

from eleven.delta import LowRank
from eleven.errors import BaseNeeded, TensorError
from eleven.techniques import glora
from eleven.techniques.technique import shapes_of
from eleven.testing import Case, Given, check_delta, check_technique

OUT, IN, RANK = 24, 16, 3


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def new(out: int = OUT, kernel: tuple[int, ...] = ()) -> dict[str, torch.Tensor]:
    ones = [1] * len(kernel)
    return {
        "a1.weight": normal(IN, RANK, *ones, seed=1),
        "a2.weight": normal(RANK, IN, *ones, seed=2),
        "b1.weight": normal(out, RANK, *ones, seed=3),
        "b2.weight": normal(RANK, IN, *kernel, seed=4),
    }


def old(out: int = OUT, kernel: tuple[int, ...] = ()) -> dict[str, torch.Tensor]:
    swapped = {"a1.weight": "a2.weight", "a2.weight": "a1.weight", "b1.weight": "b2.weight", "b2.weight": "b1.weight"}
    return {swapped[suffix]: tensor for suffix, tensor in new(out, kernel).items()}


def with_core() -> dict[str, torch.Tensor]:
    return new(kernel=(1, 1)) | {"bm.weight": normal(RANK, RANK, 3, 2)}


def truth(weight: torch.Tensor, strength: float = 1.0) -> torch.Tensor:
    """The change of tensors of `new(…)` on this weight, position by position of the kernel."""
    tensors = {suffix: tensor.double() for suffix, tensor in new(weight.shape[0], tuple(weight.shape[2:])).items()}
    mixing = tensors["a1.weight"].flatten(1) @ tensors["a2.weight"].flatten(1)
    mixed = torch.einsum("oi...,ij->oj...", weight.double(), mixing).flatten(1)
    return strength * (mixed + tensors["b1.weight"].flatten(1) @ tensors["b2.weight"].flatten(1))


def truth_with_core(weight: torch.Tensor) -> torch.Tensor:
    doubled = {suffix: tensor.double() for suffix, tensor in with_core().items()}
    flat = {suffix: tensor.flatten(1) for suffix, tensor in doubled.items()}
    mixed = torch.einsum("oikl,ij->ojkl", weight.double(), flat["a1.weight"] @ flat["a2.weight"])
    added = torch.einsum("mnkl,im,nj->ijkl", doubled["bm.weight"], flat["b1.weight"], flat["b2.weight"])
    return (mixed + added).flatten(1)


LINEAR, SQUARE = normal(OUT, IN, seed=9), normal(IN, IN, seed=9)
ONE, THREE, OBLONG = normal(OUT, IN, 1, 1, seed=9), normal(OUT, IN, 3, 3, seed=9), normal(OUT, IN, 3, 2, seed=9)


def test_battery():
    alpha, override = {"alpha": torch.tensor(2)}, {"scale": torch.tensor(0.5), "alpha": torch.tensor(9.0)}
    check_technique(
        glora,
        [
            Case(new(), truth(LINEAR), original=Given(LINEAR)),
            Case(old(), truth(LINEAR), original=Given(LINEAR)),
            Case(new() | alpha, truth(LINEAR, 2 / 3), original=Given(LINEAR)),
            Case(old() | alpha, truth(LINEAR, 2 / 3), original=Given(LINEAR)),
            Case(new(IN) | alpha, truth(SQUARE, 2 / 3), original=Given(SQUARE)),
            Case(old(IN) | alpha, truth(SQUARE, 2 / 3), original=Given(SQUARE)),
            Case(new(kernel=(1, 1)), truth(ONE), original=Given(ONE)),
            Case(new(kernel=(3, 3)) | override, truth(THREE, 0.5), original=Given(THREE)),
            Case(old(kernel=(3, 3)) | alpha, truth(THREE, 2 / 3), original=Given(THREE)),
            Case(with_core(), truth_with_core(OBLONG), original=Given(OBLONG)),
        ],
    )


def test_shape_and_rank_of_both_layouts_are_told_by_the_header():
    assert glora.measure(shapes_of(new())) == glora.measure(shapes_of(old())) == glora.Measure((OUT, IN), RANK)
    assert glora.measure(shapes_of(new(IN))) == glora.measure(shapes_of(old(IN))) == glora.Measure((IN, IN), RANK)


def test_new_layout_wins_where_every_tensor_is_square():
    tensors = {suffix: normal(8, 8, seed=seed) for seed, suffix in enumerate(new())}
    weight = normal(8, 8, seed=9)
    a1, a2, b1, b2 = (tensors[suffix].double() for suffix in new())
    check_delta(glora.decode(tensors, Given(weight))["weight"], weight.double() @ a1 @ a2 + b1 @ b2)


def test_original_weight_is_needed():
    with pytest.raises(BaseNeeded):
        glora.decode(new(), Given())


def test_base_of_another_shape_is_refused():
    with pytest.raises(TensorError, match="another base"):
        glora.decode(new(), Given(normal(OUT, IN + 1)))


def test_square_kernels_of_swapped_sides_are_refused():
    with pytest.raises(TensorError, match="contradict"):
        glora.measure(shapes_of(new() | {"a1.weight": normal(RANK, IN)}))


def test_another_change_cannot_be_written():
    with pytest.raises(TensorError, match="GLoRA"):
        glora.encode({"weight": LowRank(torch.ones(3, 1), torch.ones(1, 4))})
