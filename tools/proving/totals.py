"""How likeness runs over the total at equal strengths, for many sets of models: the ridge and the cliff."""

from __future__ import annotations

from typing import Any

from proving.stand import Stand

SETS = (
    ("lora-a", "lora-b"),
    ("lora-a", "loha"),
    ("lora-b", "lokr"),
    ("lora-a", "lora-b", "loha"),
    ("lora-a", "lora-b", "loha", "lokr"),
)
TOTALS = (0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.1, 2.5)
ALONE = (0.6, 0.8, 1.0, 1.2, 1.4, 1.7)
SHOTS = 32


def measure(stand: Stand) -> list[dict[str, Any]]:
    """Each set's mean likeness and perfect share at every total, and where its models are best alone."""
    singles = {kind: alone(stand, kind) for kind in dict.fromkeys(kind for one in SETS for kind in one)}
    return [row(stand, models, singles) for models in SETS]


def alone(stand: Stand, kind: str) -> float:
    """Where one model is likest by a parabola through the best strength and its neighbours."""
    means = [stand.likeness({kind: at}, SHOTS) for at in ALONE]
    return summit(ALONE, means)


def row(stand: Stand, models: tuple[str, ...], singles: dict[str, float]) -> dict[str, Any]:
    """One set."""
    likeness, perfect, good = [], [], []
    for total in TOTALS:
        scores = stand.scores(dict.fromkeys(models, total / len(models)), SHOTS, searched=True)
        likeness.append(round(float(stand.study.likeness(scores).mean()), 4))
        perfect.append(round(float(stand.study.perfect(scores).mean()), 4))
        good.append(round(float(stand.study.good(scores).mean()), 4))
    return {
        "person": stand.concept.name,
        "models": list(models),
        "totals": list(TOTALS),
        "likeness": likeness,
        "perfect": perfect,
        "good": good,
        "best": round(summit(TOTALS, likeness), 3),
        "singles": {kind: round(singles[kind], 3) for kind in models},
    }


def summit(places: tuple[float, ...], values: list[float]) -> float:
    """The place of the highest value, between its neighbours as a parabola through the three has it."""
    top = max(range(len(values)), key=lambda at: values[at])
    if top in (0, len(values) - 1):
        return places[top]
    (a, b, c), (u, v, w) = places[top - 1 : top + 2], values[top - 1 : top + 2]
    rise, fall = (v - u) / (b - a), (w - v) / (c - b)
    bend = (fall - rise) / (c - a)
    return float(min(max((a + b) / 2 - rise / (2 * bend), a), c)) if bend < 0 else b
