"""`require_consistent`: what is told of a study leads nowhere else than into the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eleven.errors import UsageError

if TYPE_CHECKING:
    from eleven.reports.study import StudyView


def require_consistent(study: StudyView) -> None:
    """UsageError where a number leads nowhere, or a row is not as long as what it goes through."""
    models, arms, shots = len(study.models), len(study.arms), len(study.shots)
    _require(min(models, arms, shots) > 0, "a study needs a model, an arm and a shot")
    _require(0 <= study.winner < arms and 0 <= (study.rival or 0) < arms, "winner or rival is no arm")
    compared = any(arm.difference for arm in study.arms)
    _require(study.rival is not None or not compared, "differences are told without a rival")
    rows = [one.strengths for one in (*study.arms, *study.trials, *study.dropped)]
    _require(all(len(row) == models for row in rows), f"a row of strengths is not of {models} models")
    turned = {len(one.knobs) for one in (*study.arms, *study.trials)}
    _require(turned <= {0, len(study.knobs)}, f"an arm's or a trial's knobs are not the {len(study.knobs)} knobs")
    told = [*study.dropped, *study.carried]
    _require(all(0 <= one.model < models for one in told), "a model is told of that is none of the models")
    places = {(one.arm, one.shot) for one in study.pictures}
    _require(all(0 <= arm < arms and 0 <= shot < shots for arm, shot in places), "a picture is of no arm or shot")
    _require(len(places) == len(study.pictures), "two pictures are of one arm and shot")
    _require(all(_is_below(one.file) for one in study.pictures), "a picture lies outside the report's folder")
    scored = all(len(one.scores) in (0, len(study.scales)) for one in study.pictures)
    _require(scored, f"a picture's scores are not of {len(study.scales)} scales")


def _is_below(file: str) -> bool:
    """Whether a path with `/` leads down from the report's folder."""
    return bool(file) and not file.startswith("/") and ".." not in file.split("/")


def _require(ok: bool, rule: str) -> None:
    if not ok:
        raise UsageError(f"the study's data contradict themselves: {rule}.", hint="This is a bug; please report it.")
