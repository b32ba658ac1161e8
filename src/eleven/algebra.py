"""Questions to any `Delta`, answered from its factors where there are some and from the matrix where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch

from eleven import thin
from eleven.delta import Delta, LowRank, Measured, Sum
from eleven.tensors import Float, Tensor
from eleven.thin import SAFE

Factors = tuple[Tensor, Tensor]

ROWS = 64
"""Rows that are summed at once where a whole matrix is."""


def norm(delta: Delta) -> float:
    """Frobenius norm."""
    return max(inner(delta, delta), 0.0) ** 0.5


def inner(first: Delta, second: Delta) -> float:
    """Frobenius inner product Σᵢⱼ firstᵢⱼ·secondᵢⱼ; two deltas are written out only where no structure tells it."""
    left, right = _thin(first), _thin(second)
    if left is not None and right is not None:
        return _inner_of_factors(left, right)
    if left is not None:
        return _inner_with(left, second)
    if right is not None:
        return _inner_with(right, first)
    if isinstance(first, Sum):
        return _energy(first) if second is first else sum(size * inner(delta, second) for size, delta in first.terms)
    if isinstance(second, Sum):
        return inner(second, first)
    told = first.inner_with(second) if isinstance(first, Measured) else None
    if told is not None:
        return told
    matrix = first.dense()
    return _inner_of_matrices(matrix, matrix if second is first else second.dense())


def gram(deltas: Sequence[Delta]) -> Float[Tensor, "n n"]:
    """All inner products of deltas of one shape, symmetric, float64."""
    table = torch.zeros(len(deltas), len(deltas), dtype=torch.float64)
    for row, first in enumerate(deltas):
        for column in range(row, len(deltas)):
            table[row, column] = table[column, row] = inner(first, deltas[column])
    return table


def cosine(first: Delta, second: Delta) -> float:
    """Inner product over the norms, in −1…1; 0 where one of them is zero."""
    size = norm(first) * norm(second)
    return inner(first, second) / size if size > 0 else 0.0


def spectrum(delta: Delta) -> Float[Tensor, " rank"]:
    """Singular values, largest first, float64; as many as the factors' rank or the smaller side."""
    both = _thin(delta)
    if both is None:
        return torch.linalg.svdvals(delta.dense().double())
    up, down = (factor.double() for factor in both)
    return torch.linalg.svdvals(torch.linalg.qr(up).R @ torch.linalg.qr(down.T).R.T)


def distance(first: Delta, second: Delta) -> float:
    """Frobenius norm of the difference."""
    return squares(first, second)[1] ** 0.5


def squares(first: Delta, second: Delta, whole: float | None = None) -> tuple[float, float]:
    """The squared norm of `first` (`whole`, where it is known already), and its squared distance from `second`.

    Deltas closer than SAFE are compared without cancellation: by their factors' difference, or entry by entry.
    """
    left, right = _thin(first), _thin(second)
    if left is not None and right is not None:
        return thin.squares(_arrays(left), _arrays(right), whole)
    whole = inner(first, first) if whole is None else whole
    apart = whole - 2 * inner(first, second) + inner(second, second) if left or right else 0.0
    if apart > SAFE * whole:
        return whole, apart
    return whole, float((first.dense() - second.dense()).norm(dtype=torch.float64)) ** 2


def _arrays(factors: Factors) -> thin.Pair:
    return factors[0].numpy(), factors[1].numpy()


def _thin(delta: Delta) -> Factors | None:
    return (delta.up, delta.down) if isinstance(delta, LowRank) else delta.factors()


def gathered(delta: Delta) -> Delta:
    """The same delta with its factors worked out once; those terms of a sum that have factors become one."""
    both = delta.factors()
    if both is not None:
        return LowRank(*both)
    if not isinstance(delta, Sum):
        return delta
    thin = Sum(tuple(term for term in delta.terms if term[1].factors() is not None) or delta.terms)
    rest = tuple(term for term in delta.terms if term[1].factors() is None)
    both = thin.factors()
    return delta if both is None else Sum(((1.0, LowRank(*both)), *rest))


def _energy(total: Sum) -> float:
    """The squared norm of a sum, each pair of its terms multiplied once."""
    own = sum(strength * strength * inner(delta, delta) for strength, delta in total.terms)
    pairs = combinations(total.terms, 2)
    return own + 2 * sum(one * other * inner(left, right) for (one, left), (other, right) in pairs)


def _inner_of_matrices(first: Float[Tensor, "out in"], second: Float[Tensor, "out in"]) -> float:
    """Row blocks in the matrices' type, their sum in float64."""
    pairs = zip(first.split(ROWS), second.split(ROWS), strict=True)
    return sum(float(torch.dot(one.reshape(-1), other.reshape(-1))) for one, other in pairs)


def _inner_of_factors(left: Factors, right: Factors) -> float:
    """⟨U₁V₁, U₂V₂⟩ = Σ (U₁ᵀU₂) ⊙ (V₁V₂ᵀ), the products in the factors' type."""
    ups, downs = left[0].T @ right[0], left[1] @ right[1].T
    return float((ups.double() * downs).sum())


def _inner_with(factors: Factors, other: Delta) -> float:
    up, down = factors
    return _inner_of_matrices(up, other @ down.T)
