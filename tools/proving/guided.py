"""The main job with the share for the negative prompt as a knob, on newcomers, against plain single models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eleven.studies.arms import Arm
from eleven.studies.differences import compare
from eleven.studies.space import Knob
from proving.concepts import Case, newcomer, newcomers, run
from proving.stand import SWEEP_SHOTS, SWEPT
from proving.training import OWN

KINDS, NUMBER = ("person", "cat", "person", "person", "person"), 6
DIRECT = 400
SHARE = (Knob("negative", (0.0, 1.0), 1.0, ("negative",)),)
PLAIN, ALONE, FOUND = "plain single", "single", "found"


def cases(work: Path, names: Sequence[str]) -> Iterator[Case]:
    """Newcomers with two LoRA each, of these names or all, trained as they are asked for."""
    for one in newcomers(KINDS, NUMBER):
        if not names or one.name in names:
            yield newcomer(one, work, OWN[:2])


def measure(case: Case, work: Path) -> dict[str, Any]:
    """What `tune` finds, beside the best single model with a share of its own and the best plain one.

    The plain one stands at its own best strength by likeness on other shots. All three draw the same further shots.
    """
    tuned = run(case, work / "guided" / case.name, None, knobs=SHARE)
    study = tuned["study"]
    found, alone = study["arms"][study["winner"]], best_alone(study["arms"])
    arms = [
        plain_single(case, work),
        Arm(ALONE, "given", tuple(alone["strengths"]), tuple(alone["knobs"])),
        Arm(FOUND, "given", tuple(found["strengths"]), tuple(found["knobs"])),
    ]
    arms = [arm for number, arm in enumerate(arms) if arm.row not in [one.row for one in arms[:number]]]
    direct = run(case, work / "guided-direct" / case.name, (arms, DIRECT), knobs=SHARE)["study"]
    return {
        "name": case.name,
        "outcome": tuned["outcome"],
        "verdict": tuned["verdict"],
        "pictures": study["spending"],
        "arms": {arm.name: {"strengths": arm.strengths, "share": (*arm.knobs, 1.0)[0]} for arm in arms},
        "direct": {one["name"]: one["perfect"] for one in direct["arms"]},
        "difference": {
            against: None if arms[-1].name == against else difference(direct, arms[-1].name, against)
            for against in (PLAIN, ALONE)
        },
    }


def best_alone(arms: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The single model that was perfect most often."""
    return max((arm for arm in arms if arm["role"] == "single"), key=lambda arm: arm["perfect"]["hits"])


def plain_single(case: Case, work: Path) -> Arm:
    """The likeliest of all models alone at a few strengths, guided as usual, on shots of their own."""
    count = len(case.models)
    rows = [tuple(at if place == model else 0.0 for place in range(count)) for model in range(count) for at in SWEPT]
    arms = [Arm(str(number), "given", row) for number, row in enumerate(rows)]
    swept = run(case, work / "guided-alone" / case.name, (arms, SWEEP_SHOTS), seed=2)["study"]["arms"]
    best = max(swept, key=lambda arm: arm["likeness"])
    return Arm(PLAIN, "given", tuple(best["strengths"]))


def difference(study: dict[str, Any], first: str, second: str) -> dict[str, Any]:
    """Perfect shares of one arm less another's, as a results file tells them."""
    names = [arm["name"] for arm in study["arms"]]
    one, other = (hits_of(study, names.index(name)) for name in (first, second))
    found = compare(one, other, [shot["prompt"] for shot in study["shots"]], draws=0)
    within = {"low": float(found.interval.low), "high": float(found.interval.high)}
    return {"share": float(found.interval.estimate), "interval": within, "p": float(found.p_value)}


def hits_of(study: dict[str, Any], arm: int) -> NDArray[np.bool_]:
    """Which shots an arm was perfect on, in their order."""
    taken = {one["shot"]: one["perfect"] for one in study["pictures"] if one["arm"] == arm}
    return np.array([taken[number] for number in range(len(study["shots"]))], np.bool_)
