"""`Allotment`: how the pictures of a study are shared out among its phases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from eleven.errors import UsageError
from eleven.studies.arms import MOST_SINGLES
from eleven.studies.shots import BLOCK

ALONE, CHECKS = 0.25, 0.2
"""The shares of the search's pictures that go to models by themselves, and to checks of the mix that was found."""
CONFIRMATION = 0.6
"""The share of all pictures that measures the result on fresh shots."""
ASIDE = 0.3
"""The share of the fresh shots that arms get which are only shown beside the others."""
LEAST_ALONE, LEAST_SEARCH, LEAST_CONFIRMATION = 6, 24, BLOCK
TOTALS = 5
"""Totals that the sweep looks at."""


@final
@dataclass(frozen=True)
class Allotment:
    """Pictures for each model alone, for the search, shots for each check, and fresh shots for each arm."""

    alone: int
    search: int
    check: int
    confirmation: int


def split(budget: int) -> tuple[int, int]:
    """So many pictures for search and for confirmation."""
    confirmation = round(CONFIRMATION * budget)
    return budget - confirmation, confirmation


def allot(search: int, confirmation: int, count: int) -> Allotment:
    """The shares of a study of `count` models. UsageError where the pictures are too few, with what would be enough."""
    shares = shared(search, confirmation, count)
    if not suffices(shares):
        told = f"{search + confirmation} pictures are too few to search {count} models and to measure the result."
        raise UsageError(told, hint=f"Give a budget of at least {least(count)}.")
    return shares


def shared(search: int, confirmation: int, count: int) -> Allotment:
    """The shares, whether or not they suffice."""
    checks = (count if count > 1 else 0) + TOTALS
    alone = max(LEAST_ALONE, int(ALONE * search / count)) if count > 1 else 0
    check = max(2, int(CHECKS * search / checks))
    shots = int(confirmation / arms_measured(count))
    return Allotment(alone, search - count * alone - checks * check, check, shots - shots % BLOCK)


def suffices(shares: Allotment) -> bool:
    """Whether there is enough to search with, and to measure by."""
    return shares.search >= LEAST_SEARCH and shares.confirmation >= LEAST_CONFIRMATION


def arms_measured(count: int) -> float:
    """How many pictures there are to one fresh shot: mix, preset and singles, and those beside them on some."""
    return (min(count, MOST_SINGLES) + 2 if count > 1 else 1) + 3 * ASIDE


def least(count: int) -> int:
    """The smallest budget, in tens, of a study of so many models."""
    budget = 10
    while not suffices(shared(*split(budget), count)):
        budget += 10
    return budget
