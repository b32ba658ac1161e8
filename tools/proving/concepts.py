"""The main job on people whom nothing was built with: what `tune` says, and what further shots say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eleven.engines.engine import Shot
from eleven.engines.opening import Setup
from eleven.lab.people import REFERENCES, TRAINING, Concept, concept, write_photos
from eleven.lab.person import draw_person
from eleven.main_job import Photos, Wish, open_bench
from eleven.reports.study_folder import Left
from eleven.studies.arms import Arm
from eleven.studies.beginning import Company
from eleven.studies.space import Knob
from proving.stand import BATCH, GUIDANCE, STEPS
from proving.training import OWN, PEOPLE, Recipe, adapter, train

FIRST = 930_000
"""Seeds of people and scenes from here on are among no training set, and were looked at by nobody before."""
KINDS = ("person", "person", "person", "cat", "person")
DIRECT = 1000
DTYPE = "bf16"
WEAK = Recipe("weak", "lora", range(3), 21, adapter(1, "1e-3", 40))


@dataclass(frozen=True)
class Case:
    """Models that are tuned for one concept's held-out photos."""

    name: str
    concept: Concept
    models: tuple[Path, ...]
    photos: Path


def newcomers(kinds: Sequence[str] = KINDS, first: int = 1) -> list[Concept]:
    """Four people and a cat, by number from the first."""
    told = list(enumerate(kinds, first))
    return [
        Concept(f"new{number}", draw_person(FIRST + number, kind), f"sks {kind}", FIRST + 1000 * number)  # type: ignore[arg-type]
        for number, kind in told
    ]


def cases(work: Path) -> dict[str, Case]:
    """Newcomers with two LoRA, the first with a LoHa too; then two people's models, and a good one beside a bad one."""
    found = {one.name: newcomer(one, work, OWN[: 2 if number else 3]) for number, one in enumerate(newcomers())}
    otto, lora = concept("otto"), "lora-a.safetensors"
    mine, others = (PEOPLE / name / f"{name}-{lora}" for name in ("otto", "ada"))
    found["two people"] = Case("two people", otto, (mine, others), PEOPLE / "otto" / "references")
    first = newcomers()[0]
    good, bad = train(first, OWN[0], work), train(first, WEAK, work)
    found["one good model"] = Case("one good model", first, (good, bad), work / "photos" / first.name)
    return found


def newcomer(one: Concept, work: Path, recipes: Sequence[Recipe]) -> Case:
    """A newcomer with photos drawn and models trained."""
    photos = work / "photos" / one.name
    write_photos(one, photos, first=TRAINING, count=REFERENCES)
    return Case(one.name, one, tuple(train(one, recipe, work) for recipe in recipes), photos)


def measure(case: Case, work: Path) -> dict[str, Any]:
    """What `tune` finds and says, and the same mix and its rival on further shots of other seeds."""
    tuned = run(case, work / "tune" / case.name, None)
    study = tuned["study"]
    arms = study["arms"]
    mix = next(arm for arm in arms if arm["role"] in ("mix", "preset") and sum(at != 0 for at in arm["strengths"]) > 1)
    rival = arms[study["rival"]]
    chosen = [Arm(one["name"], "given", tuple(one["strengths"])) for one in (rival, mix)]
    again = run(case, work / "direct" / case.name, (chosen, DIRECT))["study"]["arms"]
    return {
        "name": case.name,
        "models": [path.stem for path in case.models],
        "outcome": tuned["outcome"],
        "verdict": tuned["verdict"],
        "mix": mix["strengths"],
        "rival": rival["strengths"],
        "tuned": {"mix": mix["perfect"], "rival": rival["perfect"], "difference": mix["difference"]},
        "direct": {"mix": again[1]["perfect"], "rival": again[0]["perfect"], "difference": again[1]["difference"]},
        "pictures": study["spending"],
    }


def run(
    case: Case, to: Path, given: tuple[Sequence[Arm], int] | None, *, knobs: tuple[Knob, ...] = (), seed: int = 1
) -> dict[str, Any]:
    """The results of `tune`, or of given arms on so many shots each of this seed, from the study's folder."""
    budget = given[1] * len(given[0]) if given else 0
    shot = Shot("", 0, steps=STEPS, guidance=GUIDANCE)
    wish = Wish(shot=shot, budget=budget, seed=seed if given else 0, knobs=knobs)
    company = Company(progress=lambda done, all_: print(f"{case.name}: {done} of {all_}", end="\r"), batch=BATCH)
    photos = Photos(case.photos, trigger=case.concept.trigger)
    with open_bench(Setup("lab", "cpu", DTYPE, BATCH), case.models, photos, wish, company) as bench:
        left: Left = bench.compare(given[0], to) if given else bench.tune(to, bake=False)
    return json.loads((left.report.parent / "results.json").read_text("utf-8"))
