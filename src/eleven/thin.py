"""Products of two thin matrices in numpy: the nearest of a rank, and how far two are apart; torch is never loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eleven.halves import widen
from eleven.raw import Factors

Array: TypeAlias = NDArray[np.floating[Any]]
Pair: TypeAlias = tuple[Array, Array]
"""Up (out, rank) and down (rank, in), whose product is meant."""

COARSE, FINE = 1e-3, 1e-5
"""Below these shares of the largest, what a Gram matrix in float32 or float64 says of the smallest is rounding."""
STEEP = 1e-4
"""Below this share of the largest square, eigenvectors in float32 are not enough to divide by."""
SMALL, LOOKS, SETTLED = 96, (4, 6), 4e-6
"""Larger matrices are iterated on, until after one of these steps no more than this share of what is lost may lack."""
SAFE = 1e-4
"""A squared distance from inner products is good to about 1e-6 of the squared norm, so to 1 % here."""


@dataclass(frozen=True)
class Target:
    """How much to keep: at most `rank`, and of that no more than holds the share `energy` of the squared norm."""

    rank: int
    energy: float = 1.0


@dataclass(frozen=True)
class Nearest:
    """The nearest product of a rank, its factors balanced, the whole's squared norm, and the share that is kept."""

    up: Array
    down: Array
    whole: float
    kept: float


def side_by_side(terms: Sequence[tuple[float, Factors]]) -> Pair | None:
    """The sum of strength times product; None where it has no term, is not finite, or would be larger than a matrix."""
    rank = sum(factors.down.values.shape[0] for _, factors in terms)
    rows, columns = terms[0][1].shape if terms else (0, 0)
    if rank * (rows + columns) >= rows * columns:
        return None
    up, down, start = np.empty((rows, rank), np.float32), np.empty((rank, columns), np.float32), 0
    for strength, factors in terms:
        stop = start + factors.down.values.shape[0]
        finite = widen(factors.up, strength * factors.strength, up[:, start:stop])
        if not finite or not widen(factors.down, 1.0, down[start:stop]):
            return None
        start = stop
    return up, down


