"""Races: all on the same shots, the worse half dropped after each heat; and small steps from a leader."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK = 8
"""Shots 0 to 7 are a block, 8 to 15 the next: of as many prompts as there are."""

CLEAR = 2.5
"""How many standard errors behind the leader are too many to go on."""


def behind(values: Floats, leader: int) -> tuple[Floats, Floats]:
    """How far each row is below the leader on the shots that both have, and the standard error; NaN below two shots."""
    gaps = values[leader] - values
    counts = (~np.isnan(gaps)).sum(1)
    enough = counts >= 2
    sums = np.nansum(gaps, 1)
    means = np.where(enough, sums / np.maximum(counts, 1), np.nan)
    left = np.nansum(np.square(gaps - means[:, None]), 1)
    errors = np.sqrt(left / np.maximum(counts - 1, 1) / np.maximum(counts, 1))
    return means, np.where(enough, errors, np.nan)


def survivors(values: Floats) -> list[int]:
    """The better half of the rows by their means on shared shots, best first, without those clearly behind."""
    order = np.argsort(-values.mean(1), kind="stable")
    gaps, errors = behind(values, int(order[0]))
    half = order[: (len(order) + 1) // 2]
    return [int(row) for row in half if not gaps[row] > CLEAR * max(errors[row], 1e-9) or row == order[0]]


def heats(entrants: int, budget: int) -> list[int]:
    """How many shots of the first block are made after each heat: as many of 2, 4 and 8 as half the budget allows."""
    planned: list[int] = []
    done, spent = 0, 0
    for shots in (2, 4, BLOCK):
        cost = entrants * (shots - done)
        if spent + cost > budget and planned:
            break
        planned.append(shots)
        spent, done, entrants = spent + cost, shots, (entrants + 1) // 2
    return planned


def nearby(rows: Sequence[Floats], spread: float, count: int, draw: np.random.Generator) -> Floats:
    """Rows a random factor away from each of these, in every place; what is 0 may come in."""
    factors = np.exp(spread * draw.standard_normal((len(rows), count, len(rows[0]))))
    return np.concatenate(np.maximum(np.array(rows), 0.02)[:, None] * factors)
