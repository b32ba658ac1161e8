"""What a study measured, as numbers: rates, differences, trials, the sweep of totals, the scales of its scorers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from pydantic import ConfigDict


class Plain:
    """Data that JSON holds: no unknown key, no infinity, no NaN."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)


@final
@dataclass(frozen=True)
class Interval(Plain):
    """Where the true value lies, at the study's level."""

    low: float
    """The lower end."""
    high: float
    """The upper end."""


@final
@dataclass(frozen=True)
class Rate(Plain):
    """How often something happened."""

    hits: int
    """How many times it did."""
    shots: int
    """How many times it could have."""
    interval: Interval
    """Of the share (Wilson)."""

    @property
    def share(self) -> float:
        """From 0 to 1; 0 without shots."""
        return self.hits / self.shots if self.shots else 0.0


@final
@dataclass(frozen=True)
class Difference(Plain):
    """One share less another, on the same shots."""

    share: float
    """From -1 to 1."""
    interval: Interval
    """Of the share, with prompts as clusters."""
    p: float | None
    """Corrected for all planned comparisons (Holm); null where none was planned."""
    wins: int
    """Shots that only the first hit."""
    ties: int
    """Shots that both hit or both missed."""
    losses: int
    """Shots that only the second hit."""


@final
@dataclass(frozen=True)
class Knob(Plain):
    """A factor on the strengths of all models at some addresses."""

    name: str
    """What the user calls it."""
    addresses: tuple[str, ...]
    """Blocks, or `te` or `unet`."""
    neutral: float
    """Its value where it changes nothing."""


@final
@dataclass(frozen=True)
class Trial(Plain):
    """Strengths that the search tried."""

    strengths: tuple[float, ...]
    """One for each model."""
    likeness: float
    """The mean over its pictures: 0 is just perfect, one is the spread of real photos."""
    pictures: int
    """How many were made for it."""
    stage: str = ""
    """What it was tried for, such as `start` or `round 2`."""
    knobs: tuple[float, ...] = ()
    """The value of each of the study's knobs."""

    @property
    def total(self) -> float:
        """The sum of the strengths."""
        return sum(self.strengths)


@final
@dataclass(frozen=True)
class Surface(Plain):
    """What the search expects on a grid of totals and shares, where there are two models."""

    totals: tuple[float, ...]
    """Sums of the two strengths, rising evenly."""
    shares: tuple[float, ...]
    """Shares of the first model in the sum, rising evenly from 0 to 1."""
    likeness: tuple[tuple[float, ...], ...]
    """A row for each share, with a mean for each total."""


@final
@dataclass(frozen=True)
class SweepPoint(Plain):
    """The mix's proportions at one total."""

    total: float
    """The sum of the strengths."""
    likeness: float
    """The mean over its pictures."""
    interval: Interval
    """Of that mean."""
    perfect: Rate
    """How many of its pictures are perfect."""


@final
@dataclass(frozen=True)
class Sweep(Plain):
    """How likeness changes with the total, at the proportions of the mix."""

    points: tuple[SweepPoint, ...]
    """By rising total."""
    chosen: float
    """The mix's own total."""
    cliff: float | None
    """The total from which on likeness falls; null where none was met."""


@final
@dataclass(frozen=True)
class Carried(Plain):
    """What one model carries: how the mean scores of pictures near the mix change with 0.1 more of its strength."""

    model: int
    """The model's number."""
    overall: float
    """Of the overall score, in the scorer's unit."""
    overall_interval: Interval
    """Of that change."""
    detail: float
    """Of the detail score, likewise."""
    detail_interval: Interval
    """Of that change."""


@final
@dataclass(frozen=True)
class Scale(Plain):
    """What the user's photos score against each other, and the thresholds that come of it."""

    name: str
    """What it measures, such as `overall` or `detail`."""
    scorer: str
    """Which scorer measures it."""
    photos: tuple[float, ...]
    """Each reference against the others."""
    impostors: tuple[float, ...]
    """Each photo of somebody else against the references; may be empty."""
    perfect: float
    """From this score on a picture is as like as real photos are."""
    good: float
    """From this score on a picture is good enough."""
