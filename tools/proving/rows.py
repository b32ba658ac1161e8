"""An arm's numbers and the differences between two arms, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eleven.scorers.scorer import Score
from eleven.studies.differences import compare
from eleven.studies.intervals import Interval, hit_rate, mean_over_prompts
from eleven.studies.study import Study

DIGITS = 4


@dataclass(frozen=True, eq=False)
class Arm:
    """What was measured of a mix: its strengths by model, and the score of each fresh shot."""

    name: str
    strengths: Mapping[str, float]
    scores: Sequence[Score]


def row(study: Study, arm: Arm, prompts: Sequence[str]) -> dict[str, Any]:
    """Hit-rates and mean likenesses with intervals, prompts as clusters."""
    told = prompts[: len(arm.scores)]
    rates = {name: hit_rate(values_of(study, arm, name), told) for name in ("perfect", "good")}
    means = {name: mean_over_prompts(values_of(study, arm, name), told).interval() for name in ("overall", "detail")}
    strengths = {kind: at for kind, at in arm.strengths.items() if at}
    return {"arm": arm.name, "strengths": strengths, "shots": len(arm.scores)} | {
        name: three(interval) for name, interval in (rates | means).items()
    }


def difference(study: Study, arms: tuple[Arm, Arm], prompts: Sequence[str], measure: str) -> dict[str, Any]:
    """The first arm less the second on the shots that both have."""
    first, second = arms
    shots = min(len(first.scores), len(second.scores))
    values = [values_of(study, arm, measure)[:shots] for arm in arms]
    found = compare(values[0], values[1], prompts[:shots], draws=0)
    told = {"arm": first.name, "against": second.name, "measure": measure, "shots": shots}
    return told | {"difference": three(found.interval), "p": round(float(found.p_value), 5)}


def values_of(study: Study, arm: Arm, measure: str) -> NDArray[Any]:
    """A hit or a likeness of each shot; what could not be scored is 0."""
    if measure == "perfect":
        return study.perfect(arm.scores)
    if measure == "good":
        return study.good(arm.scores)
    if measure == "likeness":
        return study.likeness(arm.scores)
    return np.array([getattr(score, measure) or 0.0 for score in arm.scores], np.float64)


def three(interval: Interval) -> tuple[float, float, float]:
    """Estimate, low and high."""
    return tuple(round(float(one), DIGITS) for one in (interval.estimate, interval.low, interval.high))  # type: ignore[return-value]
