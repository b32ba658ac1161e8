"""Merging inside the subspace that all parts' outputs span: entries are compared in one common basis."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from eleven.delta import Delta, LowRank
from eleven.methods.consensus import Consensus, add, elect
from eleven.methods.linear import weighted_sum
from eleven.methods.method import Setting
from eleven.methods.parts import active, ordered
from eleven.methods.sparsify import Sparsifier, keep_all, trim
from eleven.tensors import Float, Tensor

Factors = tuple[Float[Tensor, "out r"], Float[Tensor, "r in"]]
RULES: dict[str, tuple[Sparsifier, Consensus]] = {"ties": (trim, elect), "sum": (keep_all, add)}


def knots(deltas: Sequence[Delta], strengths: Sequence[float], setting: Setting) -> Delta:
    """U·merge(UᵀΔ₁, …, UᵀΔ_N), U the left singular vectors of [Δ₁ … Δ_N]; factors of at most the summed rank.

    Stoica et al. 2024, arXiv 2410.19735, section 4: UᵀΔᵢ is their ΣVᵢ. The merge is TIES (per layer) or the sum.
    """
    terms = ordered(active(deltas, strengths))
    pairs = [_factors(term.delta) for term in terms]
    basis = _basis(pairs) if terms else torch.zeros(deltas[0].shape[0], 0)
    if basis.shape[1] == 0:
        return weighted_sum(deltas, strengths, setting)
    sparsify, consensus = RULES[str(setting.options["merge"])]
    parts = ((basis.T @ up) @ down for up, down in pairs)
    merged = consensus(
        (term.strength, sparsify(part, setting, term.key)) for term, part in zip(terms, parts, strict=True)
    )
    return LowRank(basis, merged)


def _factors(delta: Delta) -> Factors:
    """Exact factors of any delta; those of a full matrix have its smaller side as rank."""
    both = delta.factors()
    if both is not None:
        return both
    matrix = delta.dense()
    rows, columns = matrix.shape
    return (torch.eye(rows), matrix) if rows <= columns else (matrix, torch.eye(columns))


def _basis(pairs: Sequence[Factors]) -> Float[Tensor, "out k"]:
    """The left singular vectors of [Δ₁ … Δ_N], without those that only rounding makes.

    With QR = [up₁ … up_N] they are Q times the eigenvectors of Σ Rᵢ·downᵢ·downᵢᵀ·Rᵢᵀ.
    """
    orthonormal, corner = torch.linalg.qr(torch.cat([up for up, _ in pairs], dim=1).double())
    blocks = corner.split([up.shape[1] for up, _ in pairs], dim=1)
    core = torch.zeros(len(corner), len(corner), dtype=torch.float64)
    for block, (_, down) in zip(blocks, pairs, strict=True):
        wide = block @ down.double()
        core += wide @ wide.T
    squares, vectors = torch.linalg.eigh(core)
    kept = squares > 1e-14 * squares[-1]
    return (orthonormal @ vectors[:, kept]).float()
