"""Measures the claims about mixing on the lab's people and writes docs/evidence.json and docs/evidence.md from it.

python tools/evidence.py --work DIR [NAME …]       measures (resumable), then writes both
python tools/evidence.py --page                    writes the page from the data
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from eleven.engines.diffusers import DiffusersEngine
from eleven.engines.engine import Shot
from eleven.engines.opening import Setup, open_engine
from eleven.engines.redrawing import redraw
from eleven.exports.baking import identified
from eleven.lab.captions import caption_of
from eleven.lab.people import CONCEPTS, concept
from eleven.lab.person import draw_person
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import draw_scene
from eleven.lab.shipped import concept_folder
from eleven.mix import Part
from eleven.scorers.references import photos_of
from eleven.scorers.scorer import References, Score
from eleven.sheets.recipe import origin_of
from eleven.studies.beginning import Company, begin, calibrated
from eleven.studies.differences import compare
from eleven.studies.intervals import hit_rate, mean_over_prompts
from eleven.studies.making import Alone
from eleven.studies.plan import Plan, digest_of_references
from eleven.studies.shots import confirmation_shots, search_shots
from eleven.studies.space import Space
from eleven.studies.study import Study
from evidence_page import page

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA, PAGE = DOCS / "evidence.json", DOCS / "evidence.md"
KINDS = ("lora-a", "lora-b", "loha")
UNRELATED, RANDOM = "unrelated", "random"
NAMES = (*KINDS, UNRELATED, RANDOM)
SWEPT = (0.8, 1.0, 1.2, 1.4)
SWEEP_SHOTS, SHOTS, FEWER = 24, 300, 100
PROMPTS = 120
STEPS, GUIDANCE, BATCH = 12, 3.0, 8


Taken = tuple[Sequence[Score], Sequence[Score], Sequence[str]]
"""Scores of an arm and of its rival, and the prompt of each shot."""


@dataclass(frozen=True)
class Row:
    """One arm's numbers: rates with intervals, means, and the difference of perfect shares to the best single."""

    arm: str
    strengths: dict[str, float]
    shots: int
    perfect: tuple[float, float, float]
    good: tuple[float, float, float]
    overall: tuple[float, float, float]
    detail: tuple[float, float, float]
    gain: tuple[float, float, float] | None
    p: float | None


def random_like(source: Path, to: Path) -> Path:
    """A LoRA of random directions whose changes have the norms of another one's."""
    chance, tensors = torch.Generator().manual_seed(7), load_file(source)
    for name in [key for key in tensors if key.endswith("lora_up.weight")]:
        down = name.replace("lora_up", "lora_down")
        asked = (tensors[name].flatten(1).float() @ tensors[down].flatten(1).float()).norm()
        drawn = [torch.randn(tensors[key].shape, generator=chance) for key in (name, down)]
        got = (drawn[0].flatten(1) @ drawn[1].flatten(1)).norm()
        share = (asked / got).sqrt()
        tensors[name], tensors[down] = ((one * share).to(tensors[name].dtype) for one in drawn)
    save_file(tensors, to)
    return to


def files_of(name: str, work: Path) -> list[Path]:
    """The person's fine-tunes, another person's first LoRA, and a random one."""
    own = [concept_folder(name) / f"{name}-{kind}.safetensors" for kind in KINDS]
    others = [one for one in CONCEPTS if one.name != name]
    other = min(others, key=lambda one: one.person.kind != concept(name).person.kind).name
    stranger = concept_folder(other) / f"{other}-lora-a.safetensors"
    return [*own, stranger, random_like(own[0], work / f"{name}-random.safetensors")]


def references_of(name: str) -> References:
    """The held-out photos, and one photo each of forty others of the same kind."""
    kind = concept(name).person.kind
    others = {
        f"other {seed}": draw_portrait(draw_person(9_500_000 + seed, kind), draw_scene(9_500_000 + seed))
        for seed in range(40)
    }
    return References(photos_of(concept_folder(name) / "references"), others)


def plan_of(name: str, files: Sequence[Path], engine: DiffusersEngine, references: References) -> Plan:
    """The study of one person: every scene a prompt."""
    scenes = (caption_of(concept(name).trigger, draw_scene(85_000 + number)) for number in range(4 * PROMPTS))
    parts = [
        identified(Part(file=str(path)), path).model_copy(update={"file": f"{kind}.safetensors"})
        for kind, path in zip(NAMES, files, strict=True)
    ]
    return Plan(
        base=origin_of(engine.base),
        models=tuple(part.model_copy(update={"file": str(path)}) for part, path in zip(parts, files, strict=True)),
        prompts=tuple(dict.fromkeys(scenes))[:PROMPTS],
        shot=Shot("", 0, steps=STEPS, guidance=GUIDANCE),
        scorer="lab",
        references=digest_of_references(references),
    )


def row(**strengths: float) -> tuple[float, ...]:
    """Strengths by name, as a study wants them."""
    return tuple(strengths.get(name.replace("-", "_"), 0.0) for name in NAMES)


