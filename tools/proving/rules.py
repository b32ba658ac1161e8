"""Every rule that combines deltas at its own best total, against the plain sum at its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eleven.methods import METHODS
from proving.rows import Arm, difference, row
from proving.stand import Stand

Fields = Mapping[str, object]
SUM = "sum"
UNMEASURED = frozenset({"functional"})
"""Needs activations, which no command collects."""
RULES: dict[str, Fields] = {one.name: {"method": one.name} for one in METHODS if one.name not in UNMEASURED} | {
    "rising over the steps": {"rise": 0.4},
    "falling over the steps": {"rise": -0.4},
    "half for the negative prompt": {"negative": 0.5},
    "none for the negative prompt": {"negative": 0.0},
}
"""Fields of the mix, or of each of its parts."""
MODELS = ("lora-a", "lora-b")
TOTALS = (0.5, 0.7, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.2, 4.0)
FIRST = TOTALS.index(1.4)
SEARCHED, SHOTS = 12, 80


def measure(stand: Stand) -> list[dict[str, Any]]:
    """Every rule as a row of hit-rates with its difference to the sum."""
    return compared(stand, RULES)


def compared(stand: Stand, rules: Mapping[str, Fields], base: Arm | None = None) -> list[dict[str, Any]]:
    """Each rule, by the fields of its mix, at its own best total; against the sum, which is the first unless given."""
    prompts, study, rows = stand.prompts(SHOTS), stand.study, []
    for rule, fields in rules.items():
        total = best_total(lambda at, fields=fields: stand.likeness(equal(at), SEARCHED, **fields))
        arm = Arm(rule, equal(total), stand.scores(equal(total), SHOTS, **fields))
        base = base or arm
        gains = {
            measure: None if arm is base else difference(study, (arm, base), prompts, measure)
            for measure in ("likeness", "perfect")
        }
        rows.append(row(study, arm, prompts) | {"total": total, "gains": gains})
    return rows


def sum_of(stand: Stand) -> Arm:
    """The plain sum at its best total."""
    total = best_total(lambda at: stand.likeness(equal(at), SEARCHED))
    return Arm(SUM, equal(total), stand.scores(equal(total), SHOTS))


def equal(total: float) -> dict[str, float]:
    """The models at equal strengths of this total."""
    return dict.fromkeys(MODELS, total / len(MODELS))


def best_total(likeness: Callable[[float], float]) -> float:
    """The total with the highest likeness, uphill from the usual one."""
    known = {at: likeness(TOTALS[at]) for at in (FIRST - 1, FIRST, FIRST + 1)}
    while True:
        top = max(known, key=lambda at: known[at])
        beyond = [at for at in (top - 1, top + 1) if 0 <= at < len(TOTALS) and at not in known]
        if not beyond:
            return TOTALS[top]
        known |= {at: likeness(TOTALS[at]) for at in beyond}
