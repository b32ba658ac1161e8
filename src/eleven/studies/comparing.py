"""`compare_arms`: strengths that somebody gives, measured beside each other on the same shots."""

from __future__ import annotations

from collections.abc import Sequence

from eleven.errors import UsageError
from eleven.studies.arms import Arm
from eleven.studies.confirming import Confirmation, confirm
from eleven.studies.study import Study


def compare_arms(study: Study, arms: Sequence[Arm]) -> Confirmation:
    """All arms on as many shots as the plan's confirmation has pictures for; the others are compared with the first."""
    shots = study.plan.confirmation // max(1, len(arms))
    if shots < 2:
        told = f"{study.plan.confirmation} pictures are too few to compare {len(arms)} arms."
        raise UsageError(told, hint=f"Give a budget of at least {16 * len(arms)}.")
    return confirm(study, arms, shots)
