"""Reference photos by whom they show: one group where all are of one concept."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from eleven.scorers.sight import Likeness, closeness

JOINED = 0.6
"""Photos of one person are at least by this share as alike as each photo is to those most like it."""
Seen = TypeVar("Seen")


def people_in(scorer: Likeness[Seen]) -> list[list[str]]:
    """The names of usable photos, a list for each person, the largest first; one list where the scorer cannot tell."""
    names, looks, same = list(scorer.looks), list(scorer.looks.values()), scorer.same
    if same is None:
        return [names]
    cosines = np.array([[scorer.sight.overall(one, other) for other in looks] for one in looks])
    return [[names[photo] for photo in group] for group in groups(cosines, alike_enough(cosines, same))]


def alike_enough(cosines: NDArray[np.float64], same: float) -> float:
    """The mean cosine from which groups of photos are of one person."""
    if len(cosines) < 2:
        return same
    nearest = [closeness(np.delete(row, place).tolist(), len(row)) for place, row in enumerate(cosines)]
    return max(same, JOINED * float(np.median(nearest)))


def groups(cosines: NDArray[np.float64], least: float) -> list[list[int]]:
    """The photos by person, the largest group first: groups join while their mean cosine is at least this."""
    found = [[number] for number in range(len(cosines))]
    while len(found) > 1:
        pairs = [(one, two) for two in range(len(found)) for one in range(two)]
        means = [float(cosines[np.ix_(found[one], found[two])].mean()) for one, two in pairs]
        if max(means) < least:
            break
        one, two = pairs[int(np.argmax(means))]
        found[one] += found.pop(two)
    return sorted(found, key=len, reverse=True)
