"""`Axis`: values to pixels, with round ticks, also where all values are equal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import final

from markupsafe import Markup

from eleven.errors import UsageError
from eleven.reports.charts.svg import line, text

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@final
@dataclass(frozen=True)
class Axis:
    """From `low` at the pixel `start` to `high` at the pixel `end`; the pixels may fall, as they do upwards."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value; values outside stay at the ends."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self, count: int) -> list[float]:
        """Round values, about so many."""
        step = _round_step((self.high - self.low) / max(1, count))
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def axis_for(values: Iterable[float], start: float, end: float, *, room: float = 0.06) -> Axis:
    """An axis on which all values have room. UsageError where one is infinite or NaN."""
    listed = list(values) or [0.0, 1.0]
    wrong = next((value for value in listed if not isfinite(value)), None)
    if wrong is not None:
        raise UsageError(f"a chart cannot show {wrong}.", hint="This is a bug; please report it.")
    low, high = min(listed), max(listed)
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    spare = room * (high - low)
    return Axis(low - spare, high + spare, start, end)


def across(axis: Axis, span: tuple[float, float], *, title: str, count: int, percent: bool = False) -> list[Markup]:
    """Grid lines from the top to the bottom of a span, with numbers below, and the title below these."""
    top, bottom = span
    drawn = [line((axis.at(tick), top), (axis.at(tick), bottom), "grid") for tick in axis.ticks(count)]
    drawn += numbers_below(axis, bottom, axis.ticks(count), percent=percent)
    return [*drawn, text(title, (axis.start + axis.end) / 2, bottom + 36, text_anchor="middle", class_="title")]


def upwards(axis: Axis, left: float, right: float, *, title: str, count: int) -> list[Markup]:
    """Grid lines with numbers at the left, and the title above them."""
    ticks = axis.ticks(count)
    drawn = [line((left, axis.at(tick)), (right, axis.at(tick)), "grid") for tick in ticks]
    drawn += [
        text(told, left - 7, axis.at(tick) + 4, text_anchor="end", class_="faint")
        for tick, told in zip(ticks, spelled(ticks), strict=True)
    ]
    return [*drawn, text(title, 2, axis.end - 14, class_="title")]


def numbers_below(axis: Axis, bottom: float, ticks: Sequence[float], *, percent: bool = False) -> list[Markup]:
    """The ticks' numbers, centred."""
    words = [f"{100 * tick:.0f}" for tick in ticks] if percent else spelled(ticks)
    return [
        text(told.replace("-", "−"), axis.at(tick), bottom + 17, text_anchor="middle", class_="faint")
        for tick, told in zip(ticks, words, strict=True)
    ]


def spelled(ticks: Sequence[float]) -> list[str]:
    """Numbers with as many digits as tell them all apart."""
    words = list[str]()
    for digits in range(7):
        words = [f"{tick:.{digits}f}" for tick in ticks]
        if all(abs(float(word) - tick) < 1e-7 * max(1.0, abs(tick)) for word, tick in zip(words, ticks, strict=True)):
            break
    return [("0" if float(word) == 0 else word).replace("-", "−") for word in words]


def _round_step(rough: float) -> float:
    power = 10.0 ** floor(log10(rough))
    return next(step for step in STEPS if step * power >= rough * 0.999) * power
