"""`view_of`: what a study found, from its ledger and its outcome, as the data of the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven import __version__
from eleven.engines.engine import Shot as TakenShot
from eleven.mix import Mix, preset
from eleven.reports.carried import carried_of
from eleven.reports.collapse import Collapse, collapse_view
from eleven.reports.guided import notes_on_guidance
from eleven.reports.study import (
    Arm,
    Baked,
    Dropped,
    HashedFile,
    Model,
    Note,
    Setting,
    Shot,
    Snippet,
    Spending,
    StudyView,
    Taken,
)
from eleven.reports.study_copies import notes_on_copies, with_copy
from eleven.reports.study_measures import Difference, Interval, Knob, Rate, Scale, Surface, Sweep, SweepPoint, Trial
from eleven.scorers.copies import CopyGuard
from eleven.scorers.scorer import Score
from eleven.studies.arms import Arm as Measured
from eleven.studies.beginning import Calibration
from eleven.studies.confirming import Confirmation, differ, winner_of
from eleven.studies.differences import Difference as Found
from eleven.studies.differences import holm
from eleven.studies.intervals import LEVEL, hit_rate, mean_over_prompts
from eleven.studies.intervals import Interval as Bounds
from eleven.studies.landscape import landscape
from eleven.studies.measuring import Asked
from eleven.studies.sequential import Verdict, at_boundary, boundaries, needed_pairs
from eleven.studies.shots import search_shots
from eleven.studies.study import Study
from eleven.studies.tuning import Searched

FALL = 0.15
"""How much likeness the sweep loses, in spreads of real photos, where the cliff is said to be."""


@final
@dataclass(frozen=True, eq=False)
class Case:
    """Everything about a study that its ledger does not hold."""

    concept: str
    techniques: tuple[str, ...]
    calibration: Calibration
    spending: Spending
    commands: tuple[Snippet, ...] = ()
    snippets: tuple[Snippet, ...] = ()
    settings: tuple[Setting, ...] = ()
    files: tuple[HashedFile, ...] = ()
    baked: Baked | None = None


def view_of(study: Study, confirmation: Confirmation, case: Case, searched: Searched | None = None) -> StudyView:
    """The page's data; without a search, arms that were given."""
    arms = tuple(_arms(study, confirmation))
    winner = winner_of(confirmation, study)
    pictures = tuple(_pictures(study, confirmation, case.calibration.guard))
    return StudyView(
        concept=case.concept,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        base=study.plan.base.name,
        models=tuple(_models(study, case)),
        arms=arms,
        winner=winner,
        rival=confirmation.rival,
        fresh=True,
        level=LEVEL,
        shots=tuple(Shot(shot.prompt, shot.seed) for shot in confirmation.shots),
        pictures=pictures,
        spending=case.spending,
        scales=tuple(_scales(study, case.calibration)),
        trials=tuple(_trials(study, searched)) if searched else (),
        surface=_surface(study, searched) if searched and study.space.count == 2 else None,
        knobs=tuple(Knob(one.name, one.addresses, one.neutral) for one in study.space.knobs),
        sweep=_sweep(study, searched) if searched else None,
        collapse=_collapse(study, searched) if searched else None,
        dropped=tuple(_dropped(study, searched)) if searched else (),
        carried=carried_of(searched),
        preset_ahead=_preset_ahead(study, confirmation),
        enough=_enough(confirmation, arms),
        notes=(
            *_notes(case, searched, arms[winner]),
            *notes_on_guidance(arms, pictures),
            *notes_on_copies(arms, pictures, case.calibration.guard),
        ),
        snippets=case.snippets,
        commands=case.commands,
        settings=case.settings,
        files=case.files,
        baked=case.baked,
    )


def _notes(case: Case, searched: Searched | None, winner: Arm) -> Iterator[Note]:
    for one in case.calibration.advice:
        yield Note("warning", f"{one.text} {one.hint}")
    if searched and searched.reading and searched.reading.zone == "red" and winner.role == "mix":
        told = (
            "It goes by files and by few pictures of each model: where the mix's own pictures are good, they are right."
        )
        yield Note("advice", f"The mix that was found lies in the red zone of the collapse meter. {told}")
    if searched and searched.detail:
        yield Note("advice", f"The mix was steered for detail {searched.detail:+g} after the search.")


