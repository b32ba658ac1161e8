"""How scores lie: a histogram for the photos and one for each arm over one axis, with the thresholds through all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

from markupsafe import Markup

from eleven.reports.charts.axis import Axis, across, axis_for
from eleven.reports.charts.svg import element, fitted, line, picture, text

BINS = 32
HIGH = 40

Kind = Literal["photos", "impostors", "arm", "winner"]


@final
@dataclass(frozen=True)
class Scores:
    """One row: what was scored, and how; `missing` were found unscorable."""

    label: str
    values: tuple[float, ...]
    kind: Kind
    missing: int = 0


def draw_histograms(rows: Sequence[Scores], perfect: float, good: float, *, width: float, title: str) -> Markup:
    """A row for each, every one as high as its fullest bin, and both thresholds through all of them."""
    narrow = width < 500
    left = 10 if narrow else min(200, 16 + 6.9 * max(len(row.label) for row in rows))
    step = HIGH + (26 if narrow else 12)
    top = 44
    axis = axis_for([*(value for row in rows for value in row.values), perfect, good], left, width - 12)
    bottom = top + step * len(rows)
    drawn = across(axis, (top, bottom), title=title, count=4 if narrow else 7)
    for number, row in enumerate(rows):
        drawn += _row(row, top + (number + 1) * step, axis, narrow=narrow)
    drawn += _threshold(good, axis, bottom, ("good enough", 16, "good-line"))
    drawn += _threshold(perfect, axis, bottom, ("perfect", 32, "perfect-line"))
    told = "; ".join(f"{row.label}: {len(row.values)}" for row in rows)
    return picture(
        width, bottom + 44, f"{title}, perfect from {perfect:.2f}, good enough from {good:.2f}. {told}", *drawn
    )


def counts(values: Sequence[float], axis: Axis) -> list[int]:
    """How many values lie in each bin of an axis."""
    found = [0] * BINS
    for value in values:
        share = (value - axis.low) / (axis.high - axis.low)
        found[min(BINS - 1, max(0, int(share * BINS)))] += 1
    return found


def _row(row: Scores, bottom: float, axis: Axis, *, narrow: bool) -> list[Markup]:
    bins = counts(row.values, axis)
    fullest = max(1, *bins)
    wide = (axis.end - axis.start) / BINS
    bars = [
        element(
            "rect",
            element("title", f"{count} of {len(row.values)}"),
            x=axis.start + at * wide + 0.5,
            y=bottom - HIGH * count / fullest,
            width=wide - 1,
            height=HIGH * count / fullest,
            class_=f"bar {row.kind}",
        )
        for at, count in enumerate(bins)
        if count
    ]
    told = f"{row.label} ({len(row.values)}{f', {row.missing} unscored' if row.missing else ''})"
    base = line((axis.start, bottom), (axis.end, bottom), "base")
    if narrow:
        return [
            *bars,
            base,
            text(fitted(told, axis.end - axis.start), axis.start, bottom - HIGH - 7, class_="plain halo"),
        ]
    words = [element("title", told), element("tspan", fitted(row.label, axis.start - 12))]
    class_ = "strong" if row.kind == "winner" else "plain"
    return [*bars, base, element("text", *words, x=axis.start - 8, y=bottom - 4, text_anchor="end", class_=class_)]


def _threshold(value: float, axis: Axis, bottom: float, how: tuple[str, float, str]) -> list[Markup]:
    """A line from its word down; words at the right half stand left of their line."""
    word, top, class_ = how
    at = axis.at(value)
    side = {"text_anchor": "end", "x": at - 5} if at > (axis.start + axis.end) / 2 else {"x": at + 5}
    mark = line((at, top - 10), (at, bottom), class_)
    return [mark, element("text", f"{word} {value:.2f}", y=top, class_="strong halo", **side)]
