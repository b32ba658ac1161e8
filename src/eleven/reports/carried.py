"""`carried_of`: the effects that a search has seen, for each 0.1 of strength, with intervals."""

from __future__ import annotations

from eleven.reports.study_measures import Carried, Interval
from eleven.studies.tuning import Searched

UNIT = 0.1
"""The strength that effects are told for."""
WIDE = 1.96
"""Standard errors of a 95 % interval."""


def carried_of(searched: Searched | None) -> tuple[Carried, ...]:
    """What each model carries, in the order of the models; nothing where too little was seen to tell."""
    effects = searched and searched.effects
    if effects is None:
        return ()
    columns = zip(effects.overall, effects.overall_errors, effects.detail, effects.detail_errors, strict=True)
    return tuple(
        Carried(model, UNIT * overall, _interval(overall, unsure), UNIT * detail, _interval(detail, error))
        for model, (overall, unsure, detail, error) in enumerate(columns)
    )


def _interval(slope: float, error: float) -> Interval:
    return Interval(UNIT * (slope - WIDE * error), UNIT * (slope + WIDE * error))