def _collapse(study: Study, searched: Searched) -> Collapse | None:
    return collapse_view(searched.reading, sum(preset(study.space.count))) if searched.reading else None


def _models(study: Study, case: Case) -> Iterator[Model]:
    for name, part, technique in zip(study.space.names, study.plan.models, case.techniques, strict=True):
        yield Model(name, part.file, part.sha256, technique)


def _arms(study: Study, confirmation: Confirmation) -> Iterator[Arm]:
    """The leader's claim stands alone, at its look's boundary; the other differences are corrected for their number."""
    leader = confirmation.leader
    found = [confirmation.against_rival(study, number) for number in range(len(confirmation.arms))]
    claim = confirmation.claim(study)
    adjusted = iter(holm([one.p_value for at, one in enumerate(found) if one is not None and at != leader]))
    for number, (arm, scores) in enumerate(zip(confirmation.arms, confirmation.scores, strict=True)):
        difference = found[number]
        if number == leader and claim is not None:
            told = replace(told_of(claim[0], claim[0].p_value), interval=within_one(claim[1]))
        else:
            told = None if difference is None else told_of(difference, next(adjusted))
        yield _arm(study, arm, scores, (confirmation.shots, told))


def _arm(
    study: Study, arm: Measured, scores: Sequence[Score], rest: tuple[Sequence[TakenShot], Difference | None]
) -> Arm:
    shots, difference = rest
    prompts = [shot.prompt for shot in shots[: len(scores)]]
    perfect, good = (_rate(hits, prompts) for hits in (study.perfect(scores), study.good(scores)))
    likeness = float(study.likeness(scores).mean())
    return Arm(arm.name, arm.role, arm.strengths, perfect, good, likeness, difference, arm.knobs, arm.share)


def told_of(found: Found, p: float | None) -> Difference:
    """A difference as the page tells it."""
    return Difference(found.mean.estimate, within_one(found.interval), p, found.wins, found.ties, found.losses)


def within_one(found: Bounds) -> Interval:
    """The interval of a difference of shares, which is never more than a whole."""
    return Interval(max(found.low, -1.0), min(found.high, 1.0))


def _rate(hits: NDArray[np.bool_], prompts: Sequence[str]) -> Rate:
    within = hit_rate(hits, prompts)
    return Rate(int(hits.sum()), len(hits), Interval(within.low, within.high))


def _pictures(study: Study, confirmation: Confirmation, guard: CopyGuard | None) -> Iterator[Taken]:
    for number, (arm, scores) in enumerate(zip(confirmation.arms, confirmation.scores, strict=True)):
        mix = arm.mix(study.plan)
        for place, score in enumerate(scores):
            taken = _picture(study, (number, place), (mix, confirmation.shots[place]), score)
            yield with_copy(taken, study.taker.ledger.folder, guard) if guard else taken


def _picture(study: Study, place: tuple[int, int], wanted: tuple[Mix | None, TakenShot], score: Score) -> Taken:
    kept = study.taker.ledger.picture_of(*wanted)
    assert kept is not None, "what was scored was kept"
    judged, scales = study.objective, _parts(study, score)
    return Taken(
        *place, kept[0], judged.is_perfect(score), judged.is_good(score), judged.likeness(score), scales,
        score.prompt, score.fault,
    )  # fmt: skip


def _parts(study: Study, score: Score) -> tuple[float | None, ...]:
    both = (score.overall, score.detail)
    return both if study.objective.thresholds.detail is not None else both[:1]


def _scales(study: Study, calibration: Calibration) -> Iterator[Scale]:
    found = study.objective.thresholds
    for name, lines in (("overall", found.overall), ("detail", found.detail)):
        if lines is None:
            continue
        real, others = (tuple(_values(scores, name)) for scores in (calibration.leave_one_out, calibration.impostors))
        yield Scale(name, calibration.scorer.name, real, others, lines.perfect, lines.good)


def _values(scores: Sequence[Score], part: str) -> Iterator[float]:
    values = (score.overall if part == "overall" else score.detail for score in scores)
    yield from (value for value in values if value is not None)


