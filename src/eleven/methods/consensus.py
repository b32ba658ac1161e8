"""Consensus: several sparse matrices with strengths to one; a method is a sparsifier and a consensus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch

from eleven.delta import Delta, Dense
from eleven.methods.linear import weighted_sum
from eleven.methods.method import Method, Setting
from eleven.methods.parts import active, ordered
from eleven.methods.sparsify import Sparsifier
from eleven.tensors import Float, Tensor

Matrix = Float[Tensor, "out in"]
Weighted = Iterable[tuple[float, Matrix]]
Consensus = Callable[[Weighted], Matrix]
"""At least one (strength, matrix), taken one at a time, so that memory does not grow with the parts."""


def merging(sparsify: Sparsifier, consensus: Consensus) -> Method:
    """The method that sparsifies each part and then finds the consensus; a part of strength 0 is as if absent."""

    def method(deltas: Sequence[Delta], strengths: Sequence[float], setting: Setting) -> Delta:
        """The consensus of the sparse parts, dense."""
        terms = ordered(active(deltas, strengths))
        if not terms:
            return weighted_sum(deltas, strengths, setting)
        return Dense(consensus((s, sparsify(delta.dense(), setting, key)) for key, s, delta in terms))

    return method


def add(parts: Weighted) -> Matrix:
    """Σ strength·matrix."""
    stream = iter(parts)
    strength, matrix = next(stream)
    total = matrix * strength
    for strength, matrix in stream:
        total.add_(matrix, alpha=strength)
    return total


def elect(parts: Weighted) -> Matrix:
    """Per entry the weighted mean over the parts that have the sign of Σ strength·entry, times Σ|strength|.

    Elect and disjoint merge, Yadav et al. 2023, arXiv 2306.01708, algorithm 1, with λ = Σ|strength|, so that parts
    which agree give their sum. Zero entries have no vote; where the sum is zero, no sign is elected: the entry is zero.
    """
    tally = _tally(parts)
    total = tally.positive + tally.negative
    chosen = torch.where(total > 0, tally.positive, tally.negative)
    voters = torch.where(total > 0, tally.voters_up, tally.voters_down).clamp_(min=torch.finfo(total.dtype).tiny)
    return chosen.div_(voters).mul_(tally.strength).masked_fill_(total == 0, 0.0)


def unanimous(parts: Weighted) -> Matrix:
    """Σ strength·entry where no two parts pull an entry opposite ways, else 0; zero entries have no vote.

    The AND-mask of Parascandolo et al. 2020, arXiv 2009.00329, section 3, at full agreement, on deltas in place of
    gradients.
    """
    tally = _tally(parts)
    opposed = (tally.positive != 0) & (tally.negative != 0)
    return (tally.positive + tally.negative).masked_fill_(opposed, 0.0)


class _Tally(NamedTuple):
    """For each entry what pulls it up and down and the |strength| behind either; and the |strength| of all parts."""

    positive: Matrix
    negative: Matrix
    voters_up: Matrix
    voters_down: Matrix
    strength: float


def _tally(parts: Weighted) -> _Tally:
    stream = iter(parts)
    strength, matrix = next(stream)
    up, down, voters_up, voters_down = (torch.zeros_like(matrix) for _ in range(4))
    tally = _count(_Tally(up, down, voters_up, voters_down, 0.0), strength, matrix)
    for strength, matrix in stream:
        tally = _count(tally, strength, matrix)
    return tally


def _count(tally: _Tally, strength: float, matrix: Matrix) -> _Tally:
    pull, size = matrix * strength, abs(strength)
    tally.voters_up.add_(pull > 0, alpha=size)
    tally.voters_down.add_(pull < 0, alpha=size)
    tally.positive.add_(pull.clamp(min=0))
    tally.negative.add_(pull.clamp_(max=0))
    return tally._replace(strength=tally.strength + size)
