"""The best approximation of a delta by two thin matrices; never builds the matrix where there are factors."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from eleven.algebra import norm
from eleven.delta import Delta, LowRank
from eleven.sketch import OVERSAMPLING, Sketch, sketch
from eleven.tensors import Float, Tensor

SMALL = 4
FIRST_RANK = 64
COARSE, FINE = 1e-3, 1e-5
"""Below these shares of the largest, what a Gram matrix in float32 or float64 says of the smallest is rounding."""
LOPSIDED = 10.0
"""Doublings between the sizes of both factors."""

Roots = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Target:
    """How much to keep: at most `rank`, and of that no more than holds the share `energy` of the squared norm."""

    rank: int
    energy: float = 1.0


@dataclass(frozen=True)
class Compressed:
    """The nearest delta of a rank, the squared norm of the whole, and the share of it that was kept."""

    delta: LowRank
    whole: float
    kept: float


def compress(delta: Delta, target: Target, generator: torch.Generator) -> Compressed:
    """The nearest delta of the target's rank, its factors balanced (Eckart and Young 1936).

    Exact from factors and on small matrices; otherwise from a sketch, drawn from `generator`.
    """
    both = delta.factors()
    if both is not None:
        return _from_factors(*both, target)
    return _by_sketch(delta, target, generator)


def thin_form(matrix: Float[Tensor, "out in"]) -> tuple[Float[Tensor, "out r"], Float[Tensor, "r in"]]:
    """A matrix as exact factors of full rank: itself and an identity."""
    rows, columns = matrix.shape
    if rows <= columns:
        return torch.eye(rows, dtype=matrix.dtype), matrix
    return matrix, torch.eye(columns, dtype=matrix.dtype)


def balanced(up: Float[Tensor, "out r"], down: Float[Tensor, "r in"]) -> LowRank:
    """The same product without zero directions, and with up's columns and down's rows of like size where they are not.

    Small factors would lose digits to half precision's subnormal numbers. Powers of two keep every bit; factors less
    than LOPSIDED apart stay as they are, so that what was in half precision goes back into it unchanged.
    """
    heights, widths = up.square().sum(0).sqrt(), down.norm(dim=1)
    there = (heights > 0) & (widths > 0)
    if not bool(there.all()):
        up, down, heights, widths = up[:, there], down[there], heights[there], widths[there]
    apart = (widths / heights).log2()
    if not bool((apart.abs() > LOPSIDED).any()):
        return LowRank(up, down)
    scale = torch.exp2(torch.where(apart.abs() > LOPSIDED, apart / 2, 0).round())
    return LowRank(up * scale, down / scale[:, None])


def _from_factors(up: Float[Tensor, "out r"], down: Float[Tensor, "r in"], target: Target) -> Compressed:
    """From Gram matrices in float32, and in float64 where what is lost comes near float32's rounding."""
    if up.shape[1] == 0:
        return Compressed(LowRank(up, down), 0.0, 1.0)
    roots = _root(_gram(up.T, torch.float32), floor=COARSE)
    quick = _optimum(up, down, target, (roots, torch.float32)) if roots else None
    if quick is not None and quick.kept < 1 - COARSE:
        return quick
    fine = _gram(up.T, torch.float64)
    return _optimum(up, down, target, (_root(fine, floor=FINE) or _pseudo_root(fine), torch.float64))


def _optimum(
    up: Float[Tensor, "out r"], down: Float[Tensor, "r in"], target: Target, known: tuple[Roots, torch.dtype]
) -> Compressed:
    """With UᵀU = LLᵀ and C = LᵀVVᵀL = XS²Xᵀ the optimum is U·L⁻ᵀX√S times (√S)⁻¹XᵀLᵀ·V."""
    roots, precision = known
    left, right = (root.to(precision) for root in roots)
    core = left.T @ _gram(down, precision).to(precision) @ left
    squares, vectors = torch.linalg.eigh((core + core.T) / 2)
    squares, vectors = squares.flip(0).clamp(min=0).double(), vectors.flip(1)
    whole = float(squares.sum())
    rank = _rank(squares, whole, target)
    sizes, vectors = squares[:rank].sqrt().sqrt(), vectors[:, :rank]
    new_up = up @ (right @ vectors * sizes).to(up.dtype)
    new_down = ((left @ vectors).T / sizes[:, None]).to(down.dtype) @ down
    return Compressed(LowRank(new_up, new_down), whole, _share(squares, rank, whole))


