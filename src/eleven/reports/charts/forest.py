"""Values with their intervals, a line each: the arms' hit-rates, and what each model adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from markupsafe import Markup

from eleven.reports.charts.axis import Axis, across, axis_for
from eleven.reports.charts.svg import element, fitted, line, picture, text

NARROW = 500
"""Below so many pixels, labels stand above their lines."""


@final
@dataclass(frozen=True)
class Dot:
    """A share with its interval; `hollow` for what is secondary."""

    value: float
    low: float
    high: float
    hollow: bool = False


@final
@dataclass(frozen=True)
class Line:
    """A label, its dots, and what stands at the end."""

    label: str
    told: str
    dots: tuple[Dot, ...]
    strong: bool = False


@final
@dataclass(frozen=True)
class Layout:
    """The chart's width, a line's height, where the plot begins and ends, and whether labels stand above it."""

    width: float
    high: float
    left: float
    right: float
    above: bool


def draw_forest(lines: Sequence[Line], *, width: float, title: str, zero: bool = False) -> Markup:
    """The lines from the top; with `zero`, a mark where there is no difference."""
    place = _layout(lines, width)
    values = [end for one in lines for dot in one.dots for end in (dot.low, dot.value, dot.high)]
    axis = axis_for([0.0, *values], place.left, place.right)
    if not zero:
        axis = Axis(0.0, min(1.0, max(0.1, axis.high)), place.left, place.right)
    bottom = 10 + place.high * len(lines)
    count = 4 if place.above else 6
    drawn = across(axis, (6, bottom), title=title, count=count, percent=True)
    if zero:
        drawn.append(line((axis.at(0), 6), (axis.at(0), bottom), "zero"))
    for number, one in enumerate(lines):
        drawn += _line(one, 10 + number * place.high, place, axis)
    return picture(width, bottom + 44, f"{title}: {'; '.join(f'{one.label} {one.told}' for one in lines)}", *drawn)


def _layout(lines: Sequence[Line], width: float) -> Layout:
    if width < NARROW:
        return Layout(width, 48, 12, width - 16, above=True)
    widest = max((len(one.label) for one in lines), default=0)
    told = max((len(one.told) for one in lines), default=0)
    left = min(0.36 * width, 6.9 * widest + 26)
    return Layout(width, 34, left, width - min(0.3 * width, 6.9 * told + 34), above=False)


def _line(one: Line, top: float, place: Layout, axis: Axis) -> list[Markup]:
    middle = top + (0.7 if place.above else 0.5) * place.high
    words = top + 16 if place.above else middle + 4
    class_ = "strong" if one.strong else "plain"
    room = place.width - 7 * len(one.told) - 20 if place.above else place.left - 14
    label = [element("title", one.label), element("tspan", fitted(one.label, room))]
    drawn = (
        [element("rect", x=0, y=top, width=place.width, height=place.high, rx=6, class_="band")] if one.strong else []
    )
    drawn += [
        element("text", *label, x=8, y=words, class_=class_),
        text(one.told, place.width - 8, words, text_anchor="end", class_=f"{class_} number"),
    ]
    for number, dot in enumerate(one.dots):
        drawn += _dot(dot, middle + (5 if number else -2 if len(one.dots) > 1 else 0), axis, strong=one.strong)
    return drawn


def _dot(dot: Dot, y: float, axis: Axis, *, strong: bool) -> list[Markup]:
    kind = "second" if dot.hollow else "first" if strong else "other"
    return [
        line((axis.at(dot.low), y), (axis.at(dot.high), y), f"whisker {kind}"),
        element("circle", cx=axis.at(dot.value), cy=y, r=4 if dot.hollow else 5.5, class_=f"dot {kind}"),
    ]
