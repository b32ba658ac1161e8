"""What the collapse meter says of a study's mixes, once it is known how strong each model is best alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eleven.amplification.meter import Known, read
from eleven.amplification.reading import Reading
from eleven.amplification.zones import EFFECT_AT_BEST, OVERLAP
from eleven.mix import Mix, preset
from eleven.studies.arms import Alone
from eleven.studies.study import Study

PROBED, HIGHEST = "overlap", "highest total"
"""Kinds of notes in a ledger: how much the models have in common with the ratios that photos ask for, and the bound."""

ABOVE_PRESET, ABOVE_PREDICTED = 1.2, 1.15
"""A search may go so many times beyond the usual total, and beyond the predicted one, whatever the meter says."""


def noted(study: Study, kind: str) -> str | None:
    """The first note of this kind in the study's ledger."""
    return next((one.text for one in study.taker.ledger.notes() if one.kind == kind), None)


def reading_of(study: Study, row: Sequence[float], alone: Sequence[Alone]) -> Reading | None:
    """The reading of the mix in a row, each model counted in its own best strength, and strengths as they count.

    None where not every model was measured alone, where no layers are known, and for a mix that changes nothing.
    """
    if study.grams is None or [one.model for one in alone] != list(range(study.space.count)):
        return None
    probed = noted(study, PROBED)
    overlap = OVERLAP if probed is None else float(probed.split()[0])
    known = Known(tuple(one.counted for one in alone), overlap)
    space = study.space
    counted = [*space.counted(np.array([row]))[0], *row[space.count :]]
    found = read(study.grams, Mix(parts=study.plan.parts(counted)), known)
    return found if found.effect > 0 else None


def highest_total(study: Study, alone: Sequence[Alone], predicted: float | None) -> float:
    """The total beyond which pictures usually collapse whatever the shares, which is kept in the ledger.

    That is where the red zone begins at equal shares or, where that is more, with the model alone that bears the
    highest strength. It is no less than what the preset and the predicted total leave room for. Infinite where the
    meter cannot tell.
    """
    told = noted(study, HIGHEST)
    if told is None:
        count = study.space.count
        even = reading_of(study, [*np.full(count, 1 / count), *study.space.neutral], alone)
        if even is None:
            return float("inf")
        strongest = EFFECT_AT_BEST.red * max(one.counted for one in alone)
        room = max(ABOVE_PRESET * sum(preset(count)), ABOVE_PREDICTED * (predicted or 0.0))
        told = f"{max(even.edge, strongest, room):.4f}"
        study.taker.ledger.note(HIGHEST, told)
    return float(told)
