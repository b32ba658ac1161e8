from __future__ import annotations

import pytest
import torch

from eleven.delta import LowRank
from eleven.errors import TensorError
from eleven.techniques import loha
from eleven.testing import Case, Given, check_delta, check_technique, relative_error

OUT, IN, RANK = 64, 48, 3


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plain(columns: int = IN, rank: int = RANK) -> dict[str, torch.Tensor]:
    shapes = {
        "hada_w1_a": (OUT, rank),
        "hada_w1_b": (rank, columns),
        "hada_w2_a": (OUT, rank),
        "hada_w2_b": (rank, columns),
    }
    return {suffix: normal(*shape, seed=seed) for seed, (suffix, shape) in enumerate(shapes.items())}


def with_cores() -> dict[str, torch.Tensor]:
    pairs = {suffix: tensor.T.contiguous() if suffix.endswith("a") else tensor for suffix, tensor in plain().items()}
    return pairs | {f"hada_t{part}": normal(RANK, RANK, 3, 2, seed=part) for part in (1, 2)}


def product(tensors: dict[str, torch.Tensor], strength: float = 1.0) -> torch.Tensor:
    doubled = {suffix: tensor.double() for suffix, tensor in tensors.items()}
    first, second = (doubled[f"hada_w{part}_a"] @ doubled[f"hada_w{part}_b"] for part in (1, 2))
    return strength * first * second


def tucker(tensors: dict[str, torch.Tensor], strength: float = 1.0) -> torch.Tensor:
    factors = [
        torch.einsum(
            "ijkl,jr,ip->prkl",
            *(tensors[name.format(part)].double() for name in ("hada_t{}", "hada_w{}_b", "hada_w{}_a")),
        )
        for part in (1, 2)
    ]
    return strength * (factors[0] * factors[1]).flatten(1)


def test_battery():
    linear, three, cores = plain(), plain(IN * 9), with_cores()
    check_technique(
        loha,
        [
            Case(linear, product(linear)),
            Case(linear | {"alpha": torch.tensor(2)}, product(linear, 2 / 3)),
            Case(three | {"alpha": torch.tensor(1.0)}, product(three, 1 / 3)),
            Case(cores | {"alpha": torch.tensor(6.0)}, tucker(cores, 2.0)),
            Case(linear | {"scale": torch.tensor(0.5), "alpha": torch.tensor(9.0)}, product(linear, 0.5)),
        ],
    )


def test_shape_with_cores_has_the_kernel_and_without_has_its_product():
    assert loha.measure({suffix: tuple(tensor.shape) for suffix, tensor in with_cores().items()}).shape == (
        OUT,
        IN,
        3,
        2,
    )
    assert loha.measure({suffix: tuple(tensor.shape) for suffix, tensor in plain(IN * 9).items()}).shape == (
        OUT,
        IN * 9,
    )


def test_factors_are_exact_with_the_square_of_the_rank():
    tensors = plain()
    delta = loha.decode(tensors, Given())["weight"]
    up, down = delta.factors()
    assert up.shape == (OUT, RANK**2)
    assert relative_error(up.double() @ down.double(), product(tensors)) < 3e-7


def test_no_factors_where_they_would_hold_more_than_the_matrix():
    delta = loha.decode(plain(rank=6), Given())["weight"]
    assert 36 * (OUT + IN) > OUT * IN
    assert delta.factors() is None
    check_delta(delta, product(plain(rank=6)))


def test_transpose_stays_a_product_of_thin_matrices():
    delta = loha.decode(plain(), Given())["weight"]
    assert isinstance(delta.T, loha.Hadamard)


@pytest.mark.parametrize("size", [1e-2, 1e-3])
def test_half_precision_factors_do_not_underflow(size):
    tensors = {suffix: (tensor * size).half() for suffix, tensor in plain().items()}
    assert relative_error(loha.decode(tensors, Given())["weight"].dense(), product(tensors)) < 1e-6


def test_one_core_without_the_other_is_refused():
    tensors = with_cores()
    with pytest.raises(TensorError, match="hada_t2"):
        loha.measure({suffix: tuple(tensor.shape) for suffix, tensor in tensors.items() if suffix != "hada_t2"})


def test_another_change_cannot_be_written():
    with pytest.raises(TensorError, match="LoHa"):
        loha.encode({"weight": LowRank(torch.ones(3, 1), torch.ones(1, 4))})
