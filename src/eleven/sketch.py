"""The leading singular directions of any delta, from products with it alone: nothing is built but thin matrices."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from eleven.delta import Delta
from eleven.tensors import Float, Tensor

OVERSAMPLING = 8
MOST_BLOCKS = 8
SINGULAR, CLEAR = 1e-3, 0.03
"""Below the first of these shares Cholesky fails in float32; above the second once is enough."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """An orthonormal basis Q, the products ΔᵀQ, and their Gram matrix QᵀΔΔᵀQ."""

    basis: Float[Tensor, "out k"]
    products: Float[Tensor, "in k"]
    gram: Float[Tensor, "k k"]


@dataclass(frozen=True, eq=False)
class Start:
    """The first block, and the share of the squared error that one more may take away and yet be the last."""

    block: Float[Tensor, "out k"]
    tolerance: float


def sketch(delta: Delta, rank: int, whole: float, start: Start) -> Sketch | None:
    """A sketch that holds the leading `rank` directions of a delta of squared norm `whole`; None if it grows too wide.

    Block Krylov, Musco and Musco 2015, arXiv 1504.05477, algorithm 2, keeping the products as they arise; blocks are
    added to the first one until one more lowers the squared error of the best approximation by no more than tolerated.
    """
    transposed, block, kept = delta.T, start.block, 0.0
    basis, products = block[:, :0], block.new_empty(delta.shape[1], 0)
    gram = torch.zeros(0, 0, dtype=torch.float64)
    for count in range(MOST_BLOCKS):
        if basis.shape[1] + block.shape[1] > min(delta.shape):
            return None
        fresh = orthonormal(block, basis)
        arisen = transposed @ fresh
        gram = _bordered(gram, products, arisen)
        basis, products = torch.cat([basis, fresh], dim=1), torch.cat([products, arisen], dim=1)
        leading = float(torch.linalg.eigvalsh(gram.float())[-rank:].sum())
        gain, kept = leading - kept, max(leading, kept)
        if count and gain <= start.tolerance * max(whole - kept, 1e-12 * whole):
            break
        block = delta @ arisen
    return Sketch(basis, products, gram)


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
