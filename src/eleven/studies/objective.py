"""One number for a picture, and whether it is a hit, from what a scorer saw, the lines, and the user's weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import final

from eleven.errors import ElevenError, UsageError
from eleven.scorers.scorer import Score
from eleven.studies.thresholds import Thresholds

LOWEST, UNLIKE, HIGHEST = -4.0, -3.5, 2.0
"""Between which a likeness lies: a miss whatever its likeness has the lowest, and a picture of somebody else is above.

So a search can tell pictures that a mix has ruined from those that are only unlike, as those of a weak mix are.
"""

PROMPT_SPREAD = 0.25
"""The share of a prompt that counts as much as one spread of real photos."""


@final
@dataclass(frozen=True)
class Weights:
    """How much the overall likeness, its detail and the prompt count; what weighs nothing is no part of a hit either.

    UsageError for a weight below nought, and where neither likeness nor detail counts.
    """

    likeness: float = 1.0
    detail: float = 1.0
    prompt: float = 0.5

    def __post_init__(self) -> None:
        told = f"likeness {self.likeness:g}, detail {self.detail:g}, prompt {self.prompt:g}"
        if not all(isfinite(weight) and weight >= 0 for weight in (self.likeness, self.detail, self.prompt)):
            raise UsageError(f"The weights {told} are not all 0 or more.", hint="Give 0 for what does not matter.")
        if not self.likeness + self.detail:
            raise UsageError(f"The weights {told} leave nothing to be like.", hint="Weigh likeness or detail.")


@final
@dataclass(frozen=True)
class Objective:
    """Judges scores: `share` is what a hit must show of its prompt where the scorer can tell."""

    thresholds: Thresholds
    weights: Weights = field(default_factory=Weights)
    share: float = 0.5

    def likeness(self, score: Score) -> float:
        """The weighted mean of what was measured: 0 is just perfect, one is the spread of real photos.

        It lies from -3.5 to 2; a fault and an unknown overall likeness are -4. A prompt beyond the share adds none.
        """
        parts = [(weight, above) for weight, above, _ in self.parts(score) if weight]
        if is_miss(score) or not parts:
            return LOWEST
        return sum(weight * above for weight, above in parts) / sum(weight for weight, _ in parts)

    def is_perfect(self, score: Score) -> bool:
        """Whether every part that was measured and counts is at or over its perfect line, without fault."""
        return self.is_hit([above >= 0 for weight, above, _ in self.parts(score) if weight], score)

    def is_good(self, score: Score) -> bool:
        """Whether every part that was measured and counts is at or over its good-enough line, without fault."""
        return self.is_hit([good for weight, _, good in self.parts(score) if weight], score)

    def is_hit(self, over: list[bool], score: Score) -> bool:
        """Whether there is something over its line, nothing below, and no other reason for a miss."""
        return bool(over) and all(over) and not is_miss(score)

    def parts(self, score: Score) -> Iterator[tuple[float, float, bool]]:
        """The weight of each part that was measured, how far it is above perfect, and whether it is good enough."""
        likeness = (
            (self.weights.likeness, score.overall, self.thresholds.overall),
            (self.weights.detail, score.detail, self.thresholds.detail),
        )
        for weight, value, line in likeness:
            if value is not None and line is not None:
                yield weight, clipped((value - line.perfect) / line.spread), value >= line.good
        if score.prompt is not None:
            above = clipped((score.prompt - self.share) / PROMPT_SPREAD)
            yield self.weights.prompt, min(0.0, above), score.prompt >= self.share


def is_miss(score: Score) -> bool:
    """Whether the picture is a miss whatever else was seen."""
    return bool(score.fault) or score.overall is None


def clipped(value: float) -> float:
    """The value between that of somebody else and the highest likeness; ElevenError where it is not a number."""
    if not isfinite(value):
        raise ElevenError(f"The scorer gave a score of {value}.", hint="Its author should give None for what it lacks.")
    return min(HIGHEST, max(UNLIKE, value))
