"""A study that never took place, with pictures from the lab's renderer: equal arguments give equal data and files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from hashlib import sha256
from math import sqrt
from pathlib import Path

import numpy as np

from eleven.lab.person import draw_person, look_alike
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import draw_scene
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
from eleven.reports.study_measures import Difference, Interval, Rate, Scale, Surface, Sweep, SweepPoint, Trial
from eleven.sheets.png import write_png

NAMES = ("lora-a", "lora-b", "loha", "dreambooth")
PLACES = ("at the beach", "in a library", "on a red background", "wearing a black shirt", "smiling, outdoors at night")
ARMS = (
    ("found mix", "mix", 0.0),
    ("best single", "single", 0.085),
    ("single × 1.4", "raised single", 0.14),
    ("preset", "preset", 0.03),
    ("base alone", "base", 0.6),
)
PERFECT, GOOD = 0.78, 0.66


@dataclass(frozen=True)
class World:
    """How large the study is, and what is drawn."""

    models: int = 2
    prompts: int = 12
    seeds: int = 4
    arms: int = 5
    seed: int = 7

    @property
    def best(self) -> tuple[float, ...]:
        return ((0.72, 0.61), (0.58, 0.49, 0.33), (0.51, 0.42, 0.3, 0.18))[self.models - 2]

    def likeness(self, strengths) -> float:
        """A ridge in the total with a cliff behind it, and the best proportions."""
        total = sum(strengths)
        if not total:
            return -6.0
        wide = 0.5 if total < sum(self.best) else 0.28
        off = sum((a / total - b / sum(self.best)) ** 2 for a, b in zip(strengths, self.best, strict=True))
        return 0.15 - ((total - sum(self.best)) / wide) ** 2 - 3.2 * off


def wilson(hits: int, shots: int) -> Rate:
    share, z = hits / shots, 1.96
    middle = (share + z * z / (2 * shots)) / (1 + z * z / shots)
    half = z * sqrt(share * (1 - share) / shots + z * z / (4 * shots**2)) / (1 + z * z / shots)
    return Rate(hits, shots, Interval(max(0.0, middle - half), min(1.0, middle + half)))


def difference(first, second, p) -> Difference:
    gaps = np.array(first, float) - np.array(second, float)
    half = 1.96 * gaps.std() / sqrt(len(gaps)) if len(gaps) > 1 else 1.0
    mean = float(gaps.mean())
    ties = int((gaps == 0).sum())
    return Difference(mean, Interval(mean - half, mean + half), p, int((gaps > 0).sum()), ties, int((gaps < 0).sum()))


def build(folder: Path, world: World = World()) -> StudyView:
    """The study, with its pictures written below the folder."""
    shots = tuple(
        Shot(
            f"photo of ada {PLACES[at % len(PLACES)]}{', variation ' + str(at // 5 + 1) if at > 4 else ''}", 100 + seed
        )
        for seed in range(world.seeds)
        for at in range(world.prompts)
    )
    pictures = draw(folder, world, shots)
    return StudyView(
        concept="ada",
        made="2026-03-14T15:09:26Z",
        version="0.1.0",
        base="lab",
        models=tuple(_model(name) for name in NAMES[: world.models]),
        arms=arms(world, pictures),
        winner=0,
        rival=1 if world.arms > 1 else None,
        fresh=True,
        level=0.95,
        shots=shots,
        pictures=pictures,
        spending=Spending("300 pictures", 88, len(pictures), 431.0, 397.0),
        scales=scales(world),
        trials=trials(world),
        surface=surface(world) if world.models == 2 else None,
        sweep=sweep(world),
        dropped=dropped(world),
        notes=(Note("advice", "12 photos set the thresholds; with 20 or more they would be steadier."),),
        snippets=snippets(world),
        commands=(
            Snippet("Make it again", "eleven tune --base lab lora-a.safetensors lora-b.safetensors --photos ada"),
        ),
        settings=tuple(Setting(*pair) for pair in (("Sampler", "DPM++ 2M Karras"), ("Steps", "12"), ("Seed", "7"))),
        files=(HashedFile("base", "lab", _digest("lab")), HashedFile("scorer", "eye", _digest("eye"))),
        baked=Baked("ada-mix.safetensors", "LoRA of rank 64", 4_812_344, _digest("mix"), 2.3e-4),
    )


def draw(folder: Path, world: World, shots) -> tuple[Taken, ...]:
    """Every arm's picture of every shot: the worse the arm, the more another face is mixed in."""
    chance = np.random.default_rng(world.seed)
    ada, luck = draw_person(5), chance.normal(0, 0.045, len(shots))
    found = []
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for number, shot in enumerate(shots):
        scene = draw_scene(shot.seed * 1000 + number)
        for arm, (_, _, worse) in enumerate(ARMS[: world.arms]):
            off = float(np.clip(0.2 + worse + luck[number] + chance.normal(0, 0.035), 0.02, 0.95))
            file = f"pictures/{arm}_{number:04}.png"
            write_png(folder / file, draw_portrait(look_alike(ada, 1000 + arm, off), scene), force=True)
            found.append(_taken(arm, number, file, round(1 - off, 4)))
    return tuple(found)


