"""The best approximation of a delta by one Kronecker product."""

from __future__ import annotations

import torch

from eleven.delta import Dense
from eleven.tensors import Float, Tensor

FACTOR = 8


def nearest_kronecker(matrix: Float[Tensor, "out in"], factor: int = FACTOR, *, kernel: int = 1) -> tuple[Dense, Dense]:
    """The A and B for which A ⊗ B is nearest, A of at most factor × factor; equally large in norm.

    Each `kernel` neighbouring columns, those of one input channel, stay together in B.

    Van Loan and Pitsianis 1993, "Approximation with Kronecker products": the leading singular pair of the matrix whose
    rows are the blocks.
    """
    rows, columns = (largest_divisor(size, factor) for size in (matrix.shape[0], matrix.shape[1] // kernel))
    blocks = matrix.unflatten(0, (rows, -1)).unflatten(2, (columns, -1)).transpose(1, 2)
    listed = blocks.reshape(rows * columns, -1).double()
    squares, vectors = torch.linalg.eigh(listed @ listed.T)
    first = vectors[:, -1]
    size = squares[-1].clamp(min=0).sqrt().sqrt()
    second = (first @ listed) / size if float(size) > 0 else listed[0] * 0
    return (
        Dense((first * size).reshape(rows, columns).to(matrix.dtype)),
        Dense(second.reshape(blocks.shape[2:]).to(matrix.dtype)),
    )


def largest_divisor(size: int, most: int) -> int:
    """The largest divisor of `size` that is at most `most`."""
    return next(number for number in range(min(size, most), 0, -1) if size % number == 0)
