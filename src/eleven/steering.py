"""`steer`: strengths moved between models for more or less detail, the overall look kept, by measured effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from eleven.effects import Effect
from eleven.errors import UsageError
from eleven.mix import Mix, Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

Row = tuple[float, ...]
Range = tuple[float, float]

RANGE: Range = (0.0, 1.2)
"""Where a strength may lie that no study gave a range."""
FURTHEST = 0.6
"""The share of its own strength that a model gains or loses at most, at a detail of 1 or -1."""
CLEAR = 1.0
"""Standard errors that the detail gained on a way must be above 0, and the overall likeness may be off."""
HELD = 10.0
"""How much dearer than another change of strengths one is that moves the total or, by a standard error, the look."""
TOTAL = 0.15
"""The share of its total that a mix loses at most for less detail."""
RISING = 0.3
"""The rise of every part at a detail of 1."""
DIGITS = 4
ROUNDING = 1e-3


class Slopes(NamedTuple):
    """The effects of all models, a vector for each field of `Effect`."""

    overall: Floats
    overall_error: Floats
    detail: Floats
    detail_error: Floats


def steer(strengths: Sequence[float], effects: Sequence[Effect], detail: float, ranges: Sequence[Range]) -> Row:
    """Strengths for this much more detail, from -1 to 1: 0 gives them back, and so do models that carry the same.

    They move along a line on either side, the further the larger `detail` is, and never out of their ranges or below 0.
    At 1 and -1 the first model has gained or lost `FURTHEST` of its strength, or is at the end of its range. For less
    detail the total falls too, where detail clearly falls with it and the look does not; for more it is held, since
    beyond the best total pictures collapse. UsageError for a detail out of range, and where the lengths differ.
    """
    if not -1 <= detail <= 1:
        raise UsageError(f"a detail of {detail:g} is not between -1 and 1.", hint="Give -1 to 1; 0 changes nothing.")
    if len(effects) != len(strengths):
        told = f"{len(effects)} models were measured, and {len(strengths)} are mixed."
        raise UsageError(told, hint="Run eleven tune with these models.")
    start, slopes = np.array(strengths, float), slopes_of(effects)
    if detail == 0 or np.count_nonzero(start > 0) < 2:
        return tuple(strengths)
    way = np.sign(detail) * direction(start, slopes)
    if way.any():
        way *= reach(start, way, ranges)
    if detail < 0 and falls_with_the_total(start, slopes):
        way = way - TOTAL * start
    if not way.any():
        return tuple(strengths)
    size = abs(detail) * min(1.0, reach(start, way, ranges))
    return tuple(round(float(one), DIGITS) for one in start + size * way)


def slopes_of(effects: Sequence[Effect]) -> Slopes:
    """The effects as vectors."""
    columns = ([getattr(effect, name) for effect in effects] for name in Slopes._fields)
    return Slopes(*(np.array(column, float) for column in columns))


def is_clear(way: Floats, slopes: Slopes) -> bool:
    """Whether detail surely rises this way, and overall likeness does not surely fall."""
    error, slack = (float(np.sqrt(np.sum((one * way) ** 2))) for one in (slopes.detail_error, slopes.overall_error))
    gained, change = float(slopes.detail @ way), float(slopes.overall @ way)
    return gained > max(CLEAR * error, 0) and change >= -CLEAR * slack - ROUNDING * abs(gained)


def falls_with_the_total(start: Floats, slopes: Slopes) -> bool:
    """Whether detail surely falls with the total, and overall likeness does not."""
    return is_clear(-start, slopes._replace(detail=-slopes.detail))


def direction(start: Floats, slopes: Slopes) -> Floats:
    """Where detail rises most for the change of strengths, overall likeness and total kept; 0 where nothing is clear.

    A change is counted relative to each model's own strength. The more surely overall likeness was measured, the more
    exactly its slope is left out; the total is held too, because what it does besides is on neither scale. Models that
    carry the same in the same proportion leave nothing to gain.
    """
    taking = start > 0
    sizes, own = start[taking], slopes.overall[taking]
    surely = max(float(np.mean(slopes.overall_error[taking] ** 2)), 1e-9 * float(own @ own), 1e-18)
    held = HELD * (np.ones((len(sizes),) * 2) + np.outer(own, own) / surely)
    way = np.zeros(len(start))
    way[taking] = np.linalg.solve(np.diag(sizes**-2) + held / np.mean(sizes) ** 2, slopes.detail[taking])
    kept = is_clear(way, slopes) and is_clear(way, slopes._replace(overall=-slopes.overall))
    return way / np.abs(way).max() if kept else np.zeros(len(start))


def reach(start: Floats, way: Floats, ranges: Sequence[Range]) -> float:
    """How far the strengths may go this way."""
    moving = way != 0
    steps = [FURTHEST * start[moving] / np.abs(way[moving])]
    low, high = (np.array(side) for side in zip(*ranges, strict=True))
    ends = np.where(way > 0, np.maximum(high, start), np.minimum(np.maximum(low, 0), start))
    steps.append((ends[moving] - start[moving]) / way[moving])
    return float(np.min(steps))


def steered(mix: Mix, effects: Sequence[Effect], detail: float) -> Mix:
    """The mix with the strengths of its parts steered by the effects of their files.

    Strengths at addresses keep their proportion to the part's own. UsageError where a part was not measured.
    """
    known = {effect.sha256.lower(): effect for effect in effects}
    strange = next((part.file for part in mix.parts if part.sha256.lower() not in known), None)
    if strange is not None:
        told = f"{strange}: no study has measured what it carries, so that detail cannot be steered by it."
        raise UsageError(told, hint="Run eleven tune with these models, or steer the steps alone: --detail-steps.")
    strengths = [part.strength for part in mix.parts]
    found = steer(strengths, [known[part.sha256.lower()] for part in mix.parts], detail, [RANGE] * len(strengths))
    parts = (scaled(part, strength) for part, strength in zip(mix.parts, found, strict=True))
    return mix.model_copy(update={"parts": tuple(parts)})


def scaled(part: Part, strength: float) -> Part:
    """The part at another strength, everything in proportion."""
    factor = strength / part.strength if part.strength else 1.0
    at = {name: round(value * factor, DIGITS) for name, value in part.at.items()} if factor != 1 else part.at
    return Part.model_validate(part.model_dump() | {"strength": strength, "at": at})


def rising(mix: Mix, detail: float) -> Mix:
    """The mix whose denoiser's strengths rise over the steps, or fall for less detail, on top of their own rise."""
    parts = (part.model_copy(update={"rise": min(1.0, max(-1.0, part.rise + RISING * detail))}) for part in mix.parts)
    return mix.model_copy(update={"parts": tuple(parts)})
