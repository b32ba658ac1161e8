"""Where "perfect" and "good enough" begin: lines drawn by what real photos of the concept score among themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from eleven.errors import ElevenError, UsageError
from eleven.scorers.scorer import Score

PERFECT, GOOD, IMPOSTORS = 25.0, 5.0, 99.9
"""Percentiles: of real photos the first two, of impostors the last."""

FLOOR_OF_GAP, FLOOR_OF_SCORE, SMALLEST = 0.05, 0.02, 1e-6
"""The least spread: of the way from impostors to real photos, of the score where there are none, and of anything."""

Part = Literal["overall", "detail"]


@final
@dataclass(frozen=True)
class Lines:
    """Where perfect and good enough begin on one part's scale, the spread of real photos, and where these come from."""

    perfect: float
    good: float
    spread: float
    perfect_from: str
    good_from: str


@final
@dataclass(frozen=True)
class Thresholds:
    """The lines of both parts, `detail` None where the scorer sees none; `unscored` photos had no overall score."""

    overall: Lines
    detail: Lines | None
    unscored: int


def calibrate(leave_one_out: Sequence[Score], impostors: Sequence[Score] = ()) -> Thresholds:
    """The lines that real photos, each scored against the others, and impostors draw.

    UsageError where no photo could be scored.
    """
    overall = scored(leave_one_out, "overall")
    if not len(overall):
        faults = Counter(score.fault or "no score" for score in leave_one_out)
        told = ", ".join(f"{fault} ({number})" for fault, number in faults.most_common()) or "there are none"
        raise UsageError(
            f"None of the {len(leave_one_out)} references could be scored: {told}.",
            hint="Give photos that show the concept clearly, or choose another scorer with --scorer.",
        )
    detail = scored(leave_one_out, "detail")
    return Thresholds(
        lines(overall, scored(impostors, "overall")),
        lines(detail, scored(impostors, "detail")) if len(detail) else None,
        len(leave_one_out) - len(overall),
    )


def scored(scores: Sequence[Score], part: Part) -> NDArray[np.float64]:
    """That part of the scores without fault that have it; ElevenError where one is not finite."""
    values = [score.overall if part == "overall" else score.detail for score in scores if not score.fault]
    found = np.array([value for value in values if value is not None], np.float64)
    if not np.isfinite(found).all():
        raise ElevenError(f"The scorer gave a {part} score that is not finite.", hint="Its author should give None.")
    return found


def lines(real: NDArray[np.float64], impostors: NDArray[np.float64]) -> Lines:
    """The lines of one part."""
    perfect, good = (float(line) for line in np.percentile(real, (PERFECT, GOOD)))
    perfect_from, good_from = (f"{percent:g}th percentile of {len(real)} real photos" for percent in (PERFECT, GOOD))
    if len(impostors):
        reached = float(np.percentile(impostors, IMPOSTORS))
        if reached > good:
            good, good_from = reached, f"{IMPOSTORS:g}th percentile of {len(impostors)} impostors"
        if reached > perfect:
            good, good_from = perfect, f"the perfect line, as impostors reach {reached:.3g}, above it"
    return Lines(perfect, good, spread(real, impostors), perfect_from, good_from)


def spread(real: NDArray[np.float64], impostors: NDArray[np.float64]) -> float:
    """The standard deviation of real photos, kept from nought where they are few or alike."""
    middle = float(np.median(real))
    floor = FLOOR_OF_SCORE * abs(middle)
    if len(impostors):
        floor = FLOOR_OF_GAP * (middle - float(np.median(impostors)))
    return max(float(real.std(ddof=1)) if len(real) > 1 else 0.0, floor, SMALLEST)
