"""The charts of a study's page, each in a wide and a narrow drawing, and what each is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from markupsafe import Markup

from eleven.reports.charts.forest import Dot, Line, draw_forest
from eleven.reports.charts.histogram import Scores, draw_histograms
from eleven.reports.charts.history import draw_history
from eleven.reports.charts.landscape import draw_map, draw_strips
from eleven.reports.charts.sweep import draw_sweep
from eleven.reports.collapse import draw_collapse
from eleven.reports.study import Arm, StudyView
from eleven.reports.study_measures import Difference, Rate, Scale
from eleven.reports.verdict import percent, points, span

WIDE, NARROW = 860.0, 340.0


@final
@dataclass(frozen=True)
class Chart:
    """The same data drawn for a desk and for a phone."""

    wide: Markup
    narrow: Markup


def charts_of(study: StudyView) -> dict[str, Chart]:
    """Every chart that there are data for, by name."""
    found = {"arms": _both(lambda width: _arms(study, width))}
    if any(trial.total > 0 for trial in study.trials):
        found["landscape"] = _both(lambda width: _landscape(study, width))
        found["history"] = _both(lambda width: draw_history(study.trials, width=width))
    sweep = study.sweep
    if sweep is not None and sweep.points:
        found["sweep"] = _both(lambda width: draw_sweep(sweep, width=width))
    collapse = study.collapse
    if collapse is not None:
        found["collapse"] = _both(lambda width: draw_collapse(collapse, "mix", width=width))
    if study.dropped:
        found["dropped"] = _both(lambda width: _dropped(study, width))
    return found


def histograms_of(study: StudyView) -> list[tuple[Scale, Chart]]:
    """Each scale with its histograms."""
    return [
        (scale, _both(lambda width, number=number: _histograms(study, number, width)))
        for number, scale in enumerate(study.scales)
    ]


def _both(draw: Callable[[float], Markup]) -> Chart:
    return Chart(draw(WIDE), draw(NARROW))


def _arms(study: StudyView, width: float) -> Markup:
    lines = [
        Line(arm.name, percent(arm.perfect.share), _dots(arm), strong=number == study.winner)
        for number, arm in enumerate(study.arms)
    ]
    return draw_forest(lines, width=width, title="per cent of pictures")


def _dots(arm: Arm) -> tuple[Dot, ...]:
    return _dot(arm.perfect), _dot(arm.good, hollow=True)


def _dot(rate: Rate, *, hollow: bool = False) -> Dot:
    return Dot(rate.share, rate.interval.low, rate.interval.high, hollow)


def _dropped(study: StudyView, width: float) -> Markup:
    lines = [
        Line(study.models[one.model].name, _added(one.difference), (_difference(one.difference),), strong=False)
        for one in study.dropped
    ]
    return draw_forest(lines, width=width, title="points that the model adds", zero=True)


def _added(found: Difference) -> str:
    return f"{points(found.share)} ({span(found.interval)})"


def _difference(found: Difference) -> Dot:
    return Dot(found.share, found.interval.low, found.interval.high)


def _landscape(study: StudyView, width: float) -> Markup:
    names = [model.name for model in study.models]
    chosen = study.arms[study.winner].strengths
    if len(names) == 2:
        return draw_map(study.trials, chosen, study.surface, width=width, name=names[0])
    return draw_strips(study.trials, chosen, names, width=width)


def _histograms(study: StudyView, number: int, width: float) -> Markup:
    scale = study.scales[number]
    rows = [Scores("your photos", scale.photos, "photos")]
    if scale.impostors:
        rows.append(Scores("photos of others", scale.impostors, "impostors"))
    for at, arm in enumerate(study.arms):
        scored = [one.scores[number] if one.scores else None for one in study.pictures if one.arm == at]
        values = tuple(score for score in scored if score is not None)
        kind = "winner" if at == study.winner else "arm"
        rows.append(Scores(arm.name, values, kind, missing=len(scored) - len(values)))
    return draw_histograms(rows, scale.perfect, scale.good, width=width, title=f"{scale.name} score")
