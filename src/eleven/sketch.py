"""The leading singular directions of any delta, from products with it alone: nothing is built but thin matrices."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from eleven.delta import Delta
from eleven.tensors import Float, Tensor

OVERSAMPLING = 32
MOST_BLOCKS = 8
TOLERANCE = 7e-4
"""The share of the squared error of the best approximation by which that of a sketch may be larger."""
SINGULAR, CLEAR = 1e-3, 0.03
"""Below the first of these shares Cholesky fails in float32; above the second once is enough."""
STEEP, CLOSE = 1e-5, 1e-3
"""Below the first share of the largest eigenvalue residuals are rounding; eigenvalues are no closer than the second."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """Orthonormal inputs V, their images ΔV, and the squares of these, which are orthogonal and in falling order."""

    images: Float[Tensor, "out k"]
    inputs: Float[Tensor, "in k"]
    squares: Float[Tensor, " k"]


@dataclass(frozen=True, eq=False)
class Krylov:
    """An orthonormal basis Q, the products W = ΔᵀQ, their Gram matrix, and what ΔW has outside Q: its last block's."""

    basis: Float[Tensor, "out n"]
    products: Float[Tensor, "in n"]
    gram: Float[Tensor, "n n"]
    rest: Float[Tensor, "out k"]


def sketch(delta: Delta, rank: int, whole: float, block: Float[Tensor, "out k"]) -> Sketch | None:
    """A sketch of the leading `rank` directions of a delta of squared norm `whole`; None if it grows too wide.

    Block Krylov, Musco and Musco 2015, arXiv 1504.05477, algorithm 2, from this block on, keeping the products as they
    arise, until what may lack is tolerable.
    """
    transposed, width = delta.T, block.shape[1]
    space = Krylov(block[:, :0], block.new_empty(delta.shape[1], 0), torch.zeros(0, 0, dtype=torch.float64), block)
    found = None
    for count in range(MOST_BLOCKS):
        if space.basis.shape[1] + width > min(delta.shape):
            return None
        fresh = orthonormal(space.rest, space.basis)
        arisen = transposed @ fresh
        gram = _bordered(space.gram, space.products, arisen)
        basis, products = torch.cat([space.basis, fresh], dim=1), torch.cat([space.products, arisen], dim=1)
        rest = delta @ arisen - basis @ gram[:, -width:].to(basis.dtype)
        space = Krylov(basis, products, gram, rest)
        found = _ritz(space) if count else None
        if found and found.lacking(rank) <= TOLERANCE * max(whole - found.kept(rank), 1e-12 * whole):
            break
    return _leading(space, found, rank) if found else None


@dataclass(frozen=True, eq=False)
class Ritz:
    """WᵀW = XSXᵀ, the last block's rows Y of X, and YᵀRᵀRY: with the rest R, (ΔW)ᵀΔW is X(S² + YᵀRᵀRY)Xᵀ."""

    squares: Float[Tensor, " n"]
    vectors: Float[Tensor, "n n"]
    last: Float[Tensor, "k n"]
    moved: Float[Tensor, "k k"]

    def kept(self, rank: int) -> float:
        """The squared norm of the best of this rank in the span of Q."""
        return float(self.squares[:rank].sum())

    def lacking(self, rank: int) -> float:
        """About what the best in the span of W lacks of the squared norm that any of this rank can have.

        In the span of Q an eigenvalue s lacks |residual|²/(s − t), where the rest of Δ has t at most (Kato 1949); in
        that of W, t/s of it. Taken for t is the eigenvalue with as many before it as the first block has.
        """
        top, far = self.squares[:rank], self.squares[len(self.moved) - 1]
        return float((self.moved.diagonal()[:rank] * far / (top - far).clamp(min=CLOSE * top)).sum())


def _ritz(space: Krylov) -> Ritz:
    width = space.rest.shape[1]
    squares, vectors = torch.linalg.eigh(space.gram)
    squares, vectors = squares.flip(0).clamp(min=1e-30), vectors.flip(1)
    last = vectors[-width:] * torch.where(squares > STEEP * squares[0], squares.rsqrt(), 0)
    beyond = (space.rest.T @ space.rest).double()
    return Ritz(squares, vectors, last, last[:, :width].T @ beyond @ last[:, :width])


def _leading(space: Krylov, found: Ritz, rank: int) -> Sketch:
    """The best in the span of W, where ΔW is QXSXᵀ with RYᵀX beside it."""
    width = space.rest.shape[1]
    squares, vectors, last = found.squares[:width], found.vectors[:, :width], found.last[:, :width]
    energies, turns = torch.linalg.eigh(squares.diag() + found.moved)
    energies, turns = energies.flip(0)[:rank].clamp(min=0), turns.flip(1)[:, :rank]
    dtype = space.basis.dtype
    images = space.basis @ (vectors * squares.sqrt() @ turns).to(dtype) + space.rest @ (last @ turns).to(dtype)
    return Sketch(images, space.products @ (vectors * squares.rsqrt() @ turns).to(dtype), energies)


def orthonormal(block: Float[Tensor, "out k"], earlier: Float[Tensor, "out n"]) -> Float[Tensor, "out k"]:
    """An orthonormal basis of what the block has beyond `earlier`, by Cholesky, or by QR where that fails.

    A second time (CholeskyQR2: Fukaya et al. 2014, doi:10.1109/ScalA.2014.11) where so much was taken away, or the
    columns were so alike, that rounding shows.
    """
    for _ in range(2):
        before = block.square().sum(0)
        block = block - earlier @ (earlier.T @ block)
        left = float((block.square().sum(0) / before).min())
        lower, failed = torch.linalg.cholesky_ex((block.T @ block).double())
        diagonal = lower.diagonal()
        spread = 0.0 if int(failed) else float(diagonal.min() / diagonal.max())
        block = block @ _inverse(lower).T.to(block.dtype) if spread > SINGULAR else torch.linalg.qr(block).Q
        if left > CLEAR**2 and spread > CLEAR:
            break
    return block


def _bordered(
    gram: Float[Tensor, "n n"], products: Float[Tensor, "in n"], arisen: Float[Tensor, "in k"]
) -> Float[Tensor, "m m"]:
    """The Gram matrix of products and arisen, where that of the products is known."""
    side, corner = (products.T @ arisen).double(), (arisen.T @ arisen).double()
    return torch.cat([torch.cat([gram, side], dim=1), torch.cat([side.T, corner], dim=1)])


def _inverse(lower: Float[Tensor, "k k"]) -> Float[Tensor, "k k"]:
    identity = torch.eye(len(lower), dtype=lower.dtype)
    return torch.linalg.solve_triangular(lower, identity, upper=False)
