"""What one layer's changes have in common: inner products, shared inputs and outputs; from factors where there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.suggestions.changes import Change
from eleven.suggestions.subspaces import Shared, shared, whitener
from eleven.thin import Pair as Factors
from eleven.thin import gram

Matrix = NDArray[np.float64]
Pair = tuple[int, int]


@final
@dataclass(frozen=True, eq=False)
class Compared:
    """The N×N inner products of a layer's changes, and by pair of models what factors tell of them.

    `downs` and `ups` are the inner products of the factors themselves, each pair's with both squared norms; only
    factors of one rank have some.
    """

    gram: Matrix
    inputs: dict[Pair, Shared]
    outputs: dict[Pair, Shared]
    downs: dict[Pair, Matrix]
    ups: dict[Pair, Matrix]


def compare(found: Sequence[Change], count: int) -> Compared:
    """The comparison of a layer's changes, those of at most one for each of `count` models."""
    table = np.zeros((count, count))
    thin = [(one.model, pair) for one in found if (pair := one.thin) is not None]
    compared = Compared(table, {}, {}, {}, {})
    if thin:
        _compare_thin(thin, compared)
    whole = [one for one in found if one.thin is None]
    for one in whole:
        for other in found:
            if other.thin is not None or other.model >= one.model:
                value = _inner(one, other)
                table[one.model, other.model] = table[other.model, one.model] = value
    return compared


def _compare_thin(thin: Sequence[tuple[int, Factors]], told: Compared) -> None:
    """All inner products at once: UᵀU and VVᵀ of the factors side by side, block by block."""
    models = [model for model, _ in thin]
    edges = [0, *np.cumsum([len(down) for _, (_, down) in thin]).tolist()]
    parts = [slice(start, stop) for start, stop in pairwise(edges)]
    ups = gram(np.concatenate([up for _, (up, _) in thin], axis=1).T, np.float32).astype(np.float64)
    downs = gram(np.concatenate([down for _, (_, down) in thin]), np.float32).astype(np.float64)
    out, width = len(thin[0][1][0]), thin[0][1][1].shape[1]
    white = [(whitener(ups[part, part]), whitener(downs[part, part])) for part in parts]
    for left, first in enumerate(models):
        for right in range(left, len(models)):
            second, block = models[right], (parts[left], parts[right])
            told.gram[first, second] = told.gram[second, first] = float(np.vdot(ups[block], downs[block]))
            if left == right:
                continue
            pair = (first, second)
            told.outputs[pair] = shared(ups[block], white[left][0], white[right][0], out)
            told.inputs[pair] = shared(downs[block], white[left][1], white[right][1], width)
            if ups[block].shape[0] == ups[block].shape[1]:
                told.ups[pair] = _traces(ups, *block)
                told.downs[pair] = _traces(downs, *block)


def _traces(products: Matrix, first: slice, second: slice) -> Matrix:
    """⟨A, B⟩, ‖A‖², ‖B‖²."""
    blocks = (first, second), (first, first), (second, second)
    return np.array([np.trace(products[block]) for block in blocks])


def _inner(one: Change, other: Change) -> float:
    from eleven.algebra import inner

    left = one.delta()
    return inner(left, left if one is other else other.delta())
