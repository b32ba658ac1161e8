"""A study without models: a mock engine, a scorer of brightness, and a search that follows what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eleven.engines.engine import Picture, Shot
from eleven.engines.mock import MockEngine
from eleven.mix import Part
from eleven.scorers.scorer import Score
from eleven.sheets.recipe import Origin
from eleven.studies.allotment import split
from eleven.studies.ledger import Ledger, open_ledger, read_ledger
from eleven.studies.making import Alone, Maker
from eleven.studies.measuring import Asked
from eleven.studies.objective import Objective, Weights
from eleven.studies.plan import Plan
from eleven.studies.shots import confirmation_shots, search_shots
from eleven.studies.space import Space
from eleven.studies.study import Study
from eleven.studies.taking import Taking, measure_with, open_taker
from eleven.studies.thresholds import Lines, Thresholds
from eleven.studies.tuning import tune

BEST = {"a.safetensors": 0.7, "b.safetensors": 0.6}
PLAN = Plan(
    base=Origin("tiny", "b" * 64, "float32"),
    models=(Part(file="/models/a.safetensors", sha256="a" * 64), Part(file="/models/b.safetensors", sha256="c" * 64)),
    prompts=tuple(f"a photo of eve, {number}" for number in range(10)),
    seed=5,
    shot=Shot("", 0, steps=3, width=16, height=16),
    scorer="brightness",
    objective={"likeness": 1.0},
    search=64,
    confirmation=20,
)


def plan_with(**changes) -> Plan:
    return Plan.model_validate(PLAN.model_dump() | changes)


@dataclass(frozen=True)
class Brightness:
    name: str = "brightness"

    def score(self, pictures: Sequence[Picture]) -> list[Score]:
        return [Score(float(picture.pixels.mean()) / 255, None, 1.0) for picture in pictures]

    def leave_one_out(self, shown=None):
        return []

    def score_impostors(self):
        return []


@dataclass
class CountingEngine:
    inner: MockEngine = field(default_factory=lambda: MockEngine(BEST))
    batches: list[int] = field(default_factory=list)

    def take(self, mix, shots):
        self.batches.append(len(shots))
        return self.inner.take(mix, shots)

    @property
    def count(self):
        return sum(self.batches)


@contextmanager
def open_mock():
    yield MockEngine(BEST)


def walk(measure, budget, seed=1):
    """The best strengths found by steps from the best so far, two at a time; every step depends on the scores."""
    chance = np.random.default_rng(seed)
    best, likeness, spent = np.array([0.5, 0.5]), -np.inf, 0
    while spent < budget:
        block = search_shots(PLAN).block(0)
        candidates = [best + chance.normal(0, 0.2, 2) * (likeness > -np.inf) for _ in range(2)]
        asked = [Asked(tuple(float(each) for each in one), block) for one in candidates]
        for candidate, found in zip(candidates, measure(asked), strict=True):
            best, likeness = max((best, likeness), (candidate, found.mean()), key=lambda pair: pair[1])
        spent += 2 * len(block)
    return best


def run(folder: Path, *, maker: Maker | None = None, plan: Plan = PLAN, taking: Taking | None = None):
    """The study from its beginning, or from where it was left."""
    maker = maker or Alone(MockEngine(BEST))
    with open_ledger(folder, plan) as ledger, open_taker(ledger, maker, Brightness(), taking or Taking(5)) as taker:
        measure = measure_with(taker, search_shots(plan), lambda score: score.overall - 0.5)
        best = walk(measure, plan.search)
        shots = confirmation_shots(plan).take(range(plan.confirmation // 2))
        return best, taker.take(plan.mix(best), shots), taker.take(None, shots)


LINES = Thresholds(Lines(0.75, 0.6, 0.1, "given", "given"), None, 0)


def tuned(folder, best: Mapping[str, float] = BEST, budget=400, maker=None, then=tune):
    """The main job from its beginning, or from where it was left."""
    search, confirmation = split(budget)
    prompts = tuple(f"a photo of eve, {number}" for number in range(40))
    plan = plan_with(search=search, confirmation=confirmation, prompts=prompts)
    maker = maker or Alone(MockEngine(best, spread=0.1))
    with open_ledger(folder, plan) as ledger, open_taker(ledger, maker, Brightness(), Taking(8)) as taker:
        study = Study(taker, Objective(LINES, Weights(prompt=0)), Space(("a", "b")))
        return study, then(study)


def content(folder: Path):
    """What the ledger knows, in order, each picture's file beside it."""
    with read_ledger(folder) as ledger:
        return list(ledger.taken("brightness"))


def tables(ledger: Ledger):
    """Every row of mixes, shots, pictures and scores."""
    names = ("mixes", "shots", "pictures", "scores")
    return {name: sorted(map(repr, ledger._rows(f"SELECT * FROM {name}"))) for name in names}
