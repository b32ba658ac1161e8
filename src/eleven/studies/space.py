"""`Space`: which strengths a search may try, and the coordinates in which likeness is smooth.

A mix is its total and the shares of its models: likeness has one ridge along the total and a cliff beyond it, and
changes with the shares by their squares (docs/search.md). Knobs follow the strengths in a row of a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.errors import UsageError
from eleven.mix import HIGHEST_SHARE, preset
from eleven.studies.gaussian import Points

Floats = NDArray[np.float64]
Range = tuple[float, float]

STRENGTHS: Range = (0.0, 1.2)
LOWEST_TOTAL, HIGHEST_TOTAL, LOWEST_ALONE = 0.8, 1.8, 0.3
BLOCK_GROUPS = 3

TOTALS = (1.0, 1.1, 0.9, 1.25, 0.8)
"""What the predicted total is multiplied with, at equal strengths."""

TILT = 1.35
"""What one strength is multiplied with before the total is brought back."""

ALONE = (1.0, 0.8)

TOTAL_SCALE, SHARE_SCALE = 2.3, 1.2
"""Coordinates in which a step costs about as much likeness in any direction."""

NEGATIVE = "negative"
LIFT, LIKELY_SHARE = 2.0, 0.35
"""How many times more a mix counts with none of its strengths for the negative prompt: its best total is so much lower
(docs/concepts/guiding.md). And the share of them that is expected to be best."""


@final
@dataclass(frozen=True)
class Knob:
    """A factor on the strengths of all models at some addresses; `neutral` is as if it were not there.

    Addresses are blocks, `te`, `unet`, or `negative`: the denoiser where it predicts for the negative prompt.
    """

    name: str
    range: Range = (0.0, 1.5)
    neutral: float = 1.0
    addresses: tuple[str, ...] = ()

    @property
    def is_group(self) -> bool:
        """Whether it is for blocks, and not for all text encoders or the whole denoiser."""
        return not {"te", "unet", NEGATIVE} & set(self.addresses)

    @property
    def is_share(self) -> bool:
        """Whether it is the share of strengths for the negative prompt."""
        return NEGATIVE in self.addresses

    @property
    def expected(self) -> float:
        """The value at which likeness is expected to be the highest."""
        return float(np.clip(LIKELY_SHARE, *self.range)) if self.is_share else self.neutral


@final
@dataclass(frozen=True)
class Space:
    """Names of models with the ranges of their strengths, the range of the total, and knobs.

    `ranges` may be left out: each strength is then from 0 to 1.2. `totals` too: 0.8 to 1.8, no more than the ranges
    add up to; from 0.3 for a model alone. They are totals as they count: `lifts` times the sum of strengths.
    """

    names: tuple[str, ...]
    ranges: tuple[Range, ...] = ()
    totals: Range | None = None
    knobs: tuple[Knob, ...] = ()

    def __post_init__(self) -> None:
        """UsageError where nothing fits the ranges."""
        if not self.names:
            raise UsageError("a search needs at least one model.")
        if self.ranges and len(self.ranges) != self.count:
            raise UsageError(f"{len(self.ranges)} ranges for {self.count} models.", hint="Give one for each model.")
        named = [*zip(self.names, self.strength_ranges, strict=True), *((knob.name, knob.range) for knob in self.knobs)]
        for name, (low, high) in named:
            if not 0 <= low <= high < np.inf:
                raise UsageError(
                    f"the range {low} to {high} of {name} holds no strength.", hint="Give LOW <= HIGH, from 0."
                )
        _check_knobs(self.knobs)
        widest = max((knob.range[1] for knob in self.knobs if knob.is_share), default=0.0)
        if widest > HIGHEST_SHARE:
            told = f"a share of {widest:g} for the negative prompt is too much."
            raise UsageError(told, hint=f"Give at most {HIGHEST_SHARE}.")
        low, high = self.total_range
        if not 0 < low <= high:
            raise UsageError(
                f"no total from {low:g} to {high:g} fits the strengths.", hint="Widen a range or the totals."
            )

    @property
    def count(self) -> int:
        """How many models there are."""
        return len(self.names)

    @property
    def strength_ranges(self) -> tuple[Range, ...]:
        """The range of each strength."""
        return self.ranges or (STRENGTHS,) * self.count

    @property
    def total_range(self) -> Range:
        """The range of the sum of strengths, no wider than the strengths allow."""
        lows, highs = zip(*self.strength_ranges, strict=True)
        shares = [knob.range for knob in self.knobs if knob.is_share]
        least, most = (
            sum(strengths) * LIFT ** sum(1 - share[end] for share in shares)
            for strengths, end in ((lows, 1), (highs, 0))
        )
        low, high = self.totals or (LOWEST_TOTAL if self.count > 1 else LOWEST_ALONE, HIGHEST_TOTAL)
        return max(low, least), min(high, most)

    def capped(self, highest: float) -> Space:
        """The space without totals above this, as far as the ranges allow."""
        low, high = self.total_range
        return replace(self, totals=(low, max(low, min(high, highest))))

    @property
    def neutral(self) -> Floats:
        """The knobs as if they were not there."""
        return np.array([knob.neutral for knob in self.knobs])

    @property
    def expected(self) -> Floats:
        """The knobs at which likeness is expected to be the highest."""
        return np.array([knob.expected for knob in self.knobs])

    def lifts(self, rows: Floats) -> Floats:
        """How many times the strengths of each row count, for the knobs behind them."""
        shares = [self.count + place for place, knob in enumerate(self.knobs) if knob.is_share]
        return LIFT ** (len(shares) - rows[:, shares].sum(1))

    def counted(self, rows: Floats) -> Floats:
        """The strengths of each row as they count."""
        return rows[:, : self.count] * self.lifts(rows)[:, None]

    def row(self, strengths: Sequence[float] | Floats, knobs: Sequence[float] | Floats | None = None) -> Floats:
        """Strengths that count so much, with the expected or other knobs, clipped."""
        given = self.expected if knobs is None else np.asarray(knobs, float)
        kept = [np.clip(value, *knob.range) for value, knob in zip(given, self.knobs, strict=True)]
        row = np.concatenate([np.asarray(strengths, float), kept])[None]
        row[:, : self.count] /= self.lifts(row)[:, None]
        return self.clip(row)[0]

    def clip(self, rows: Floats) -> Floats:
        """The rows brought into the ranges, their shares kept where they can be."""
        knobs = [np.clip(rows[:, self.count + index], *knob.range) for index, knob in enumerate(self.knobs)]
        low, high = (np.array(side) for side in zip(*self.strength_ranges, strict=True))
        strengths = np.maximum(rows[:, : self.count], 0)
        lifts = self.lifts(np.column_stack([strengths, *knobs]))[:, None]
        least, most = (end / lifts for end in self.total_range)
        for _ in range(self.count + 1):
            totals = strengths.sum(1, keepdims=True)
            goal = np.clip(totals, least, most)
            empty = totals <= 0
            grown = np.where(empty, goal / self.count, strengths * goal / np.where(empty, 1, totals))
            strengths = np.clip(grown, low, high)
        strengths = np.clip(_settle(strengths, (low, high), (least, most)), low, high)
        return np.round(np.column_stack([strengths, *knobs]), 4)

    def coordinates(self, rows: Floats, total: float) -> Floats:
        """Logarithm of the total over a usual one, shares less an equal share, knobs less their expected value."""
        counted = self.counted(rows)
        totals = counted.sum(1, keepdims=True)
        shares = counted / totals - 1 / self.count
        knobs = rows[:, self.count :] - self.expected
        return np.hstack([TOTAL_SCALE * np.log(totals / total), SHARE_SCALE * shares, knobs])

    def points(self, rows: Floats, total: float) -> Points:
        """The rows as beliefs about likeness take them."""
        knobs = rows[:, self.count :] - self.expected
        return Points(self.coordinates(rows, total), np.hstack([self.counted(rows), knobs]))


def usual_total(space: Space, predicted_total: float | None) -> float:
    """The predicted total, or that of the preset, within the space."""
    total = predicted_total if predicted_total is not None else sum(preset(space.count))
    return float(np.clip(total, *space.total_range))


def starts(
    space: Space,
    predicted_total: float | None = None,
    single_best: float | None = None,
    ratios: Sequence[float] = (),
) -> list[Floats]:
    """Rows to begin with: the preset, totals at equal strengths, one tilt for each model, and each model alone.

    The total at `ratios`, where they are told, comes behind the preset. A knob that is expected to help elsewhere than
    at its neutral value stands at both and at its lowest in turn.
    """
    total = usual_total(space, predicted_total)
    equal = np.full(space.count, total / space.count)
    told = [np.array(ratios) * total / sum(ratios)] if len(ratios) == space.count else []
    rows = [np.array(preset(space.count)), *told, *(equal * factor for factor in TOTALS)]
    if space.count > 1:
        rows += [tilted * total / tilted.sum() for tilted in 1 + (TILT - 1) * np.eye(space.count)]
    alone = (single_best,) if single_best is not None else ALONE
    rows += [strength * one for strength in alone for one in np.eye(space.count)]
    lowest = [knob.range[0] if knob.is_share else knob.neutral for knob in space.knobs]
    knobs = [space.neutral, space.expected, np.array(lowest)]
    return distinct([space.row(row, knobs[place % len(knobs)]) for place, row in enumerate(rows)])


def distinct(rows: Sequence[Floats]) -> list[Floats]:
    """The rows without those that came before."""
    return list({tuple(row): row for row in rows}.values())


def _check_knobs(knobs: Sequence[Knob]) -> None:
    """UsageError for two knobs of one name or at one address, and for more groups of blocks than pictures can tell."""
    for what, given in (
        ("named", [knob.name for knob in knobs]),
        ("at", [address for knob in knobs for address in knob.addresses]),
    ):
        twice = next((one for one in given if given.count(one) > 1), None)
        if twice is not None:
            raise UsageError(f"two knobs are {what} {twice}.", hint="Give each place one knob.")
    groups = [knob.name for knob in knobs if knob.is_group]
    if len(groups) > BLOCK_GROUPS:
        told = f"{len(groups)} groups of blocks ({', '.join(groups)}) are more than a search can tell apart."
        raise UsageError(told, hint=f"Give {BLOCK_GROUPS} at most.")


def _settle(strengths: Floats, ranges: tuple[Floats, Floats], totals: tuple[Floats, Floats]) -> Floats:
    """What scaling could not bring to the total is taken from the room that each strength has left."""
    low, high = ranges
    excess = strengths.sum(1, keepdims=True) - np.clip(strengths.sum(1, keepdims=True), *totals)
    room = np.where(excess > 0, strengths - low, high - strengths)
    return strengths - excess * room / np.maximum(room.sum(1, keepdims=True), 1e-12)
