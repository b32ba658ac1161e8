"""Measures whether --detail moves detail and keeps the overall look, on the lab's people; prints a table for each.

python tools/measure_steering.py --work DIR [--search 170] [--shots 24] [--steps] [--json FILE] [NAME …]

Resumable: the same command goes on, and more shots are added to those that were made.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from eleven.engines.diffusers import DiffusersEngine
from eleven.engines.engine import Shot
from eleven.engines.opening import Setup, open_engine
from eleven.engines.redrawing import redraw
from eleven.exports.baking import identified
from eleven.lab.captions import caption_of
from eleven.lab.people import CONCEPTS, concept
from eleven.lab.scene import draw_scene
from eleven.lab.shipped import concept_folder
from eleven.mix import Mix, Part
from eleven.scorers.scorer import References, Score
from eleven.sheets.recipe import origin_of
from eleven.steering import rising, steer
from eleven.studies.allotment import allot
from eleven.studies.beginning import Calibration, Company, begin, calibrated
from eleven.studies.effects import Effects, effects_of
from eleven.studies.intervals import mean_over_prompts
from eleven.studies.making import Alone
from eleven.studies.plan import Plan, digest_of_references
from eleven.studies.shots import confirmation_shots
from eleven.studies.space import Space
from eleven.studies.study import Study
from eleven.studies.tuning import Row, find, kept
from proving.stand import references_of

KINDS = ("lora-a", "lora-b", "loha")
SETTINGS = (-1.0, -0.5, 0.0, 0.5, 1.0)
PROMPTS, STEPS, GUIDANCE, BATCH = 120, 12, 3.0, 8
CONFIRMATION = 200
"""Pictures that the plan sets aside for arms, which are not measured here: it shapes the search's shares alone."""

Triple = tuple[float, float, float]
"""A mean with the ends of its 95 % interval."""


@dataclass(frozen=True)
class Setting:
    """What one setting of --detail gave: strengths, means with intervals, and the paired changes from a detail of 0."""

    detail: float
    steps: bool
    strengths: Row
    shots: int
    overall: Triple
    detail_score: Triple
    overall_change: Triple
    detail_change: Triple


def plan_of(name: str, engine: DiffusersEngine, references: References, search: int) -> Plan:
    """A study of one person's three adapters."""
    files = [concept_folder(name) / f"{name}-{kind}.safetensors" for kind in KINDS]
    parts = (identified(Part(file=str(path)), path) for path in files)
    scenes = (caption_of(concept(name).trigger, draw_scene(85_000 + number)) for number in range(4 * PROMPTS))
    return Plan(
        base=origin_of(engine.base),
        models=tuple(part.model_copy(update={"file": str(path)}) for part, path in zip(parts, files, strict=True)),
        prompts=tuple(dict.fromkeys(scenes))[:PROMPTS],
        shot=Shot("", 0, steps=STEPS, guidance=GUIDANCE),
        scorer="lab",
        references=digest_of_references(references),
        search=search,
        confirmation=CONFIRMATION,
    )


def calibration_of(name: str, engine: DiffusersEngine) -> Calibration:
    """The person's held-out photos as the base can draw them."""
    references = references_of(concept(name))
    return calibrated("lab", references, redraw(engine.base, list(references.photos.values())))


def found(study: Study) -> tuple[Row, Effects | None]:
    """The best mix of the search, and what each model carries near it."""
    searched = find(study, allot(study.plan.search, study.plan.confirmation, len(KINDS)))
    best = kept(study.measure, searched)
    seen = [*(asked for _, asked in searched.trials), *searched.dropped, *searched.swept]
    return best, effects_of(study, seen, best)


def mixes_of(study: Study, best: Row, effects: Effects, *, steps: bool) -> dict[tuple[float, bool], tuple[Row, Mix]]:
    """The mix of each setting: strengths steered, or the steps alone."""
    measured = effects.by_file([part.sha256 for part in study.plan.models])
    mixes: dict[tuple[float, bool], tuple[Row, Mix]] = {}
    for detail in SETTINGS:
        row = steer(best, measured, detail, study.space.strength_ranges)
        mixes[detail, False] = row, mix_at(study, row)
        if steps and detail:
            mixes[detail, True] = best, rising(mix_at(study, best), detail)
    return mixes


