"""How much two models' inputs or outputs have in common, from inner products of their factors alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

FLAT = 1e-6
"""Directions whose share of the largest square is below this are rounding."""


@final
@dataclass(frozen=True)
class Shared:
    """Of `most` directions that two subspaces could share, `found` are shared and `chance` would be at random.

    Sums of layers add up. Random subspaces of ranks r and s in d dimensions share rs/d directions.
    """

    found: float = 0.0
    chance: float = 0.0
    most: float = 0.0

    def __add__(self, other: Shared) -> Shared:
        return Shared(self.found + other.found, self.chance + other.chance, self.most + other.most)

    @property
    def share(self) -> float:
        """Shared directions over possible ones, ‖QᵢᵀQⱼ‖² / min(r, s)."""
        return self.found / self.most if self.most else 0.0

    @property
    def expected(self) -> float:
        """The same at random: the chance level."""
        return self.chance / self.most if self.most else 0.0

    @property
    def beyond(self) -> float:
        """What chance does not explain, over all that it leaves: 0 at chance, 1 for equal subspaces."""
        room = self.most - self.chance
        return (self.found - self.chance) / room if room > 1e-9 * self.most else 0.0


def whitener(gram: Matrix) -> Matrix:
    """W with WᵀGW = 1 for the directions that a Gram matrix G (r, r) has: with rows A, WᵀA is orthonormal.

    No directions where G is not finite, as of numbers too large to be squared.
    """
    if not np.isfinite(gram).all():
        return np.empty((len(gram), 0))
    squares, vectors = np.linalg.eigh(gram)
    kept = squares > FLAT * max(squares.max(initial=0.0), np.finfo(np.float64).tiny)
    return vectors[:, kept] / np.sqrt(squares[kept])


def shared(cross: Matrix, left: Matrix, right: Matrix, width: int) -> Shared:
    """What subspaces of `width` dimensions share; `cross` (r, s) holds inner products of rows."""
    first, second = left.shape[1], right.shape[1]
    if not first or not second:
        return Shared()
    found = float(np.square(left.T @ cross @ right).sum())
    return Shared(found, first * second / width, float(min(first, second)))
