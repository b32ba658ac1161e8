"""`Account`: what a search has measured, what that cost, and what it knows to be ruined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eleven.errors import ElevenError
from eleven.studies.measuring import FLOOR, Asked, Measure

Floats = NDArray[np.float64]
Row = tuple[float, ...]

RUINED_SHARE, RUINED_PICTURES = 0.5, 2
"""A mix is ruined where at least so many of at least so many pictures are."""


class Account:
    """Pictures by mix and shot; one that was measured before is not asked again and costs nothing."""

    def __init__(self, measure: Measure, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self.known: dict[Row, dict[int, float]] = {}
        self._measure = measure

    @property
    def left(self) -> int:
        """How many more pictures may be made."""
        return self.budget - self.used

    @property
    def rows(self) -> Floats:
        """The mixes, in the order of their first picture."""
        return np.array(list(self.known))

    def ask(self, rows: Sequence[Floats], shots: Sequence[int]) -> tuple[Asked, ...]:
        """Measures the rows on these shots, all in one call, as far as the budget goes; returns what was asked."""
        asked: list[Asked] = []
        left = self.left
        for row in dict.fromkeys(tuple(map(float, row)) for row in rows):
            new = tuple(shot for shot in shots if shot not in self.known.get(row, {}))[:left]
            left -= len(new)
            if new:
                asked.append(Asked(row, new))
        for one, values in zip(asked, self._checked(asked), strict=True):
            self.known.setdefault(one.strengths, {}).update(zip(one.shots, values, strict=True))
        self.used = self.budget - left
        return tuple(asked)

    def values(self) -> Floats:
        """Likeness by mix and shot; NaN where unknown or ruined, unless nothing else is known."""
        shots = sorted({shot for found in self.known.values() for shot in found})
        table = np.array([[found.get(shot, np.nan) for shot in shots] for found in self.known.values()])
        return np.where(table <= FLOOR, np.nan, table) if (table > FLOOR).any() else table

    def ruined(self) -> Floats:
        """The mixes of which half of the pictures are ruined."""
        shares = [(row, [value <= FLOOR for value in found.values()]) for row, found in self.known.items()]
        bad = [row for row, lost in shares if len(lost) >= RUINED_PICTURES and np.mean(lost) >= RUINED_SHARE]
        return np.array(bad).reshape(len(bad), len(next(iter(self.known), ())))

    def _checked(self, asked: Sequence[Asked]) -> list[list[float]]:
        found = self._measure(asked) if asked else []
        if len(found) != len(asked):
            raise ElevenError(f"{len(found)} answers came for {len(asked)} mixes.", hint="Mend the scorer.")
        for one, values in zip(asked, found, strict=True):
            if len(values) != len(one.shots):
                raise ElevenError(f"{len(values)} likenesses came for {len(one.shots)} shots of {one.strengths}.")
            for shot, value in zip(one.shots, values, strict=True):
                if not np.isfinite(value):
                    told = f"the likeness of shot {shot} at strengths {one.strengths} is {value}."
                    raise ElevenError(told, hint="A picture that cannot be scored must count as a miss.")
        return [[float(value) for value in values] for values in found]
