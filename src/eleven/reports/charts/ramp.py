"""Colours for likeness, from dark blue (low) to yellow (high): lighter is better, also without seeing colours."""

from __future__ import annotations

from markupsafe import Markup

from eleven.reports.charts.axis import Axis
from eleven.reports.charts.svg import element, text

STOPS = ((44, 42, 104), (40, 88, 140), (36, 134, 142), (84, 178, 118), (178, 206, 90), (248, 230, 110))


def colour(share: float) -> str:
    """The colour of a value from 0 to 1."""
    place = min(1.0, max(0.0, share)) * (len(STOPS) - 1)
    at = min(int(place), len(STOPS) - 2)
    return "#" + "".join(
        f"{round(low + (place - at) * (high - low)):02x}" for low, high in zip(STOPS[at], STOPS[at + 1], strict=True)
    )


def ramp(left: float, top: float, width: float, ends: tuple[str, str]) -> list[Markup]:
    """A bar of all colours with what its ends mean."""
    axis = Axis(0, 24, left, left + width)
    bar = [
        element("rect", x=axis.at(step), y=top, width=width / 24 + 0.6, height=9, fill=colour(step / 23))
        for step in range(24)
    ]
    below = [
        text(ends[0], left, top + 24, class_="faint"),
        text(ends[1], left + width, top + 24, text_anchor="end", class_="faint"),
    ]
    return [*bar, *below]
