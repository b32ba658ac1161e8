"""`Study`: a plan at work, with its pictures, what counts as a hit, and the space of its strengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.amplification.grams import Grams
from eleven.scorers.scorer import Score
from eleven.studies.measuring import Measure
from eleven.studies.objective import Objective
from eleven.studies.plan import Plan
from eleven.studies.shots import search_shots
from eleven.studies.space import Space
from eleven.studies.taking import Taker, measure_with

Tell = Callable[[str], object]
"""Hears what a study does now."""


def ignore(_: str) -> None:
    """Tells nobody."""


@final
@dataclass(frozen=True)
class Probed:
    """How much of what models change in predictions they have in common, as a mean cosine, and who helps how much.

    `ratios` are shares of sum 1, empty where nothing clear is known of them.
    """

    overlap: float
    ratios: tuple[float, ...] = ()


@final
@dataclass(frozen=True, eq=False)
class Study:
    """What takes and scores its pictures, what judges them, and what may be tried.

    `probe` tells what the models change in predictions, and `grams` in the weights, where anybody can tell. With
    `is_guided`, pictures are guided by a negative prompt.
    """

    taker: Taker
    objective: Objective
    space: Space
    tell: Tell = ignore
    probe: Callable[[], Probed] | None = None
    grams: Grams | None = None
    is_guided: bool = False

    @property
    def plan(self) -> Plan:
        """What is asked."""
        return self.taker.ledger.plan

    @property
    def measure(self) -> Measure:
        """How a search asks for likeness on the search's own shots."""
        return measure_with(self.taker, search_shots(self.plan), self.objective.likeness)

    def likeness(self, scores: Sequence[Score]) -> NDArray[np.float64]:
        """The likeness of each score."""
        return np.array([self.objective.likeness(score) for score in scores], np.float64)

    def perfect(self, scores: Sequence[Score]) -> NDArray[np.bool_]:
        """Which scores are of a perfect likeness."""
        return np.array([self.objective.is_perfect(score) for score in scores], np.bool_)

    def good(self, scores: Sequence[Score]) -> NDArray[np.bool_]:
        """Which scores are good enough, perfect ones included."""
        return np.array([self.objective.is_good(score) for score in scores], np.bool_)
