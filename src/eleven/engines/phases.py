"""Strengths that rise over the steps, as a few groups of steps with weights of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from eleven.combination import Combination

PHASES = 4
"""Groups of steps at most: each costs a change of weights for every batch."""

Turn: TypeAlias = Callable[[int], object]
"""Hears which phase begins, from 0, before its first step."""


def shares_of(steps: int) -> list[float]:
    """The middle of each phase as a share of the steps; weighted with the phases' steps, their mean is a half.

    A step lies in the middle of its own share, and so does a phase among its steps.
    """
    groups: dict[int, list[float]] = {}
    for step in range(steps):
        groups.setdefault(phase_of(step, steps), []).append((step + 0.5) / steps)
    return [sum(group) / len(group) for group in groups.values()]


def phase_of(step: int, steps: int) -> int:
    """The phase of a step, both counted from 0."""
    return step * min(PHASES, steps) // steps


def phases_of(combination: Combination | None, steps: int) -> list[Combination | None]:
    """What is mixed in each phase; one phase where no strength rises."""
    if combination is None or not combination.mix.rises:
        return [combination]
    return [combination.at_share(share) for share in shares_of(steps)]


def turning(turn: Turn, steps: int) -> Callable[[object, int, object, dict[str, object]], dict[str, object]]:
    """What a pipeline calls after each step, so that `turn` hears of each new phase before its first step.

    Samplers that predict twice a step have nearly twice as many timesteps as steps.
    """

    def after(pipeline: object, index: int, _: object, kept: dict[str, object]) -> dict[str, object]:
        calls = len(pipeline.scheduler.timesteps)  # type: ignore[attr-defined]
        now, following = (phase_of(at * steps // calls, steps) for at in (index, index + 1))
        if now != following and index + 1 < calls:
            turn(following)
        return kept

    return after