def own_best(study: Study, kind: str) -> float:
    """The strength at which one model is likest, on the search's shots."""
    shots = search_shots(study.plan).take(range(SWEEP_SHOTS))
    means = {}
    for strength in SWEPT:
        mix = study.plan.mix(row(**{kind.replace("-", "_"): strength}))
        means[strength] = study.likeness(study.taker.take(mix, shots)).mean()
    return max(means, key=lambda one: means[one])


def arms_of(study: Study) -> dict[str, tuple[tuple[float, ...], int]]:
    """Every arm with its strengths and how many shots it gets."""
    best = {kind: own_best(study, kind) for kind in KINDS}
    arms = {f"{kind} {best[kind]:g}": (row(**{kind.replace("-", "_"): best[kind]}), SHOTS) for kind in KINDS}
    arms["lora-a × 1.4"] = row(lora_a=round(1.4 * best["lora-a"], 4)), SHOTS
    arms["lora-a + lora-b, 0.7 each"] = row(lora_a=0.7, lora_b=0.7), SHOTS
    arms["lora-a + loha, 0.7 each"] = row(lora_a=0.7, loha=0.7), SHOTS
    arms["lora-a + lora-b + loha, 0.5 each"] = row(lora_a=0.5, lora_b=0.5, loha=0.5), SHOTS
    arms["lora-a + another person's, 0.7 each"] = row(lora_a=0.7, unrelated=0.7), FEWER
    arms["lora-a + random, 0.7 each"] = row(lora_a=0.7, random=0.7), FEWER
    arms["no model"] = row(), FEWER
    return arms


def measure(name: str, work: Path, engine: DiffusersEngine) -> dict[str, object]:
    """All arms of one person."""
    references = references_of(name)
    calibration = calibrated("lab", references, redraw(engine.base, list(references.photos.values())))
    files = files_of(name, work)
    plan = plan_of(name, files, engine, references)
    company = Company(progress=lambda done, _: print(f"{name}: {done}", end="\r", flush=True))
    with begin(plan, work / name, Alone(engine), (calibration, Space(NAMES)), company) as study:
        arms = arms_of(study)
        fresh = confirmation_shots(plan)
        scores = {
            arm: study.taker.take(plan.mix(strengths), fresh.take(range(shots)))
            for arm, (strengths, shots) in arms.items()
        }
        prompts = [shot.prompt for shot in fresh.take(range(SHOTS))]
        singles = [
            arm
            for arm, (strengths, shots) in arms.items()
            if np.count_nonzero(strengths) == 1 and shots == SHOTS and "×" not in arm
        ]
        rival = max(singles, key=lambda arm: study.perfect(scores[arm]).mean())
        rows = [summary(study, arm, arms[arm][0], (scores[arm], scores[rival], prompts)) for arm in arms]
    photos = {
        part: float(np.mean([getattr(one, part) for one in calibration.leave_one_out]))
        for part in ("overall", "detail")
    }
    lines = {part: asdict(getattr(calibration.thresholds, part)) for part in photos}
    return {"name": name, "rival": rival, "lines": lines, "photos": photos, "rows": [asdict(one) for one in rows]}


def summary(
    study: Study, arm: str, strengths: Sequence[float], taken: tuple[Sequence[Score], Sequence[Score], Sequence[str]]
) -> Row:
    """One arm's numbers, against the best single on the shots that both have."""
    scores, rival, prompts = taken
    told = prompts[: len(scores)]
    rates = [hit_rate(hits, told) for hits in (study.perfect(scores), study.good(scores))]
    means = [
        mean_over_prompts(np.array([getattr(score, part) or 0.0 for score in scores]), told).interval()
        for part in ("overall", "detail")
    ]
    gain, p = None, None
    if scores is not rival:
        both = min(len(scores), len(rival))
        found = compare(study.perfect(scores[:both]), study.perfect(rival[:both]), prompts[:both], draws=0)
        gain, p = (found.interval.estimate, found.interval.low, found.interval.high), found.p_value
    named = {name: strength for name, strength in zip(NAMES, strengths, strict=True) if strength}
    four = [tuple(round(float(x), 4) for x in (one.estimate, one.low, one.high)) for one in (*rates, *means)]
    return Row(arm, named, len(scores), *four, gain and tuple(round(float(x), 4) for x in gain), p and round(p, 5))


def main() -> None:
    """Measures what the command line names, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--work", type=Path, help="keeps pictures and ledgers")
    parser.add_argument("--page", action="store_true", help="write the page from the data only")
    options = parser.parse_args()
    known = json.loads(DATA.read_text()) if DATA.exists() else {}
    if not options.page:
        options.work.mkdir(parents=True, exist_ok=True)
        with open_engine(Setup("lab", "cpu", batch=BATCH), print) as engine:
            for name in options.names or [one.name for one in CONCEPTS]:
                known[name] = measure(name, options.work, engine)
                DATA.write_text(json.dumps(known, indent=1) + "\n")
    PAGE.write_text(page(known))


if __name__ == "__main__":
    main()
