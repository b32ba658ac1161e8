"""How far models of one person and of others lie apart, and where a line between them would be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eleven.suggestions.probe import Probe, overlap
from judging.trials import HARDLY_TRAINED, TURNED, owner


@dataclass(frozen=True)
class Spans:
    """The least overlap of two of a person's models, the most with another's; the same of the help over the best's."""

    own: float
    others: float
    helping: float
    idle: float

    def __str__(self) -> str:
        told = f"overlap of own {self.own:.2f} and more, of others up to {self.others:.2f}"
        return f"{told}; help of own {self.helping:.2f} and more, of others up to {self.idle:.2f}"


def spans(names: Sequence[str], person: str, probe: Probe) -> Spans:
    """What a person's photos tell of all models but hardly trained ones."""
    counted = [number for number, name in enumerate(names) if not name.endswith(HARDLY_TRAINED)]
    own = [number for number in counted if owner(names[number]) == person and TURNED not in names[number]]
    others = [number for number in counted if number not in own]
    table, helping = np.array(overlap(probe)), np.array(probe.helping)
    most = helping[own].max()
    between = table[np.ix_(own, own)].min()
    return Spans(between, table[np.ix_(own, others)].max(), helping[own].min() / most, helping[others].max() / most)


def lines(found: Sequence[Spans]) -> str:
    """The lines halfway between own and others, over several people."""
    strange = (min(one.own for one in found) + max(one.others for one in found)) / 2
    helps = (min(one.helping for one in found) + max(one.idle for one in found)) / 2
    return f"an overlap of {strange:.2f} and a help of {helps:.2f}"
