"""Questions to any `Delta`, answered from its factors where there are some and from the matrix where there are none."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from eleven.delta import Delta, LowRank, Sum
from eleven.tensors import Float, Tensor

Factors = tuple[Float[Tensor, "out rank"], Float[Tensor, "rank in"]]


def norm(delta: Delta) -> float:
    """Frobenius norm."""
    return inner(delta, delta) ** 0.5


def inner(first: Delta, second: Delta) -> float:
    """Frobenius inner product Σᵢⱼ firstᵢⱼ·secondᵢⱼ, summed in float64."""
    left, right = _thin(first), _thin(second)
    if left is not None and right is not None:
        return _inner_of_factors(left, right)
    if left is not None:
        return _inner_with(left, second)
    if right is not None:
        return _inner_with(right, first)
    return float((first.dense().double() * second.dense()).sum())


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
    """Frobenius norm of the difference, without cancellation where both have factors of one rank."""
    left, right = _thin(first), _thin(second)
    if left is not None and right is not None and left[0].shape == right[0].shape:
        return norm(LowRank(*_difference(left, right)))
    return norm(Sum(((1.0, first), (-1.0, second))))


def _thin(delta: Delta) -> Factors | None:
    return (delta.up, delta.down) if isinstance(delta, LowRank) else delta.factors()


def _inner_of_factors(left: Factors, right: Factors) -> float:
    ups = left[0].double().T @ right[0].double()
    downs = left[1].double() @ right[1].double().T
    return float((ups * downs).sum())


def _inner_with(factors: Factors, other: Delta) -> float:
    up, down = factors
    return float((up.double() * (other @ down.T)).sum())


def _difference(left: Factors, right: Factors) -> Factors:
    """U₁V₁ − U₂V₂ = (U₁ − U₂)V₁ + U₂(V₁ − V₂)."""
    up = torch.cat([left[0].double() - right[0].double(), right[0].double()], dim=1)
    return up, torch.cat([left[1].double(), left[1].double() - right[1].double()])