def nearest(pair: Pair, target: Target) -> Nearest:
    """The nearest product of the target's rank (Eckart and Young 1936).

    From Gram matrices in float32, and in float64 where what is lost comes near float32's rounding.
    """
    up, down = pair
    if up.shape[1] == 0:
        return Nearest(up, down, 0.0, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        root = _root(gram(up.T, np.float32), floor=COARSE)
        quick = _optimum(pair, target, root, np.float32) if root is not None else None
    if quick is not None and quick.kept < 1 - COARSE:
        return quick
    fine = gram(up.T, np.float64)
    root = _root(fine, floor=FINE)
    found = _optimum(pair, target, _pseudo_root(fine) if root is None else root, np.float64)
    assert found is not None
    return found


def gram(wide: Array, precision: type[np.floating[Any]]) -> NDArray[np.float64]:
    """The rows' inner products, summed in this precision, as float64."""
    summed = wide.astype(precision, copy=False)
    return (summed @ summed.T).astype(np.float64)


def squares(first: Pair, second: Pair, whole: float | None = None) -> tuple[float, float]:
    """The squared norm of `first` (`whole`, where it is known already), and its squared distance from `second`.

    Those closer than SAFE are compared without cancellation: by their factors' difference, or entry by entry.
    """
    if first[0].shape == second[0].shape:
        return _squares_alike(first, second, whole)
    whole = inner(first, first) if whole is None else whole
    apart = whole - 2 * inner(first, second) + inner(second, second)
    return whole, apart if apart > SAFE * whole else _norm(first[0] @ first[1] - second[0] @ second[1])


def inner(left: Pair, right: Pair) -> float:
    """⟨U₁V₁, U₂V₂⟩ = Σ (U₁ᵀU₂) ⊙ (V₁V₂ᵀ), the products in the factors' type."""
    ups, downs = left[0].T @ right[0], left[1] @ right[1].T
    return float(np.vdot(ups.astype(np.float64), downs.astype(np.float64)))


def _squares_alike(left: Pair, right: Pair, whole: float | None) -> tuple[float, float]:
    """U₁V₁ − U₂V₂ = (U₁ − U₂)V₁ + U₂(V₁ − V₂), of which rounding often leaves the second term zero."""
    (up, down), (other_up, other_down) = left, right
    downs = (down @ down.T).astype(np.float64)
    whole = float(np.vdot(up.T @ up, downs)) if whole is None else whole
    moved = up - other_up
    if np.array_equal(down, other_down):
        return whole, max(float(np.vdot(moved.T @ moved, downs)), 0.0)
    rest = down - other_down
    both = np.concatenate([moved, other_up], axis=1), np.concatenate([down, rest])
    apart = inner(both, both)
    terms = inner((moved, down), (moved, down)) + inner((other_up, rest), (other_up, rest))
    return whole, apart if apart > SAFE * terms else _norm(moved @ down + other_up @ rest)


def _norm(matrix: Array) -> float:
    """The squared Frobenius norm, summed in float64."""
    return float(np.square(matrix, dtype=np.float64).sum())


def _optimum(pair: Pair, target: Target, root: Array, precision: type[np.floating[Any]]) -> Nearest | None:
    """With UᵀU = LLᵀ and C = LᵀVVᵀL = XS²Xᵀ the optimum is U·VVᵀLX√S⁻³ times (√S)⁻¹XᵀLᵀ·V.

    None where the precision does not hold the numbers, or its eigenvectors do not bear the division.
    """
    up, down = pair
    downs = gram(down, precision)
    left = root.astype(precision)
    core = left.T @ downs.astype(precision) @ left
    whole = float(np.trace(core, dtype=np.float64))
    if not np.isfinite(core).all():
        return None
    squares, vectors = leading((core + core.T) / 2, target.rank)
    rank = rank_to_keep(squares, whole, target)
    squares, vectors = squares[:rank], root @ vectors[:, :rank]
    if precision is np.float32 and rank and squares[-1] < STEEP * squares[0]:
        return None
    sizes = np.sqrt(np.sqrt(squares))
    new_up = up @ (downs @ vectors / sizes**3).astype(up.dtype)
    new_down = (vectors / sizes).T.astype(down.dtype) @ down
    return Nearest(new_up, new_down, whole, float(squares.sum()) / whole if whole > 0 else 1.0)


def leading(core: Array, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A symmetric positive matrix's largest eigenvalues, in falling order, at least so many; and their vectors."""
    found = _iterated(core.astype(np.float64), count) if len(core) > max(SMALL, 4 * count) else None
    if found is not None:
        return found
    squares, vectors = np.linalg.eigh(core)
    return np.maximum(squares[::-1].astype(np.float64), 0.0), vectors[:, ::-1].astype(np.float64)


def _iterated(core: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The same by subspace iteration (Rutishauser 1970), twice as wide; None where it does not settle.

    What it falls short of the sum is at most Σ |residual|² over the distance to what is left out (Kato 1949).
    """
    rows = np.arange(1.0, len(core) + 1)[:, None]
    basis: NDArray[np.float64] | None = np.cos(rows * rows * np.arange(1.0, 2 * count + 1))
    for step in range(max(LOOKS) + 1):
        basis = _orthonormal(core @ basis)
        if basis is None:
            return None
        if step not in LOOKS:
            continue
        image = core @ basis
        squares, turns = np.linalg.eigh(basis.T @ image)
        last, squares, turns = squares[0], squares[: -count - 1 : -1], turns[:, : -count - 1 : -1]
        vectors = basis @ turns
        residuals = np.square(image @ turns - vectors * squares).sum(0)
        if (residuals <= SETTLED / count * (np.trace(core) - squares.sum()) * (squares - last)).all():
            return squares, vectors
    return None


def _orthonormal(basis: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The same space's basis by Cholesky; None where it has fewer dimensions."""
    root = _root(basis.T @ basis, floor=FINE)
    return None if root is None else basis @ np.linalg.inv(root).T


def _root(matrix: NDArray[np.float64], *, floor: float) -> NDArray[np.float64] | None:
    """L with LLᵀ = matrix, by Cholesky; None where the matrix is singular but for `floor`."""
    try:
        lower: NDArray[np.float64] = np.linalg.cholesky(matrix).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        return None
    diagonal = lower.diagonal()
    return lower if diagonal.min() > floor * diagonal.max() else None


def _pseudo_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same from the eigenvectors that are not null, where models share directions."""
    squares, vectors = np.linalg.eigh(matrix)
    kept = squares > max(squares[-1], np.finfo(np.float64).tiny) * 1e-13
    return vectors[:, kept] * np.sqrt(squares[kept])


def rank_to_keep(squares: NDArray[np.float64], whole: float, target: Target) -> int:
    """The fewest leading values that hold the energy, among those above rounding; at least one where there is any."""
    meaningful = int((squares > 1e-14 * whole).sum()) if whole > 0 else 0
    if target.energy < 1:
        reached = int((squares.cumsum() < target.energy * whole).sum()) + 1
        meaningful = min(meaningful, reached)
    return min(meaningful, target.rank)
