"""The best approximation of a delta by two thin matrices; never builds the matrix where there are factors."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from eleven.algebra import norm
from eleven.delta import Delta, LowRank
from eleven.tensors import Float, Tensor

OVERSAMPLING = 8
MOST_BLOCKS = 8
SMALL = 4
FIRST_RANK = 64
TOLERANCE = 1e-3
COARSE, FINE = 1e-3, 1e-5
"""Below these shares of the largest, what a Gram matrix in float32 or float64 says of the smallest is rounding."""

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

    Exact from factors and on small matrices; otherwise from a block Krylov sketch, drawn from `generator`.
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
    """The same product with up's columns and down's rows of like size and zeros left out; by powers of two, so exactly.

    Small deltas would otherwise lose digits to half precision's subnormal numbers.
    """
    heights, widths = up.square().sum(0).sqrt(), down.norm(dim=1)
    there = (heights > 0) & (widths > 0)
    if not bool(there.all()):
        up, down, heights, widths = up[:, there], down[there], heights[there], widths[there]
    scale = torch.exp2(((widths / heights).log2() / 2).round())
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
    (left, right), precision = known
    core = left.T @ _gram(down, precision) @ left
    squares, vectors = torch.linalg.eigh((core + core.T) / 2)
    squares, vectors = squares.flip(0).clamp(min=0), vectors.flip(1)
    whole = float(squares.sum())
    rank = _rank(squares, whole, target)
    roots, vectors = squares[:rank].sqrt().sqrt(), vectors[:, :rank]
    new_up = up @ (right @ vectors * roots).to(up.dtype)
    new_down = ((left @ vectors).T / roots[:, None]).to(down.dtype) @ down
    return Compressed(LowRank(new_up, new_down), whole, _share(squares, rank, whole))


def _by_sketch(delta: Delta, target: Target, generator: torch.Generator) -> Compressed:
    """Block Krylov: Musco and Musco 2015, arXiv 1504.05477, algorithm 2, with the products ΔᵀQ kept as they arise.

    Blocks are added until one more changes the squared error by less than TOLERANCE, and wider ones drawn where the
    energy asked for needs a higher rank.
    """
    whole = norm(delta) ** 2
    rank = min(target.rank, FIRST_RANK) if target.energy < 1 else target.rank
    while min(delta.shape) > SMALL * (rank + OVERSAMPLING):
        basis, products = _krylov(delta, rank, whole, generator)
        share = target.energy * whole / max(_energy(products), torch.finfo(torch.float64).tiny)
        best = _from_factors(basis, products.T, Target(rank, share))
        kept = best.kept * best.whole / whole if whole > 0 else 1.0
        if rank >= target.rank or kept >= target.energy:
            return Compressed(best.delta, whole, min(kept, 1.0))
        rank = min(2 * rank, target.rank)
    return _from_factors(*thin_form(delta.dense()), target)


def _krylov(
    delta: Delta, rank: int, whole: float, generator: torch.Generator
) -> tuple[Float[Tensor, "out k"], Float[Tensor, "in k"]]:
    """An orthonormal basis Q of the Krylov space and ΔᵀQ, grown until the leading `rank` values have settled."""
    start = torch.randn(delta.shape[1], rank + OVERSAMPLING, generator=generator)
    transposed = delta.T
    basis, products, kept = list[Tensor](), list[Tensor](), 0.0
    block = delta @ start
    while True:
        basis.append(_orthonormal(block, basis))
        products.append(transposed @ basis[-1])
        before, kept = kept, _leading(products, rank)
        settled = len(basis) > 1 and kept - before <= TOLERANCE * max(whole - kept, 1e-12 * whole)
        if settled or len(basis) == MOST_BLOCKS:
            return torch.cat(basis, dim=1), torch.cat(products, dim=1)
        block = delta @ products[-1]


def _leading(products: list[Float[Tensor, "in k"]], rank: int) -> float:
    gram = _gram(torch.cat(products, dim=1).T, torch.float64)
    return float(torch.linalg.eigvalsh(gram)[-rank:].sum())


def _orthonormal(block: Float[Tensor, "out k"], earlier: list[Tensor]) -> Float[Tensor, "out k"]:
    for _ in range(2):
        for other in earlier:
            block = block - other @ (other.T @ block)
        block = torch.linalg.qr(block).Q
    return block


def _gram(wide: Float[Tensor, "r n"], precision: torch.dtype) -> Float[Tensor, "r r"]:
    """The rows' inner products, summed in this precision, as float64."""
    summed = wide.to(precision)
    return (summed @ summed.T).double()


def _energy(products: Float[Tensor, "in k"]) -> float:
    return float(products.double().square().sum())


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
