"""`Arm`: strengths that are measured beside others on the same shots, and which ones a study always measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from eleven.mix import preset
from eleven.studies.space import Space

Role = Literal["mix", "single", "raised single", "preset", "base", "given"]
RAISED = 1.4
"""How far a single model is turned up, to show what that does."""
MOST_SINGLES = 4
"""How many single models are measured on every fresh shot: the best by the search."""


@final
@dataclass(frozen=True)
class Arm:
    """A name for people, why it is measured, and the strengths, one for each model.

    What is only shown beside the others is measured on the first of their shots: `is_aside`.
    """

    name: str
    role: Role
    strengths: tuple[float, ...]

    @property
    def is_aside(self) -> bool:
        """Whether no claim depends on it."""
        return self.role in ("raised single", "base")

    @property
    def is_mixed(self) -> bool:
        """Whether more than one model takes part."""
        return sum(strength != 0 for strength in self.strengths) > 1


@final
@dataclass(frozen=True)
class Alone:
    """One model by itself: its own best strength, and the likeness that the search expects of it."""

    model: int
    strength: float
    likeness: float


def row_of(space: Space, model: int, strength: float) -> tuple[float, ...]:
    """The strengths of one model alone."""
    return tuple(strength if number == model else 0.0 for number in range(space.count))


def arms_of(space: Space, best: Sequence[float], alone: Sequence[Alone]) -> tuple[Arm, ...]:
    """The mix first, then the singles by likeness, the preset, the best single turned up, and the base without models.

    A best mix of one model is that single, and equal arms are measured once, under the first of their names.
    """
    mixed = [Arm("the mix", "mix", tuple(best))] if np.count_nonzero(best) > 1 else []
    ranked = sorted(alone, key=lambda one: -one.likeness)
    singles = [
        Arm(space.names[one.model], "single", row_of(space, one.model, _own(one, best)))
        for one in ranked[:MOST_SINGLES]
    ]
    usual = [Arm("the usual strengths", "preset", preset(space.count))] if space.count > 1 else []
    first = ranked[0]
    raised = Arm(
        f"{space.names[first.model]} × {RAISED:g}",
        "raised single",
        row_of(space, first.model, round(RAISED * _own(first, best), 4)),
    )
    base = Arm("no model", "base", (0.0,) * space.count)
    distinct: dict[tuple[float, ...], Arm] = {}
    for arm in (*mixed, *singles, *usual, raised, base):
        distinct.setdefault(arm.strengths, arm)
    return tuple(distinct.values())


def _own(one: Alone, best: Sequence[float]) -> float:
    """A model's own best strength; where the search ended at that model alone, what it ended at."""
    return best[one.model] if np.count_nonzero(best) == 1 and best[one.model] else one.strength