def _by_sketch(delta: Delta, target: Target, generator: torch.Generator) -> Compressed:
    """From sketches, ever wider ones where the energy asked for needs a higher rank; else from the matrix itself."""
    whole = norm(delta) ** 2
    rank = min(target.rank, FIRST_RANK) if target.energy < 1 else target.rank
    while min(delta.shape) > SMALL * (rank + OVERSAMPLING):
        found = sketch(delta, rank, whole, generator)
        if found is None:
            break
        best = _from_sketch(found, Target(rank, target.energy), whole)
        if rank >= target.rank or best.kept >= target.energy:
            return best
        rank = min(2 * rank, target.rank)
    return _from_factors(*thin_form(delta.dense()), target)


def _from_sketch(found: Sketch, target: Target, whole: float) -> Compressed:
    """With QᵀΔΔᵀQ = XS²Xᵀ the best in the basis is Q·X√S times (√S)⁻¹XᵀQᵀΔ."""
    squares, vectors = torch.linalg.eigh(found.gram)
    squares, vectors = squares.flip(0).clamp(min=0), vectors.flip(1)
    rank = _rank(squares, whole, target)
    roots, vectors = squares[:rank].sqrt().sqrt(), vectors[:, :rank]
    up = found.basis @ (vectors * roots).to(found.basis.dtype)
    down = (vectors / roots).T.to(found.basis.dtype) @ found.products.T
    return Compressed(LowRank(up, down), whole, min(_share(squares, rank, whole), 1.0))


def _gram(wide: Float[Tensor, "r n"], precision: torch.dtype) -> Float[Tensor, "r r"]:
    """The rows' inner products, summed in this precision, as float64."""
    summed = wide.to(precision)
    return (summed @ summed.T).double()


def _root(gram: Float[Tensor, "r r"], *, floor: float) -> Roots | None:
    """L with LLᵀ = gram, and R with LᵀR = 1, by Cholesky; None where the gram is singular but for `floor`."""
    lower, failed = torch.linalg.cholesky_ex(gram)
    diagonal = lower.diagonal()
    if int(failed) or not float(diagonal.min()) > floor * float(diagonal.max()):
        return None
    identity = torch.eye(len(gram), dtype=gram.dtype)
    return lower, torch.linalg.solve_triangular(lower.T, identity, upper=True)


def _pseudo_root(gram: Float[Tensor, "r r"]) -> Roots:
    """The same from the eigenvectors that are not null, where models share directions."""
    squares, vectors = torch.linalg.eigh(gram)
    kept = squares > squares[-1].clamp(min=torch.finfo(gram.dtype).tiny) * 1e-13
    roots, vectors = squares[kept].sqrt(), vectors[:, kept]
    return vectors * roots, vectors / roots


def _rank(squares: Float[Tensor, " r"], whole: float, target: Target) -> int:
    """The fewest leading values that hold the energy, among those above rounding; at least one where there is any."""
    meaningful = int((squares > 1e-14 * whole).sum()) if whole > 0 else 0
    if target.energy < 1:
        reached = int((squares.cumsum(0) < target.energy * whole).sum()) + 1
        meaningful = min(meaningful, reached)
    return min(meaningful, target.rank)


def _share(squares: Float[Tensor, " r"], rank: int, whole: float) -> float:
    return float(squares[:rank].sum()) / whole if whole > 0 else 1.0
