"""`case_of`: how a study was made, for its page: settings, hashes, the time it took, and the command that makes it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from eleven.reports.inspection import inspect_file
from eleven.reports.study import HashedFile, Setting, Snippet, Spending
from eleven.reports.study_view import Case
from eleven.studies.beginning import Calibration
from eleven.studies.shots import confirmation_shots
from eleven.studies.study import Study

SECONDS = "seconds"
"""The kind of a ledger's notes that tell how long a session took in all, and to make pictures."""


def case_of(study: Study, calibration: Calibration, concept: str, command: str) -> Case:
    """What the page tells beside pictures and numbers; `command` is what makes the study again, if anything does."""
    plan = study.plan
    references = calibration.references.photos
    return Case(
        concept=concept,
        techniques=tuple(techniques_of(Path(part.file)) for part in plan.models),
        calibration=calibration,
        spending=spending_of(study),
        commands=(Snippet("The same again", command),) if command else (),
        settings=tuple(Setting(name, value) for name, value in settings_of(study).items()),
        files=(
            HashedFile("base", plan.base.name, plan.base.sha256),
            *(HashedFile("reference", name, sha256(photo.tobytes()).hexdigest()) for name, photo in references.items()),
        ),
    )


def settings_of(study: Study) -> dict[str, str]:
    """What pictures and verdict depend on, by name."""
    shot, plan, lines = study.plan.shot, study.plan, study.objective.thresholds
    weights = study.objective.weights
    return {
        "Sampler": shot.sampler or "the base's own",
        "Steps": str(shot.steps),
        "Guidance": f"{shot.guidance:g}",
        "Negative prompt": shot.negative or "none",
        "Scorer": plan.scorer,
        "Weights": f"likeness {weights.likeness:g}, detail {weights.detail:g}, prompt {weights.prompt:g}",
        "Perfect from": lines.overall.perfect_from,
        "Good enough from": lines.overall.good_from,
        "Seed": str(plan.seed),
        **{
            f"Knob {one.name}": f"{one.range[0]:g} to {one.range[1]:g} times, at {', '.join(one.addresses)}"
            for one in plan.knobs
        },
    }


def spending_of(study: Study) -> Spending:
    """Pictures by what they were made for, and the seconds of all sessions."""
    plan, ledger = study.plan, study.taker.ledger
    spent = [tuple(map(float, one.text.split())) for one in ledger.notes() if one.kind == SECONDS]
    fresh = set(confirmation_shots(plan).take(range(plan.confirmation)))
    confirmed = sum(one.shot in fresh for one in ledger.taken(plan.scorer))
    total, generating = (sum(one[place] for one in spent) for place in (0, 1))
    told = f"{plan.search + plan.confirmation} pictures"
    return Spending(told, ledger.count - confirmed, confirmed, total, generating)


def techniques_of(path: Path) -> str:
    """The techniques of a file, as `eleven inspect` tells them."""
    return ", ".join(inspect_file(path).techniques) or "none"
