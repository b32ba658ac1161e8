"""The collapse meter: what a mix does over its total strength, in what one model does, and where pictures collapse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from markupsafe import Markup

from eleven.reports.charts.axis import Axis, across, upwards
from eleven.reports.charts.svg import element, line, picture, text

BEYOND = 1.25
"""How far past the red line, or past the last mark, the chart goes."""


@final
@dataclass(frozen=True)
class Mark:
    """A total worth naming, such as the present one; the first of several is drawn strongest."""

    name: str
    total: float


@final
@dataclass(frozen=True)
class Meter:
    """The effect at a total of 1, which grows as the total does, and above which effect to watch it and to stop."""

    effect: float
    warn: float
    red: float


def draw_meter(meter: Meter, marks: Sequence[Mark], *, width: float) -> Markup:
    """The effect over the total as a line through green, warning and red areas, with the marks on it."""
    left, right, top, bottom = 46, width - 14, 40, 250
    edges = [limit / meter.effect for limit in (meter.warn, meter.red) if meter.effect > 0]
    last = BEYOND * max([1.0, *edges, *(mark.total for mark in marks)])
    highest = max(meter.effect * last, BEYOND * meter.red)
    x, y = Axis(0.0, last, left, right), Axis(0.0, highest, bottom, top)
    drawn = _areas(meter, y, left, right)
    drawn += across(x, (top, bottom), title="total strength", count=6 if width > 500 else 4)
    drawn += upwards(y, left, right, title="× one model alone", count=4)
    drawn.append(line((left, bottom), (right, y.at(meter.effect * last)), "curve"))
    for number, mark in enumerate(marks):
        drawn += _mark(mark, (x.at(mark.total), y.at(meter.effect * mark.total)), x, first=number == 0)
    told = ", ".join(f"{mark.name} {mark.total:.2f}: {meter.effect * mark.total:.2f}" for mark in marks)
    red = f"; red from {edges[-1]:.2f}" if edges else ""
    return picture(width, bottom + 44, f"Collapse meter over total strength: {told}{red}", *drawn)


def _areas(meter: Meter, y: Axis, left: float, right: float) -> list[Markup]:
    ends = (0.0, meter.warn, meter.red, y.high)
    drawn: list[Markup] = []
    for kind, low, high in zip(("safe", "watch", "cliff"), ends, ends[1:], strict=False):
        top, bottom = y.at(high), y.at(low)
        drawn.append(element("rect", x=left, y=top, width=right - left, height=bottom - top, class_=kind))
    words = text("pictures usually collapse", left + 6, y.at(meter.red) - 6, class_="edge-word halo")
    return [*drawn, line((left, y.at(meter.red)), (right, y.at(meter.red)), "edge"), words]


def _mark(mark: Mark, at: tuple[float, float], x: Axis, *, first: bool) -> list[Markup]:
    """A dot on the line; its name stands below it to the right, where the line never is."""
    near_end = at[0] > x.end - 110
    side = {"text_anchor": "end", "x": at[0] - 9} if near_end else {"text_anchor": "start", "x": at[0] + 9}
    words = element(
        "text", f"{mark.name} {mark.total:.2f}", y=at[1] + (-8 if near_end else 16), class_="strong halo", **side
    )
    return [element("circle", cx=at[0], cy=at[1], r=6 if first else 4, class_="dot first" if first else "dot"), words]
