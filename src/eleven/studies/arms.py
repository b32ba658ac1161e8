"""`Arm`: strengths that are measured beside others on the same shots, and which ones a study always measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np

from eleven.mix import Mix, preset
from eleven.studies.plan import Plan
from eleven.studies.space import LIFT, Space

Role = Literal["mix", "single", "raised single", "guided", "preset", "base", "given"]
RAISED = 1.4
"""How far a single model is turned up, to show what that does."""
GUIDED = 0.5
"""The share for the negative prompt of the mix that shows what that does, at the total that counts the same."""
MOST_SINGLES = 4
"""How many single models are measured on every fresh shot: the best by the search."""


@final
@dataclass(frozen=True)
class Arm:
    """A name for people, why it is measured, and the strengths, one for each model.

    What is only shown beside the others is measured on the first of their shots: `is_aside`. `knobs` are their values,
    where a study has any; none are neutral ones. `share` is that of the strengths for the negative prompt.
    """

    name: str
    role: Role
    strengths: tuple[float, ...]
    knobs: tuple[float, ...] = ()
    share: float = 1.0

    def mix(self, plan: Plan) -> Mix | None:
        """The mix of a study's models; None without any."""
        found = plan.mix(self.row)
        return found if found is None or self.share == 1 else found.guided(self.share)

    @property
    def row(self) -> tuple[float, ...]:
        """Strengths, and the knobs behind them, as a search has them."""
        return self.strengths + self.knobs

    @property
    def is_aside(self) -> bool:
        """Whether no claim depends on it."""
        return self.role in ("raised single", "guided", "base")

    @property
    def is_mixed(self) -> bool:
        """Whether more than one model takes part."""
        return sum(strength != 0 for strength in self.strengths) > 1


@final
@dataclass(frozen=True)
class Alone:
    """One model by itself: its own best strength and knobs, and the likeness that the search expects of it.

    `lift` is how many times the strength counts, for the knobs.
    """

    model: int
    strength: float
    likeness: float
    knobs: tuple[float, ...] = ()
    lift: float = 1.0

    @property
    def counted(self) -> float:
        """The strength as it counts."""
        return self.lift * self.strength


def row_of(space: Space, model: int, strength: float) -> tuple[float, ...]:
    """The strengths of one model alone."""
    return tuple(strength if number == model else 0.0 for number in range(space.count))


def arms_of(space: Space, best: Sequence[float], alone: Sequence[Alone], *, is_guided: bool = False) -> tuple[Arm, ...]:
    """The mix first, then the singles by likeness, the preset, the best single turned up, and the base without models.

    Where a negative prompt guides, `is_guided`, the best with less for it stands before the base.

    `best` holds strengths and then knobs. A best mix of one model is that single, and equal arms are measured once,
    under the first of their names.
    """
    strengths, knobs = tuple(best[: space.count]), tuple(best[space.count :])
    mixed = [Arm("the mix", "mix", strengths, knobs)] if np.count_nonzero(strengths) > 1 else []
    ranked = [_own(one, space, best) for one in sorted(alone, key=lambda one: -one.likeness)]
    singles = [_single(space, one) for one in ranked[:MOST_SINGLES]]
    usual = [Arm("the usual strengths", "preset", preset(space.count))] if space.count > 1 else []
    first = ranked[0]
    raised = Arm(
        f"{space.names[first.model]} × {RAISED:g}",
        "raised single",
        row_of(space, first.model, round(RAISED * first.strength, 4)),
        first.knobs,
    )
    base = Arm("no model", "base", (0.0,) * space.count)
    shared = [guided_arm(strengths, knobs)] if is_guided and not any(knob.is_share for knob in space.knobs) else []
    distinct: dict[tuple[float, ...], Arm] = {}
    for arm in (*mixed, *singles, *usual, raised, *shared, base):
        distinct.setdefault((*arm.row, arm.share), arm)
    return tuple(distinct.values())


def guided_arm(strengths: Sequence[float], knobs: tuple[float, ...]) -> Arm:
    """The best with half of it for the negative prompt, at lower strengths that count the same."""
    lower = tuple(round(one / LIFT ** (1 - GUIDED), 4) for one in strengths)
    return Arm("half of it for the negative prompt", "guided", lower, knobs, GUIDED)


def _single(space: Space, alone: Alone) -> Arm:
    return Arm(space.names[alone.model], "single", row_of(space, alone.model, alone.strength), alone.knobs)


def _own(one: Alone, space: Space, best: Sequence[float]) -> Alone:
    """A model at its own best strength; where the search ended at that model alone, at what it ended at."""
    strengths = best[: space.count]
    ended = np.count_nonzero(strengths) == 1 and strengths[one.model]
    return replace(one, strength=strengths[one.model], knobs=tuple(best[space.count :])) if ended else one
