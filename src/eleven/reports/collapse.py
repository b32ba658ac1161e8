"""What the collapse meter says of a mix, as data for reports and programs, and its chart."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import final

from markupsafe import Markup

from eleven.amplification.reading import Reading, line
from eleven.amplification.zones import Zone
from eleven.reports.charts.meter import Mark, Meter, draw_meter
from eleven.reports.study_measures import Plain


@final
@dataclass(frozen=True)
class Collapse(Plain):
    """What the collapse meter says of one mix."""

    zone: Zone
    """`green`, `warn`, or `red`, where pictures usually collapse."""
    total: float
    """The sum of the strengths, without words."""
    effect: float
    """What the mix does, in what one of its models does alone."""
    at_best: bool
    """Whether that is at each model's own best strength; else it is at strength 1."""
    ratio: float
    """The same of the weights alone."""
    warn: float
    """The effect from which on to be watchful."""
    red: float
    """The effect from which on the zone is red."""
    edge: float | None
    """The total, at the same shares, from which on the zone is red; null where there is none."""
    preset: float
    """The usual total of so many models."""
    additivity: float | None
    """How far predictions of the mix are from the sum of what its models change, over that sum; null if unmeasured."""
    gain: float | None
    """How much the mix changes predictions, in what one model does at strength 1; null where it was not measured."""
    text: str
    """The same in one line."""


def collapse_view(reading: Reading, preset: float) -> Collapse:
    """The reading as data, beside the usual total."""
    return Collapse(
        reading.zone,
        reading.total,
        reading.effect,
        reading.at_best,
        reading.ratio,
        reading.limits.warn,
        reading.limits.red,
        reading.edge if isfinite(reading.edge) else None,
        preset,
        reading.additivity,
        reading.gain,
        line(reading),
    )


def draw_collapse(found: Collapse, name: str, *, width: float) -> Markup:
    """The effect over the total, with the mix, called by this name, and the usual total marked."""
    marks = [Mark(name, found.total)]
    if abs(found.preset - found.total) >= APART:
        marks.append(Mark("preset", found.preset))
    return draw_meter(Meter(found.effect / found.total, found.warn, found.red), marks, width=width)


APART = 0.02
"""Totals that are nearer than this are one mark."""
