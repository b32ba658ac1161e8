"""Sparsifiers: which entries of one part's matrix stay; the strength has no say in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch

from eleven.errors import UsageError
from eleven.methods.method import Setting
from eleven.tensors import Float, Tensor

Matrix = Float[Tensor, "out in"]
Sparsifier = Callable[[Matrix, Setting, bytes], Matrix]
"""(matrix, setting, the part's key) to a matrix that may be the one given, which is never written into."""


def keep_all(matrix: Matrix, setting: Setting, key: bytes) -> Matrix:  # noqa: ARG001 - a Sparsifier
    """The matrix itself."""
    return matrix


def trim(matrix: Matrix, setting: Setting, key: bytes) -> Matrix:  # noqa: ARG001 - a Sparsifier
    """The share `density` of the entries that is largest in magnitude, and those that tie with the smallest of them.

    Per layer, as mergekit and peft do; the paper trims over the whole model (Yadav et al. 2023, arXiv 2306.01708,
    algorithm 1). No rescaling.
    """
    count = matrix.numel()
    kept = max(1, round(setting.number("density") * count))
    if kept == count:
        return matrix
    sizes = matrix.abs()
    least = sizes.flatten().kthvalue(count - kept + 1).values
    return torch.where(sizes >= least, matrix, 0.0)


def drop(matrix: Matrix, setting: Setting, key: bytes) -> Matrix:
    """Each entry kept with the probability `density` and divided by it (Yu et al. 2023, arXiv 2311.03099, eq. 2)."""
    density = setting.number("density")
    return torch.where(uniform(matrix, setting, key) < density, matrix / density, 0.0)


def drop_by_rank(matrix: Matrix, setting: Setting, key: bytes) -> Matrix:
    """Each entry kept with a probability that grows with its rank in its row, and divided by it.

    MagPrune, Deep et al. 2024, arXiv 2406.11617, section 2: from density − ε/2 for the smallest magnitude to
    density + ε/2 for the largest, at the centres of the ranks; a bias is ranked as one row.
    UsageError where that leaves 0 to 1.
    """
    density, spread = setting.number("density"), setting.number("epsilon")
    if density - spread / 2 <= 0 or density + spread / 2 > 1:
        raise UsageError(
            f"density {density:g} with epsilon {spread:g} asks for probabilities beyond 0 to 1.",
            hint=f"At this density epsilon must be below {2 * min(density, 1 - density):g}.",
        )
    keep = density + spread * (_places(matrix.abs()) - 0.5)
    return torch.where(uniform(matrix, setting, key) < keep, matrix / keep, 0.0)


def uniform(matrix: Matrix, setting: Setting, key: bytes) -> Matrix:
    """Numbers in [0, 1) of the matrix's shape, drawn from the setting's seed and the part's key alone."""
    seed = hashlib.blake2b(key + str(setting.generator.initial_seed()).encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(seed) >> 1)
    return torch.rand(matrix.shape, generator=generator)


def _places(sizes: Matrix) -> Matrix:
    """Where each entry stands in its row, smallest first, in (0, 1)."""
    axis = 1 if sizes.shape[1] > 1 else 0
    count = sizes.shape[axis]
    order = sizes.argsort(dim=axis, stable=True)
    centres = (torch.arange(count) + 0.5) / count
    centres = centres if axis == 1 else centres[:, None]
    return torch.empty_like(sizes).scatter_(axis, order, centres.expand(sizes.shape))
