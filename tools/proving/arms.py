"""Every arm of a person on the same fresh shots, and the differences that the claims are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from proving.rows import Arm, difference, row
from proving.stand import RANDOM, UNRELATED, WORD, Stand

SINGLES = ("lora-a", "lora-b", "loha", "lokr", "dreambooth", WORD, "more", "same")
SHOTS, GUIDED, FEWER = 300, 200, 100
MAIN = ("lora-a", "lora-b", "loha")
TURNED_UP = 1.4
BEST = "best single"
"""Stands for the best single among an arm's own models, each at its own best strength."""


class Wanted(NamedTuple):
    """Strengths by model, how many shots, and what else every part is told."""

    strengths: Mapping[str, float]
    shots: int
    told: Mapping[str, float] = {}


HALF = {"negative": 0.5}
ARMS = {
    "lora-a + lora-b, 0.7 each": Wanted({"lora-a": 0.7, "lora-b": 0.7}, SHOTS),
    "lora-a + loha, 0.7 each": Wanted({"lora-a": 0.7, "loha": 0.7}, SHOTS),
    "lora-a + lora-b + loha, 0.5 each": Wanted({"lora-a": 0.5, "lora-b": 0.5, "loha": 0.5}, SHOTS),
    "lora-b + lokr, 0.7 each": Wanted({"lora-b": 0.7, "lokr": 0.7}, FEWER),
    "dreambooth + lora-a, 0.7 each": Wanted({"dreambooth": 0.7, "lora-a": 0.7}, FEWER),
    "lora-a + lora-b, 0.7 each, and the word": Wanted({"lora-a": 0.7, "lora-b": 0.7, WORD: 1.0}, FEWER),
    "lora-a + same photos, 0.7 each": Wanted({"lora-a": 0.7, "same": 0.7}, FEWER),
    "same photos + its earlier state, 0.7 each": Wanted({"same": 0.7, "same-000400": 0.7}, FEWER),
    "lora-a + another person's, 0.7 each": Wanted({"lora-a": 0.7, UNRELATED: 0.7}, FEWER),
    "lora-a + random, 0.7 each": Wanted({"lora-a": 0.7, RANDOM: 0.7}, FEWER),
    "lora-a 0.8, half for the negative prompt": Wanted({"lora-a": 0.8}, GUIDED, HALF),
    "lora-a + lora-b, 0.5 each, half for the negative prompt": Wanted({"lora-a": 0.5, "lora-b": 0.5}, GUIDED, HALF),
    "no model": Wanted({}, FEWER),
}
GUIDED_ALONE, GUIDED_PAIR = list(ARMS)[-3:-1]
PAIR, THREE = "lora-a + lora-b, 0.7 each", "lora-a + lora-b + loha, 0.5 each"
TURNED = f"lora-a × {TURNED_UP}"

CONTRASTS = (
    ("pair", PAIR, BEST, "perfect"),
    ("mixed pair", "lora-a + loha, 0.7 each", BEST, "perfect"),
    ("three", THREE, BEST, "perfect"),
    ("three over pair", THREE, PAIR, "perfect"),
    ("turned up", TURNED, "lora-a", "perfect"),
    ("disjoint", PAIR, "lora-a + same photos, 0.7 each", "perfect"),
    ("checkpoints", "same photos + its earlier state, 0.7 each", "same", "perfect"),
    ("lora overall", "lora-a", "loha", "overall"),
    ("lycoris detail", "loha", "lora-a", "detail"),
    ("lycoris detail (lokr)", "lokr", "lora-a", "detail"),
    ("word", "lora-a + lora-b, 0.7 each, and the word", PAIR, "perfect"),
    ("dreambooth", "dreambooth + lora-a, 0.7 each", BEST, "perfect"),
    ("stranger", "lora-a + another person's, 0.7 each", "lora-a", "perfect"),
    ("random", "lora-a + random, 0.7 each", "lora-a", "perfect"),
    ("equal compute", PAIR, "more", "perfect"),
    ("guided", GUIDED_PAIR, PAIR, "perfect"),
    ("guided alone", GUIDED_ALONE, "lora-a", "perfect"),
    ("guided pair", GUIDED_PAIR, GUIDED_ALONE, "perfect"),
)
"""Claim, arm, what it is held against, and by which measure."""


def measure(stand: Stand) -> dict[str, Any]:
    """All arms of one person."""
    best = {kind: 1.0 if kind == WORD else stand.own_best(kind) for kind in SINGLES}
    wanted = {kind: Wanted({kind: best[kind]}, SHOTS if kind in MAIN else FEWER) for kind in SINGLES}
    wanted |= {TURNED: Wanted({"lora-a": TURNED_UP * best["lora-a"]}, SHOTS)} | ARMS
    arms = {
        name: Arm(name, one.strengths, stand.scores(one.strengths, one.shots, **one.told))
        for name, one in wanted.items()
    }
    study, prompts = stand.study, stand.prompts(SHOTS)
    told = []
    for claim, name, against, measure in CONTRASTS:
        other = best_single(stand, arms, name) if against == BEST else against
        for each in (measure, "likeness") if measure == "perfect" else (measure,):
            told.append({"claim": claim} | difference(study, (arms[name], arms[other]), prompts, each))
    return {
        "name": stand.concept.name,
        "photos": {part: photos(stand, part) for part in ("overall", "detail")},
        "lines": {part: line(stand, part) for part in ("overall", "detail")},
        "rows": [row(study, arm, prompts) for arm in arms.values()],
        "contrasts": told,
    }


def best_single(stand: Stand, arms: dict[str, Arm], name: str) -> str:
    """Which of an arm's models is perfect most often alone, on the shots that all of them have."""
    kinds = [kind for kind in arms[name].strengths if kind in SINGLES]
    shots = min(len(arms[kind].scores) for kind in kinds)
    return max(kinds, key=lambda kind: stand.study.perfect(arms[kind].scores[:shots]).mean())


def photos(stand: Stand, part: str) -> float:
    """How like each other the held-out photos are."""
    return float(np.mean([getattr(one, part) for one in stand.calibration.leave_one_out]))


def line(stand: Stand, part: str) -> dict[str, float]:
    """From where on a picture is perfect, and good enough."""
    found = getattr(stand.calibration.thresholds, part)
    return {"perfect": round(found.perfect, 4), "good": round(found.good, 4)}
