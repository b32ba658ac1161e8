from __future__ import annotations

import pytest
import torch

from eleven.delta import Dense, LowRank, Rows, Sum, is_thin, take_rows
from eleven.techniques.loha import Hadamard
from eleven.techniques.lokr import Kronecker
from eleven.testing import Given, check_delta, relative_error


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


DENSE = Dense(normal(24, 30))
THIN = LowRank(normal(24, 3, seed=1), normal(3, 30, seed=2))
THICK = LowRank(normal(24, 20, seed=3), normal(20, 30, seed=4))
PRODUCT = Hadamard(LowRank(normal(24, 2, seed=5), normal(2, 30, seed=6)), THIN)
KRONECKER = Kronecker(Dense(normal(4, 6, seed=7)), LowRank(normal(6, 1, seed=8), normal(1, 5, seed=9)))
TRUTHS = {
    "dense": (DENSE, DENSE.matrix.double()),
    "thin": (THIN, THIN.up.double() @ THIN.down.double()),
    "thick": (THICK, THICK.up.double() @ THICK.down.double()),
    "product": (
        PRODUCT,
        (PRODUCT.first.up.double() @ PRODUCT.first.down.double()) * (THIN.up.double() @ THIN.down.double()),
    ),
    "kronecker": (
        KRONECKER,
        torch.kron(KRONECKER.first.matrix.double(), KRONECKER.second.up.double() @ KRONECKER.second.down.double()),
    ),
}


@pytest.mark.parametrize("name", TRUTHS)
def test_delta_agrees_with_its_matrix(name):
    check_delta(*TRUTHS[name])


@pytest.mark.parametrize("first", TRUTHS)
@pytest.mark.parametrize("second", TRUTHS)
def test_sum_is_weighted_sum(first, second):
    (one, truth), (other, other_truth) = TRUTHS[first], TRUTHS[second]
    check_delta(Sum(((0.5, one), (-2.0, other))), 0.5 * truth - 2 * other_truth)


def test_sum_of_sums_is_flat_arithmetic():
    inner = Sum(((2.0, THIN), (1.0, DENSE)))
    check_delta(Sum(((3.0, inner),)), 6 * TRUTHS["thin"][1] + 3 * TRUTHS["dense"][1])


def test_sum_has_factors_only_where_all_terms_have_and_they_stay_thin():
    assert Sum(((1.0, THIN), (1.0, THIN))).factors()[0].shape == (24, 6)
    assert Sum(((1.0, THIN), (1.0, DENSE))).factors() is None
    assert Sum(((1.0, THIN),) * 5).factors() is None


@pytest.mark.parametrize("name", TRUTHS)
def test_sum_does_not_write_into_its_terms(name):
    delta, truth = TRUTHS[name]
    total = Sum(((1.0, delta), (1.0, delta)))
    total.dense(), total @ torch.ones(30, 1), total.T.dense()
    assert relative_error(delta.dense(), truth) < 1e-6


@pytest.mark.parametrize("ranges", [((3, 9),), ((0, 4), (20, 24)), ((20, 24), (0, 4))])
@pytest.mark.parametrize("name", TRUTHS)
def test_rows_are_those_rows(name, ranges):
    delta, truth = TRUTHS[name]
    check_delta(Rows(delta, ranges), torch.cat([truth[start:stop] for start, stop in ranges]))


def test_one_range_of_rows_is_a_view():
    matrix = normal(6, 4)
    assert take_rows(matrix, ((2, 5),)).data_ptr() == matrix[2].data_ptr()


def test_thin_is_fewer_numbers_than_the_matrix():
    assert is_thin(13, (24, 30))
    assert not is_thin(20, (24, 40 - 10)) and not is_thin(1, (2, 2))
    assert not is_thin(1, (1, 5))


def test_delta_cannot_be_changed():
    with pytest.raises(AttributeError):
        DENSE.matrix = normal(2, 2)


def test_check_delta_finds_a_wrong_delta():
    with pytest.raises(AssertionError, match="relative error"):
        check_delta(DENSE, DENSE.matrix.double() * (1 + 1e-5))
    with pytest.raises(AssertionError, match="shape"):
        check_delta(DENSE, DENSE.matrix.T.double())


def test_given_layer_without_a_base_says_so():
    from eleven.errors import BaseNeeded

    with pytest.raises(BaseNeeded):
        Given().bias()
    assert Given(torch.ones(2, 2)).bias() is None
