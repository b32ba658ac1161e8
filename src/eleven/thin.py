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
Eigen: TypeAlias = tuple[NDArray[np.float64], Array, Array]
"""Eigenvalues in falling order, eigenvectors, and their images."""

COARSE, FINE = 1e-3, 1e-5
"""Below these shares of the largest, what a Gram matrix in float32 or float64 says of the smallest is rounding."""
STEEP, CANCELLED = 1e-4, 1e-2
"""Below this share of the largest square, eigenvectors in float32 are not enough to divide by; below this share of
what its rank-one terms have, neither is a sum of them.
"""
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
        quick = _optimum(pair, target, np.float32)
    if quick is not None and quick.kept < 1 - COARSE:
        return quick
    found = _optimum(pair, target, np.float64)
    assert found is not None
    return found


def gram(wide: Array, precision: type[np.floating[Any]]) -> Array:
    """The rows' inner products in this precision."""
    summed = wide.astype(precision, copy=False)
    return summed @ summed.T


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


def _optimum(pair: Pair, target: Target, precision: type[np.floating[Any]]) -> Nearest | None:
    """The optimum is U·(VVᵀB√S⁻³) times (√S⁻¹Bᵀ)·V, where UᵀU·VVᵀ·B = BS² and Bᵀ·VVᵀ·B = S².

    None where the precision does not hold the numbers, or its eigenvectors do not bear the division.
    """
    up, down = pair
    ups, downs = gram(up.T, precision), gram(down, precision)
    whole = float(np.vdot(ups.astype(np.float64), downs.astype(np.float64)))
    apart = float(np.vdot(ups.diagonal(), downs.diagonal()))
    if precision is np.float32 and not CANCELLED * apart <= whole < np.inf:
        return None
    found = leading(ups, downs, target.rank)
    if found is None:
        return None
    squares, vectors, images = found
    rank = rank_to_keep(squares, whole, target)
    squares = squares[:rank]
    if precision is np.float32 and rank and squares[-1] < STEEP * squares[0]:
        return None
    sizes = np.sqrt(np.sqrt(squares))
    new_up = up @ (images[:, :rank] / sizes**3).astype(up.dtype)
    new_down = (vectors[:, :rank] / sizes).T.astype(down.dtype) @ down
    return Nearest(new_up, new_down, whole, float(squares.sum()) / whole if whole > 0 else 1.0)


def leading(ups: Array, downs: Array, count: int) -> Eigen | None:
    """The largest eigenvalues S² of UᵀU·VVᵀ, at least so many, and B and VVᵀ·B for them; in the matrices' precision.

    None where UᵀU is singular but for float32's rounding.
    """
    found = _iterated(ups, downs, count) if len(ups) > max(SMALL, 4 * count) else None
    return _decomposed(ups, downs, count) if found is None else found


def _decomposed(ups: Array, downs: Array, count: int) -> Eigen | None:
    """The same from all of them: with UᵀU = LLᵀ and LᵀVVᵀL = XS²Xᵀ, B is LX."""
    root = _root(ups, floor=COARSE if ups.dtype == np.float32 else FINE)
    if root is None and ups.dtype == np.float32:
        return None
    left = (_pseudo_root(ups) if root is None else root).astype(ups.dtype)
    core = left.T @ downs @ left
    squares, vectors = np.linalg.eigh((core + core.T) / 2)
    squares, vectors = squares[: -count - 1 : -1], left @ vectors[:, : -count - 1 : -1]
    return np.maximum(squares.astype(np.float64), 0.0), vectors, downs @ vectors


def _iterated(ups: Array, downs: Array, count: int) -> Eigen | None:
    """The same by subspace iteration (Rutishauser 1970), twice as wide; None where it does not settle.

    What it falls short of the sum is at most Σ |residual|² over the distance to what is left out (Kato 1949).
    """
    rows = np.arange(1.0, len(ups) + 1)[:, None]
    start = np.cos(rows * rows * np.arange(1.0, 2 * count + 1)) * np.sqrt(downs.diagonal())[:, None]
    basis = start.astype(ups.dtype)
    for step in range(max(LOOKS) + 1):
        image = ups @ basis
        turn = _orthonormal(basis.T @ image, shift=16 * float(np.finfo(ups.dtype).eps))
        if turn is None:
            return None
        if step not in LOOKS:
            basis = downs @ (image @ turn)
            continue
        basis, image = basis @ turn, image @ turn
        turn = _orthonormal(basis.T @ image)
        if turn is None:
            return None
        basis, image = basis @ turn, image @ turn
        found = downs @ image
        squares, turns = np.linalg.eigh(image.T @ found)
        last, squares, turns = squares[0], squares[: -count - 1 : -1].astype(np.float64), turns[:, : -count - 1 : -1]
        rest = found @ turns - basis @ (turns * squares.astype(ups.dtype))
        residuals = (rest * (ups @ rest)).sum(0)
        lost = np.vdot(ups, downs) - squares.sum()
        gaps = np.maximum(squares - last, np.finfo(np.float64).tiny)
        if (residuals / gaps).sum() <= SETTLED * lost:
            return squares, image @ turns, found @ turns
        basis = found
    return None


def _orthonormal(square: Array, shift: float = 0.0) -> Array | None:
    """What makes columns with these inner products orthonormal, with a shift nearly so; None where it fails."""
    root = _root(square + shift * square.trace() * np.eye(len(square), dtype=square.dtype), floor=FINE)
    return None if root is None else np.linalg.inv(root).T.astype(square.dtype)


def _root(matrix: Array, *, floor: float) -> NDArray[np.float64] | None:
    """L with LLᵀ = matrix, by Cholesky; None where the matrix is singular but for `floor`."""
    try:
        lower = np.linalg.cholesky(matrix.astype(np.float64, copy=False)).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        return None
    diagonal = lower.diagonal()
    return lower if diagonal.min() > floor * diagonal.max() else None


def _pseudo_root(matrix: Array) -> Array:
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
