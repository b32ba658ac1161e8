from __future__ import annotations

import pytest
import torch

from eleven.delta import Dense, LowRank
from eleven.errors import TensorError
from eleven.techniques import lokr
from eleven.techniques.technique import shapes_of
from eleven.testing import Case, Given, check_delta, check_technique, relative_error

ROWS, COLUMNS, INNER_ROWS, INNER_COLUMNS, RANK = 4, 6, 10, 12, 2


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


FIRST = {
    "whole": {"lokr_w1": normal(ROWS, COLUMNS)},
    "thin": {"lokr_w1_a": normal(ROWS, RANK), "lokr_w1_b": normal(RANK, COLUMNS)},
}
SECOND = {
    "whole": {"lokr_w2": normal(INNER_ROWS, INNER_COLUMNS)},
    "whole conv": {"lokr_w2": normal(INNER_ROWS, INNER_COLUMNS, 3, 2)},
    "thin": {"lokr_w2_a": normal(INNER_ROWS, 3), "lokr_w2_b": normal(3, INNER_COLUMNS)},
    "thin conv": {"lokr_w2_a": normal(INNER_ROWS, 3), "lokr_w2_b": normal(3, INNER_COLUMNS * 6)},
    "core": {"lokr_t2": normal(3, 3, 3, 2), "lokr_w2_a": normal(3, INNER_ROWS), "lokr_w2_b": normal(3, INNER_COLUMNS)},
}
FORMS = [(first, second) for first in FIRST for second in SECOND]


def factor(tensors: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    doubled = {suffix: tensor.double() for suffix, tensor in tensors.items()}
    if name in doubled:
        return doubled[name]
    up, down = doubled[f"{name}_a"], doubled[f"{name}_b"]
    core = doubled.get("lokr_t2")
    return up @ down if core is None or name == "lokr_w1" else torch.einsum("ijkl,ip,jr->prkl", core, up, down)


def product(tensors: dict[str, torch.Tensor], strength: float = 1.0) -> torch.Tensor:
    """w1 with two more axes ⊗ w2 in its kernel's shape, as the layer sees it."""
    first, second = factor(tensors, "lokr_w1"), factor(tensors, "lokr_w2")
    second = second.reshape(
        INNER_ROWS, INNER_COLUMNS, *((3, 2) if second.numel() > INNER_ROWS * INNER_COLUMNS else (1, 1))
    )
    return strength * torch.kron(first[:, :, None, None], second.contiguous()).flatten(1)


def form(first: str, second: str) -> dict[str, torch.Tensor]:
    return FIRST[first] | SECOND[second]


def test_battery():
    strength = {
        ("whole", "whole"): 1.0,
        ("whole", "whole conv"): 1.0,
        ("thin", "whole"): 2.0,
        ("thin", "whole conv"): 2.0,
    }
    cases = [Case(form(*each), product(form(*each))) for each in FORMS]
    alphas = [
        Case(form(*each) | {"alpha": torch.tensor(4)}, product(form(*each), strength.get(each, 4 / 3)))
        for each in FORMS
    ]
    scaled = form("whole", "whole") | {"scale": torch.tensor(0.25), "alpha": torch.tensor(4)}
    check_technique(lokr, [*cases, *alphas, Case(scaled, product(scaled, 0.25))])


@pytest.mark.parametrize(("first", "second"), FORMS)
def test_rank_is_of_the_second_pair_and_else_of_the_first(first, second):
    rank = lokr.measure(shapes_of(form(first, second))).rank
    assert rank == (3 if not second.startswith("whole") else RANK if first == "thin" else None)


def test_stored_alpha_is_ignored_where_both_factors_are_whole():
    tensors = form("whole", "whole")
    plain, huge = (
        lokr.decode(tensors | extra, Given())["weight"].dense() for extra in ({}, {"alpha": torch.tensor(1e9)})
    )
    assert torch.equal(plain, huge)


@pytest.mark.parametrize(("first", "second"), FORMS)
def test_factors_have_the_product_of_both_ranks(first, second):
    delta = lokr.decode(form(first, second), Given())["weight"]
    ranks = (RANK if first == "thin" else ROWS) * (10 if second.startswith("whole") else 3)
    both = delta.factors()
    if both is None:
        assert ranks * sum(delta.shape) >= delta.shape[0] * delta.shape[1]
    else:
        assert both[0].shape[1] == ranks
        assert relative_error(both[0].double() @ both[1].double(), product(form(first, second))) < 4e-7


def test_whole_matrix_of_lower_rank_is_split_by_its_svd():
    first, second = normal(16, 2) @ normal(2, 16), normal(16, 3) @ normal(3, 16)
    delta = lokr.Kronecker(Dense(first), Dense(second))
    up, _ = delta.factors()
    assert up.shape == (256, 6)
    check_delta(delta, torch.kron(first.double(), second.double()))


def test_zero_factor_has_no_rank():
    delta = lokr.Kronecker(Dense(torch.zeros(4, 4)), Dense(normal(8, 8)))
    assert delta.factors()[0].shape == (32, 0)
    check_delta(delta, torch.zeros(32, 32, dtype=torch.float64))


def test_transpose_stays_a_kronecker_product():
    delta = lokr.decode(form("thin", "core"), Given())["weight"]
    assert isinstance(delta.T, lokr.Kronecker)


@pytest.mark.parametrize("extra", [{"lokr_w1": normal(ROWS, COLUMNS)}, {"lokr_w2": normal(INNER_ROWS, INNER_COLUMNS)}])
def test_factor_given_twice_is_refused(extra):
    with pytest.raises(TensorError, match="contradict"):
        lokr.measure(shapes_of(form("thin", "thin") | extra))


def test_another_change_cannot_be_written():
    with pytest.raises(TensorError, match="LoKr"):
        lokr.encode({"weight": LowRank(torch.ones(3, 1), torch.ones(1, 4))})


@pytest.mark.parametrize("shapes", [((4, 3), (10, 12)), ((3, 4), (12, 10)), ((4, 4), (6, 6))])
def test_leading_inputs_are_the_right_singular_vectors(shapes):
    first, second = (normal(*shape, seed=5) for shape in shapes)
    delta = lokr.Kronecker(Dense(first), Dense(second))
    found = delta.leading(5)
    assert torch.allclose((delta @ found).norm(dim=0), torch.linalg.svdvals(delta.dense())[:5], rtol=1e-4)
    assert torch.allclose(found.T @ found, torch.eye(5), atol=1e-4)
    assert delta.leading(1000).shape[1] == min(shapes[0]) * min(shapes[1])
