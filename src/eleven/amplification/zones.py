"""Where a mix gets dangerous: every threshold of the collapse meter, with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

Zone = Literal["green", "warn", "red"]


@final
@dataclass(frozen=True)
class Limits:
    """Above `warn` a measure should be watched; above `red` pictures usually collapse."""

    warn: float
    red: float

    def zone(self, value: float) -> Zone:
        """The zone of a value."""
        return "red" if value > self.red else "warn" if value > self.warn else "green"


OVERLAP = 0.5
"""The cosine that is assumed between what two models of one concept change in predictions, where none was measured."""

EFFECT = Limits(1.3, 1.5)
"""Of the effect, in what one model does at strength 1: measured on the lab's people, see docs/concepts/collapse.md."""

EFFECT_AT_BEST = Limits(1.1, 1.2)
"""Of the effect, in what one model does at its own best strength: measured likewise."""

ADDITIVITY = Limits(0.3, 0.4)
"""Of how far the prediction of the mix is from the sum of what its models change, over that sum: past it strengths do
not add up. In a toy two models lost half their hits at 0.24 to 0.41."""


def worst(*zones: Zone) -> Zone:
    """The most dangerous of them; green where there are none."""
    return "red" if "red" in zones else "warn" if "warn" in zones else "green"
