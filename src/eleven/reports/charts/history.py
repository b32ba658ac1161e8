"""The search from its first picture to its last: every trial, and the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from markupsafe import Markup

from eleven.reports.charts.axis import across, axis_for, upwards
from eleven.reports.charts.svg import element, picture, written
from eleven.reports.study_measures import Trial


def draw_history(trials: Sequence[Trial], *, width: float) -> Markup:
    """Pictures made so far across, likeness upwards."""
    left, right, top, bottom = 46, width - 14, 34, 240
    made = list(accumulate(trial.pictures for trial in trials))
    best = list(accumulate((trial.likeness for trial in trials), max))
    x = axis_for([0.0, *made], left, right, room=0.02)
    y = axis_for([trial.likeness for trial in trials], bottom, top)
    drawn = across(x, (top, bottom), title="pictures made", count=6 if width > 500 else 4)
    drawn += upwards(y, left, right, title="likeness", count=4)
    drawn += [
        element("circle", _title(trial), cx=x.at(at), cy=y.at(trial.likeness), r=4, class_="dot other")
        for at, trial in zip(made, trials, strict=True)
    ]
    steps = [f"{written(x.at(at))},{written(y.at(value))}" for at, value in _stairs(made, best)]
    drawn.append(element("polyline", points=" ".join(steps), class_="curve"))
    return picture(width, bottom + 44, f"Likeness of {len(trials)} tried mixes and the best so far", *drawn)


def _stairs(made: Sequence[int], best: Sequence[float]) -> list[tuple[float, float]]:
    """The corners of a line that stays until it rises."""
    corners: list[tuple[float, float]] = []
    for at, value in zip(made, best, strict=True):
        if corners:
            corners.append((at, corners[-1][1]))
        corners.append((at, value))
    return corners


def _title(trial: Trial) -> Markup:
    told = " + ".join(f"{strength:.2f}" for strength in trial.strengths)
    return element("title", f"{told}: likeness {trial.likeness:.2f}, {trial.pictures} pictures")
