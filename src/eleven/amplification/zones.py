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


OVERLAP = 0.6
"""The cosine that is assumed between what two models of one concept change in predictions, where none was measured.

Of the values from 0 to 1, with it one threshold served most of the lab's people who had not been used to draw it.
"""

EFFECT_AT_BEST = Limits(1.08, 1.19)
"""Of the effect, in what a model does at its own best strength: fits 14 of 15 of the lab's sets of models, whose hits
fall by a third behind it and whose best total lies before it (docs/concepts/collapse.md)."""

EFFECT = Limits(1.35, 1.5)
"""Of the effect, in what a model does at strength 1: a rule of thumb, above all usual presets. Which strength is best
for a model alone differs from person to person, and files do not tell it: this fits 5 of the 15."""
