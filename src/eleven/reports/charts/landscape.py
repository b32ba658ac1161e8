"""Where likeness is: for two models a map of total and proportions, for more a strip for each share and the total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from eleven.reports.charts.axis import Axis, across, axis_for, upwards
from eleven.reports.charts.ramp import colour, ramp
from eleven.reports.charts.svg import element, picture, text
from eleven.reports.study_measures import Surface, Trial

Chosen = tuple[float, ...]

DEEPEST = 3.0
"""Spreads of real photos below the best, from which on everything is equally dark."""


def draw_map(trials: Sequence[Trial], chosen: Chosen, surface: Surface | None, *, width: float, name: str) -> Markup:
    """Total across and the first model's share upwards; lighter is better, the ring is the chosen mix."""
    shown = [trial for trial in trials if trial.total > 0]
    totals = [*(trial.total for trial in shown), sum(chosen), *(surface.totals if surface else ())]
    left, top, bottom = 46, 40, 0.52 * width + 60
    x = axis_for(totals, left, width - 14, room=0.0 if surface else 0.06)
    y = Axis(0.0, 1.0, bottom, top)
    levels = _levels(shown, surface)
    cells = _cells(surface, x, y, levels) if surface else []
    grid = [*across(x, (top, bottom), title="total strength", count=6 if width > 500 else 4)]
    grid += upwards(y, left, width - 14, title=f"share of {name}", count=4)
    dots = [_dot(x.at(one.total), y.at(one.strengths[0] / one.total), one, levels) for one in _worst_first(shown)]
    ring = _ring(x.at(sum(chosen)), y.at(chosen[0] / (sum(chosen) or 1.0)))
    key = ramp(left, bottom + 50, min(260, width - 70), ("less like", "more like"))
    told = f"Likeness of {len(shown)} tried mixes by total strength and share of {name}"
    return picture(width, bottom + 84, told, *grid, *cells, *dots, ring, *key)


def draw_strips(trials: Sequence[Trial], chosen: Chosen, names: Sequence[str], *, width: float) -> Markup:
    """A strip for the total and one for each model's share: likeness upwards, a dot for each tried mix."""
    shown = [trial for trial in trials if trial.total > 0]
    columns = min(3 if width > 500 else 1, len(names) + 1)
    wide, high = width / columns, 218
    whole = sum(chosen) or 1.0
    panels = [("total strength", [one.total for one in shown], sum(chosen))]
    for number, name in enumerate(names):
        panels.append(
            (f"share of {name}", [one.strengths[number] / one.total for one in shown], chosen[number] / whole)
        )
    drawn = [
        element(
            "g",
            *_strip(panel, shown, wide),
            transform=f"translate({(at % columns) * wide:.0f} {(at // columns) * high})",
        )
        for at, panel in enumerate(panels)
    ]
    told = f"Likeness of {len(shown)} tried mixes by total strength and by the share of each model"
    return picture(width, high * -(-len(panels) // columns), told, *drawn)


def _strip(panel: tuple[str, list[float], float], shown: Sequence[Trial], width: float) -> list[Markup]:
    title, values, chosen = panel
    x = axis_for([*values, chosen], 46, width - 14)
    y = axis_for([one.likeness for one in shown], 170, 28)
    levels = _levels(shown, None)
    dots = [_dot(x.at(value), y.at(one.likeness), one, levels) for value, one in zip(values, shown, strict=True)]
    mark = element("line", x1=x.at(chosen), y1=22, x2=x.at(chosen), y2=170, class_="chosen")
    return [
        *across(x, (28, 170), title=title, count=4),
        *upwards(y, 46, width - 14, title="likeness", count=4),
        mark,
        *dots,
    ]


def _levels(trials: Sequence[Trial], surface: Surface | None) -> Axis:
    """Likeness to a share of the ramp."""
    values = [one.likeness for one in trials]
    values += [value for row in surface.likeness for value in row] if surface else []
    axis = axis_for(values, 0.0, 1.0, room=0.0)
    return replace(axis, low=max(axis.low, axis.high - DEEPEST))


def _cells(surface: Surface, x: Axis, y: Axis, levels: Axis) -> list[Markup]:
    wide = abs(x.end - x.start) / max(1, len(surface.totals) - 1)
    high = abs(y.end - y.start) / max(1, len(surface.shares) - 1)
    return [
        _cell(x.at(total) - wide / 2, y.at(share) - high / 2, (wide, high), (x, y), colour(levels.at(value)))
        for share, row in zip(surface.shares, surface.likeness, strict=True)
        for total, value in zip(surface.totals, row, strict=True)
    ]


def _cell(left: float, top: float, size: tuple[float, float], axes: tuple[Axis, Axis], fill: str) -> Markup:
    """A rectangle around a grid point, cut at the map's edges."""
    x, y = axes
    right, bottom = min(left + size[0] + 0.5, x.end), min(top + size[1] + 0.5, y.start)
    left, top = max(left, x.start), max(top, y.end)
    return element("rect", x=left, y=top, width=max(0.0, right - left), height=max(0.0, bottom - top), fill=fill)


def _dot(x: float, y: float, trial: Trial, levels: Axis) -> Markup:
    told = " + ".join(f"{strength:.2f}" for strength in trial.strengths)
    title = element("title", f"{told}: likeness {trial.likeness:.2f}, {trial.pictures} pictures")
    return element("circle", title, cx=x, cy=y, r=5, class_="trial", fill=colour(levels.at(trial.likeness)))


def _ring(x: float, y: float) -> Markup:
    mark = [element("circle", cx=x, cy=y, r=11, class_="ring back"), element("circle", cx=x, cy=y, r=11, class_="ring")]
    return element("g", *mark, text("★", x, y - 15, text_anchor="middle", class_="star"))


def _worst_first(trials: Sequence[Trial]) -> list[Trial]:
    """So that good ones lie on top."""
    return sorted(trials, key=lambda trial: trial.likeness)
