"""The best approximation of a delta by two thin matrices; never builds the matrix where there are factors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from eleven.algebra import norm
from eleven.delta import Delta, Leading, LowRank, Sum
from eleven.sketch import OVERSAMPLING, Sketch, sketch
from eleven.tensors import Float, Tensor
from eleven.thin import Target, nearest, rank_to_keep

SMALL = 4
FIRST_RANK = 64
LOPSIDED = 10.0
"""Doublings between the sizes of both factors."""


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
    found = nearest((up.numpy(), down.numpy()), target)
    factors = LowRank(torch.from_numpy(found.up), torch.from_numpy(found.down))
    return Compressed(factors, found.whole, found.kept)


def _by_sketch(delta: Delta, target: Target, generator: torch.Generator) -> Compressed:
    """From sketches of the smaller side, on which a basis costs least; else from the matrix itself."""
    whole = norm(delta) ** 2
    tall = delta.shape[0] > delta.shape[1]
    found = _widening(delta.T if tall else delta, target, whole, generator)
    if found is None:
        return _from_factors(*thin_form(delta.dense()), target)
    return replace(found, delta=LowRank(found.delta.down.T, found.delta.up.T)) if tall else found


def _widening(delta: Delta, target: Target, whole: float, generator: torch.Generator) -> Compressed | None:
    """From a sketch, ever wider ones where the energy asked for needs a higher rank; None where they grow too wide."""
    rank = min(target.rank, FIRST_RANK) if target.energy < 1 else target.rank
    while min(delta.shape) > SMALL * (rank + OVERSAMPLING):
        found = sketch(delta, rank, whole, _start(delta, rank, generator))
        if found is None:
            return None
        best = _from_sketch(found, Target(rank, target.energy), whole)
        if rank >= target.rank or best.kept >= target.energy:
            return best
        rank = min(2 * rank, target.rank)
    return None


def _start(delta: Delta, rank: int, generator: torch.Generator) -> Float[Tensor, "out k"]:
    """Where drawn inputs are moved; in a sum whose terms tell theirs, the largest part of where all of these are."""
    drawn = torch.randn(delta.shape[1], rank + OVERSAMPLING, generator=generator)
    terms = delta.terms if isinstance(delta, Sum) else ()
    known = [block for _, term in terms if (block := _foremost(term, rank)) is not None]
    if not known:
        return delta @ drawn
    moved = delta @ torch.cat([*known, drawn / delta.shape[1] ** 0.5], dim=1)
    return moved @ torch.linalg.eigh(moved.T @ moved).eigenvectors[:, -drawn.shape[1] :]


def _foremost(delta: Delta, count: int) -> Float[Tensor, "in k"] | None:
    """The inputs that a delta moves most, of length one, where its structure tells them."""
    if isinstance(delta, Leading):
        return delta.leading(count)
    both = delta.factors()
    if both is None:
        return None
    return torch.nn.functional.normalize(_from_factors(*both, Target(count)).delta.down).T


def _from_sketch(found: Sketch, target: Target, whole: float) -> Compressed:
    """The best is ΔV·√S⁻¹ times √S·Vᵀ, with the images' lengths S."""
    rank = rank_to_keep(found.squares.numpy(), whole, target)
    roots = found.squares[:rank].sqrt().sqrt().to(found.images.dtype)
    factors = LowRank(found.images[:, :rank] / roots, (found.inputs[:, :rank] * roots).T)
    share = float(found.squares[:rank].sum()) / whole if whole > 0 else 1.0
    return Compressed(factors, whole, min(share, 1.0))