def _trials(study: Study, searched: Searched) -> Iterator[Trial]:
    stages: dict[tuple[float, ...], str] = {}
    shots: dict[tuple[float, ...], dict[int, None]] = {}
    for stage, asked in searched.trials:
        stages.setdefault(asked.strengths, stage)
        shots.setdefault(asked.strengths, {}).update(dict.fromkeys(asked.shots))
    asked = [Asked(strengths, tuple(numbers)) for strengths, numbers in shots.items()]
    for one, values in zip(asked, study.measure(asked), strict=True):
        strengths, knobs = one.strengths[: study.space.count], one.strengths[study.space.count :]
        yield Trial(strengths, float(values.mean()), len(values), stages[one.strengths], knobs)


def _surface(study: Study, searched: Searched) -> Surface:
    knobs = searched.best[study.space.count :]
    totals, shares, likeness = landscape(study.space, study.measure, [one for _, one in searched.trials], knobs)
    return Surface(tuple(totals.tolist()), tuple(shares.tolist()), tuple(map(tuple, likeness.tolist())))


def _sweep(study: Study, searched: Searched) -> Sweep | None:
    count = study.space.count
    points = [_point(study, one) for one in sorted(searched.swept, key=lambda one: sum(one.strengths[:count]))]
    if len(searched.swept[0].shots) < 2:
        return None
    peak = max(range(len(points)), key=lambda number: points[number].likeness)
    fallen = [point.total for point in points[peak:] if point.likeness < points[peak].likeness - FALL]
    return Sweep(tuple(points), sum(searched.best[:count]), fallen[0] if fallen else None)


def _point(study: Study, asked: Asked) -> SweepPoint:
    scores, prompts = _searched_scores(study, asked)
    mean = mean_over_prompts(study.likeness(scores), prompts).interval()
    rate = _rate(study.perfect(scores), prompts)
    return SweepPoint(sum(asked.strengths[: study.space.count]), mean.estimate, Interval(mean.low, mean.high), rate)


def _searched_scores(study: Study, asked: Asked) -> tuple[list[Score], list[str]]:
    shots = search_shots(study.plan).take(asked.shots)
    return study.taker.take(study.plan.mix(asked.strengths), shots), [shot.prompt for shot in shots]


def _dropped(study: Study, searched: Searched) -> Iterator[Dropped]:
    if not searched.dropped or len(searched.dropped[0].shots) < 2:
        return
    whole, *rest = searched.dropped
    shots = search_shots(study.plan).take(whole.shots)
    all_in, _ = _searched_scores(study, whole)
    for asked in rest:
        strengths = asked.strengths[: study.space.count]
        model = next(at for at, strength in enumerate(strengths) if not strength and whole.strengths[at])
        without, _ = _searched_scores(study, asked)
        yield Dropped(model, strengths, told_of(differ(study, all_in, without, shots), None))


def _preset_ahead(study: Study, confirmation: Confirmation) -> Difference | None:
    """The usual strengths less the search's mix, with an interval that holds at every look at once."""
    places = {arm.role: number for number, arm in enumerate(confirmation.arms)}
    if not {"mix", "preset"} <= places.keys():
        return None
    usual, mix = (confirmation.scores[places[role]] for role in ("preset", "mix"))
    found = differ(study, usual, mix, confirmation.shots)
    look, looks = confirmation.look
    within = at_boundary(found.mean, boundaries(looks)[look - 1])
    return replace(told_of(found, None), interval=within_one(within))


def _enough(confirmation: Confirmation, arms: Sequence[Arm]) -> int | None:
    """The estimate, where it is more than was measured: pictures that did not decide are no advice."""
    rival, leader = confirmation.rival, confirmation.leader
    if confirmation.verdict is not Verdict.UNVERIFIED or rival is None or leader in (None, rival):
        return None
    rates = [min(max(arm.perfect.share, 0.02), 0.98) for arm in (arms[leader], arms[rival])]
    pairs = 0 if abs(rates[0] - rates[1]) < 0.01 else needed_pairs(rates[0], rates[1])
    return pairs if pairs > len(confirmation.shots) else None
