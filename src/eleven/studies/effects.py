"""`effects_of`: what each model carries, overall likeness and detail for each unit of its strength, near a mix.

Pictures of a search lie on shared shots, so that what a shot does to every mix drops out. Near mixes count for more
than far ones, models alone for nothing, and pictures of one mix are no independent evidence: errors are those of whole
mixes (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13, with the correction for few of them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from eleven.effects import Effect
from eleven.scorers.scorer import Score
from eleven.studies.measuring import Asked
from eleven.studies.shots import search_shots
from eleven.studies.study import Study

Floats: TypeAlias = NDArray[np.float64]
Row = tuple[float, ...]

NEAR = 0.3
"""The distance in strengths at which a mix counts for 0.6 of one at the best."""
STEEPEST = 3.0
"""Slopes are believed to be no more than about so many standard deviations of the scores a unit."""
FEWEST = 4
"""Mixes for each model without which nothing is told."""


@final
@dataclass(frozen=True, eq=False)
class Seen:
    """Pictures of a search: strengths and then knobs (a row each), the shot, and the scores (NaN: not scored)."""

    strengths: Floats
    shots: NDArray[np.int64]
    overall: Floats
    detail: Floats
    knobs: int = 0

    @property
    def models(self) -> int:
        """How many of a row's numbers are strengths."""
        return self.strengths.shape[1] - self.knobs


@final
@dataclass(frozen=True)
class Effects:
    """One slope for each model and each score, for each unit of strength, with standard errors."""

    overall: Row
    overall_errors: Row
    detail: Row
    detail_errors: Row

    def by_file(self, digests: Sequence[str]) -> tuple[Effect, ...]:
        """The same for files of these hashes."""
        columns = zip(digests, self.overall, self.overall_errors, self.detail, self.detail_errors, strict=True)
        names = ("sha256", "overall", "overall_error", "detail", "detail_error")
        return tuple(Effect.model_validate(dict(zip(names, column, strict=True))) for column in columns)


def effects_of(study: Study, asked: Sequence[Asked], around: Row) -> Effects | None:
    """The effects by what a search has asked for; None where too little was seen to tell."""
    return estimate(seen_by(study, asked), around)


def seen_by(study: Study, asked: Sequence[Asked]) -> Seen:
    """The pictures of the search's own shots, each once."""
    wanted = list(dict.fromkeys((one.strengths, shot) for one in asked for shot in one.shots))
    shots = search_shots(study.plan)
    scores = study.taker.take_all([(study.plan.mix(row), shots[number]) for row, number in wanted])
    return Seen(
        np.array([row for row, _ in wanted]),
        np.array([number for _, number in wanted]),
        values_of(scores, "overall"),
        values_of(scores, "detail"),
        len(study.space.knobs),
    )


def values_of(scores: Sequence[Score], part: str) -> Floats:
    """One part of scores, NaN where it is not known."""
    found = [score.overall if part == "overall" else score.detail for score in scores]
    return np.array([np.nan if value is None else value for value in found])


def estimate(seen: Seen, around: Row) -> Effects | None:
    """The effects near a mix; None where either score was seen on too few mixes for as many models."""
    found = [slopes(seen, values, np.array(around)) for values in (seen.overall, seen.detail)]
    if found[0] is None or found[1] is None:
        return None
    return Effects(*found[0], *found[1])


def slopes(seen: Seen, values: Floats, around: Floats) -> tuple[Row, Row] | None:
    """Slopes of the strengths and their errors by weighted ridge regression; None where there were too few mixes."""
    together = (seen.strengths[:, : seen.models] > 0).sum(1) > 1
    known = np.isfinite(values) & (together | (np.count_nonzero(around[: seen.models]) < 2))
    moved, shots, values = seen.strengths[known] - around, seen.shots[known], values[known]
    mixes = groups_of(seen.strengths[known])
    count = len(around)
    if len(set(mixes)) < FEWEST * count:
        return None
    weights = np.exp(-np.square(moved).sum(1) / (2 * NEAR**2))
    columns, values = within(moved, shots, weights), within(values[:, None], shots, weights)
    inverse = np.linalg.inv(columns.T @ (columns * weights[:, None]) + np.eye(count) / STEEPEST**2)
    fitted = inverse @ (columns.T @ (weights * values[:, 0]))
    left = (values[:, 0] - columns @ fitted) * weights
    sums = np.stack([np.bincount(mixes, column * left) for column in columns.T])
    few = len(set(mixes)) / (len(set(mixes)) - count)
    errors = np.sqrt(np.maximum(few * np.diag(inverse @ sums @ sums.T @ inverse), 0))
    return tuple(map(float, fitted[: seen.models])), tuple(map(float, errors[: seen.models]))


def groups_of(rows: Floats) -> NDArray[np.int64]:
    """The number of the mix of each row."""
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)


def within(columns: Floats, shots: NDArray[np.int64], weights: Floats) -> Floats:
    """The columns less their weighted mean on each shot."""
    numbers = np.unique(shots, return_inverse=True)[1].reshape(-1)
    totals = np.bincount(numbers, weights)
    means = np.stack([np.bincount(numbers, weights * column) / totals for column in columns.T], axis=1)
    return columns - means[numbers]
