"""Likeness over the total strength at one mix's proportions, with the cliff behind which it falls."""

from __future__ import annotations

from markupsafe import Markup

from eleven.reports.charts.axis import Axis, across, axis_for, upwards
from eleven.reports.charts.svg import element, line, picture, text, written
from eleven.reports.study_measures import Sweep


def draw_sweep(sweep: Sweep, *, width: float) -> Markup:
    """The curve with its intervals, the chosen total and, where one was met, the cliff."""
    left, right, top, bottom = 46, width - 14, 58, 290
    ends = [end for point in sweep.points for end in (point.interval.low, point.likeness, point.interval.high)]
    x = axis_for([*(point.total for point in sweep.points), sweep.chosen], left, right)
    y = axis_for([0.0, *ends], bottom, top)
    drawn = [*_cliff(sweep.cliff, x, top, bottom)]
    drawn += across(x, (top, bottom), title="total strength", count=6 if width > 500 else 4)
    drawn += upwards(y, left, right, title="likeness", count=5)
    drawn.append(line((left, y.at(0)), (right, y.at(0)), "zero"))
    drawn.append(text("just perfect", right - 4, y.at(0) - 5, text_anchor="end", class_="faint halo"))
    drawn += [*_curve(sweep, x, y), *_chosen(sweep.chosen, x, top, bottom)]
    told = ", ".join(f"{point.total:.2f}: {point.likeness:.2f}" for point in sweep.points)
    return picture(width, bottom + 44, f"Likeness by total strength: {told}", *drawn)


def _curve(sweep: Sweep, x: Axis, y: Axis) -> list[Markup]:
    points = [(x.at(point.total), y.at(point.likeness)) for point in sweep.points]
    path = " ".join(f"{written(across)},{written(up)}" for across, up in points)
    drawn = [element("polyline", points=path, class_="curve")]
    for point, (at, up) in zip(sweep.points, points, strict=True):
        title = element("title", f"total {point.total:.2f}: likeness {point.likeness:.2f}")
        drawn.append(line((at, y.at(point.interval.low)), (at, y.at(point.interval.high)), "whisker first"))
        drawn.append(element("circle", title, cx=at, cy=up, r=5, class_="dot first"))
    return drawn


def _cliff(cliff: float | None, x: Axis, top: float, bottom: float) -> list[Markup]:
    if cliff is None or cliff >= x.high:
        return []
    at = x.at(cliff)
    near_end = at > x.end - 90
    place = {"x": at - 6 if near_end else at + 6, "text_anchor": "end" if near_end else "start"}
    return [
        element("rect", x=at, y=top, width=x.end - at, height=bottom - top, class_="cliff"),
        line((at, top - 16), (at, bottom), "edge"),
        element("text", f"cliff at {cliff:.2f}", y=top - 7, class_="edge-word", **place),
    ]


def _chosen(chosen: float, x: Axis, top: float, bottom: float) -> list[Markup]:
    at = x.at(chosen)
    side = {"text_anchor": "start", "x": at + 6} if at < (x.start + x.end) / 2 else {"text_anchor": "end", "x": at - 6}
    return [
        line((at, top - 32), (at, bottom), "chosen"),
        element("text", f"chosen {chosen:.2f}", y=top - 24, class_="strong halo", **side),
    ]