def mix_at(study: Study, row: Row) -> Mix:
    """The models at strengths that are not all 0."""
    mix = study.plan.mix(row)
    assert mix is not None, "a search ends at a mix"
    return mix


def measure(study: Study, shots: int, *, steps: bool) -> tuple[Effects | None, list[Setting]]:
    """Every setting on the same fresh shots."""
    best, effects = found(study)
    if effects is None:
        return None, []
    mixes = mixes_of(study, best, effects, steps=steps)
    taken = confirmation_shots(study.plan).take(range(shots))
    scores = study.taker.take_all([(mix, shot) for _, mix in mixes.values() for shot in taken])
    split = {key: scores[at * shots : (at + 1) * shots] for at, key in enumerate(mixes)}
    middle, prompts = split[0.0, False], [shot.prompt for shot in taken]
    return effects, [setting(key, mixes[key][0], (split[key], middle), prompts) for key in mixes]


def setting(
    key: tuple[float, bool], strengths: Row, scores: tuple[Sequence[Score], Sequence[Score]], prompts: Sequence[str]
) -> Setting:
    """One setting's numbers."""
    told: list[Triple] = []
    for part in ("overall", "detail"):
        own, middle = (np.array([getattr(score, part) or 0.0 for score in some]) for some in scores)
        told += [triple(own, prompts), triple(own - middle, prompts)]
    return Setting(*key, strengths, len(prompts), told[0], told[2], told[1], told[3])


def triple(values: np.ndarray, prompts: Sequence[str]) -> Triple:
    """The mean with the ends of its interval, prompts as clusters."""
    if not values.any():
        return 0.0, 0.0, 0.0
    within = mean_over_prompts(values, prompts).interval()
    return within.estimate, within.low, within.high


def show(name: str, effects: Effects | None, rows: Sequence[Setting]) -> None:
    """One person's table."""
    print(f"\n## {name}\n")
    if effects is None:
        print("Too few mixes were seen to tell what each model carries.")
        return
    columns = zip(KINDS, effects.overall, effects.overall_errors, effects.detail, effects.detail_errors, strict=True)
    for kind, overall, unsure, detail, error in columns:
        print(f"{kind}: overall {overall:+.4f} ± {unsure:.4f}, detail {detail:+.4f} ± {error:.4f} for each 1.0")
    print("\n| detail | strengths | shots | overall | change | detail score | change |\n|---|---|---|---|---|---|---|")
    for row in rows:
        label = f"{row.detail:+g}{', steps' if row.steps else ''}"
        strengths = " + ".join(f"{strength:.2f}" for strength in row.strengths)
        means = (row.overall, row.overall_change, row.detail_score, row.detail_change)
        print(f"| {label} | {strengths} | {row.shots} | {' | '.join(map(told_of, means))} |")


def told_of(mean: Triple) -> str:
    """A mean with its interval."""
    return f"{mean[0]:.4f} ({mean[1]:.4f} to {mean[2]:.4f})"


def main() -> None:
    """Measures each person in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=[one.name for one in CONCEPTS])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--search", type=int, default=170)
    parser.add_argument("--shots", type=int, default=24)
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results: dict[str, object] = {}
    with open_engine(Setup("lab", batch=BATCH), print) as engine:
        for name in given.names:
            calibration = calibration_of(name, engine)
            plan = plan_of(name, engine, calibration.references, given.search)
            company = Company(progress=lambda done, _, name=name: print(f"{name}: {done}", end="\r", flush=True))
            ground = (calibration, Space(KINDS))
            with begin(plan, given.work / name, Alone(engine), ground, company) as study:
                effects, rows = measure(study, given.shots, steps=given.steps)
            show(name, effects, rows)
            results[name] = {"effects": effects and asdict(effects), "settings": [asdict(row) for row in rows]}
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
