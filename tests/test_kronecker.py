"""The nearest Kronecker product against the best rank one of the rearranged matrix."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eleven.kronecker import largest_divisor, nearest_kronecker


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4), st.integers(0, 1000))
def test_error_is_that_of_the_best_rank_one_after_rearranging(rows, columns, kernel, seed):
    matrix = torch.randn(rows, columns * kernel, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    first, second = nearest_kronecker(matrix, kernel=kernel)
    high, wide = first.shape
    assert rows % high == columns % wide == second.shape[1] % kernel == 0
    rearranged = torch.stack([block.flatten() for band in matrix.chunk(high) for block in band.chunk(wide, dim=1)])
    best = torch.linalg.svdvals(rearranged)[1:].norm()
    error = (torch.kron(first.matrix, second.matrix) - matrix).norm()
    assert float(error) == pytest.approx(float(best), rel=1e-6, abs=1e-6 * float(matrix.norm()))
    assert float(first.matrix.norm()) == pytest.approx(float(second.matrix.norm()), rel=1e-6)


def test_product_is_found_exactly_and_zero_stays_zero():
    first, second = torch.randn(8, 8), torch.randn(5, 5)
    found = nearest_kronecker(torch.kron(first, second), 8)
    assert torch.kron(found[0].matrix, found[1].matrix).allclose(torch.kron(first, second), atol=1e-5)
    nothing = nearest_kronecker(torch.zeros(6, 6))
    assert not torch.kron(nothing[0].matrix, nothing[1].matrix).any()


@given(st.integers(1, 10_000), st.integers(1, 16))
def test_largest_divisor_divides_and_no_larger_one_does(size, most):
    found = largest_divisor(size, most)
    assert size % found == 0
    assert found <= most
    assert all(size % number for number in range(found + 1, most + 1))