def _taken(arm, number, file, score) -> Taken:
    fault = "no face" if (7 * arm + number) % 61 == 60 else ""
    perfect, good = score >= PERFECT and not fault, score >= GOOD and not fault
    scores = (score, round(score - 0.05, 4)) if not fault else (None, None)
    likeness = None if fault else round((score - PERFECT) / 0.06, 3)
    return Taken(arm, number, file, perfect, good, likeness, scores, 0.9, fault)


def arms(world: World, pictures) -> tuple[Arm, ...]:
    best, single = world.best, (0.95, *[0.0] * (world.models - 1))
    strengths = (
        best,
        single,
        (1.33, *single[1:]),
        (round(1.4 / world.models, 2),) * world.models,
        (0.0,) * world.models,
    )
    rows = []
    for number, (name, role, _) in enumerate(ARMS[: world.arms]):
        mine = [one for one in pictures if one.arm == number]
        rival = [one.perfect for one in pictures if one.arm == 1]
        scored = [one.likeness for one in mine if one.likeness is not None]
        told = (
            difference([one.perfect for one in mine], rival, min(1.0, 0.0004 * 9**number))
            if rival and number != 1
            else None
        )
        rates = (wilson(sum(one.perfect for one in mine), len(mine)), wilson(sum(one.good for one in mine), len(mine)))
        rows.append(Arm(name, role, strengths[number], *rates, float(np.mean(scored)) if scored else 0.0, told))
    return tuple(rows)


def trials(world: World) -> tuple[Trial, ...]:
    chance = np.random.default_rng(world.seed + 1)
    found = []
    for at in range(26):
        near = 0.55 / (1 + at / 5)
        strengths = tuple(float(np.clip(one + chance.normal(0, near), 0, 1.2).round(2)) for one in world.best)
        value = max(-6.0, world.likeness(strengths)) + float(chance.normal(0, 0.12))
        found.append(Trial(strengths, round(value, 3), 8 if at < 8 else 4, "start" if at < 8 else "search"))
    return tuple(found)


def surface(world: World) -> Surface:
    totals = tuple(round(0.5 + 0.06 * at, 2) for at in range(30))
    shares = tuple(round(at / 16, 4) for at in range(17))
    rows = [[max(-5.0, world.likeness((total * share, total * (1 - share)))) for total in totals] for share in shares]
    return Surface(totals, shares, tuple(tuple(row) for row in rows))


def sweep(world: World) -> Sweep:
    total = sum(world.best)
    points = []
    for factor in (0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4):
        value = world.likeness(tuple(factor * one for one in world.best))
        hits = round(48 / (1 + 2.72 ** (-1.5 * value)))
        points.append(SweepPoint(total * factor, value, Interval(value - 0.2, value + 0.2), wilson(hits, 48)))
    return Sweep(tuple(points), total, total * 1.1)


def scales(world: World) -> tuple[Scale, ...]:
    chance = np.random.default_rng(world.seed + 2)
    photos = tuple(chance.normal(0.82, 0.05, 12).round(4).tolist())
    others = tuple(chance.normal(0.4, 0.08, 40).round(4).tolist())
    finer = tuple(round(score - 0.05, 4) for score in photos)
    return Scale("overall", "lab", photos, others, PERFECT, GOOD), Scale("detail", "lab", finer, (), 0.73, 0.6)


def dropped(world: World) -> tuple[Dropped, ...]:
    adds = (0.21, 0.15, 0.04, -0.03)
    return tuple(
        Dropped(
            number,
            tuple(0.0 if at == number else round(1.2 * one, 2) for at, one in enumerate(world.best)),
            Difference(adds[number], Interval(adds[number] - 0.09, adds[number] + 0.09), None, 14, 30, 4),
        )
        for number in range(world.models)
    )


def snippets(world: World) -> tuple[Snippet, ...]:
    pairs = list(zip(NAMES, world.best, strict=False))
    tags = " ".join(f"<lora:{name}:{strength}>" for name, strength in pairs)
    parts = " ".join(f"{name}.safetensors:{strength}" for name, strength in pairs)
    return (
        Snippet("A1111, Forge", tags),
        Snippet("Pictures", f'eleven generate --base lab {parts} --prompt "photo of ada" --seeds 1-8 --to more'),
        Snippet("One file", f"eleven bake {parts} --to ada-mix.safetensors"),
    )


def _model(name: str) -> Model:
    technique = {"loha": "LoHa, rank 8", "dreambooth": "full"}.get(name, "LoRA, rank 16")
    return Model(name, f"{name}.safetensors", _digest(name), technique, 0.04, 0.02)


def _digest(word: str) -> str:
    return sha256(word.encode()).hexdigest()


if __name__ == "__main__":
    from eleven.reports.study_page import write_report

    to, *numbers = sys.argv[1:]
    write_report(build(Path(to), World(*map(int, numbers))), Path(to))
