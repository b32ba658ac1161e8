"""`Stand`: one of the lab's people with all models, references, prompts and a ledger that keeps every picture."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from eleven.engines.diffusers import DiffusersEngine
from eleven.engines.engine import Engine, Shot
from eleven.engines.redrawing import redraw
from eleven.exports.baking import identified
from eleven.lab.captions import caption_of
from eleven.lab.people import CONCEPTS, Concept
from eleven.lab.person import draw_person
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import draw_scene
from eleven.mix import Mix, Part
from eleven.scorers.references import photos_of
from eleven.scorers.scorer import References, Score
from eleven.sheets.recipe import origin_of
from eleven.studies.beginning import Calibration, Company, begin, calibrated
from eleven.studies.making import Alone
from eleven.studies.plan import Plan, digest_of_references
from eleven.studies.shots import confirmation_shots, search_shots
from eleven.studies.space import Space
from eleven.studies.study import Study
from proving.training import PEOPLE

STEPS, GUIDANCE, BATCH = 12, 3.0, 16
PROMPTS = 120
SWEPT = (0.8, 1.0, 1.2, 1.4)
SWEEP_SHOTS = 24
WORD, UNRELATED, RANDOM = "word", "unrelated", "random"
Strengths = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Stand:
    """One person's study; models are called by what they are: lora-a, loha, word …"""

    concept: Concept
    study: Study
    calibration: Calibration
    parts: Mapping[str, Part]

    def mix(self, strengths: Strengths, **more: object) -> Mix | None:
        """The models at these strengths; `more` are other fields of the mix, such as its method, or of every part."""
        active = {kind: strength for kind, strength in strengths.items() if strength}
        told = {name: value for name, value in more.items() if name in Part.model_fields}
        parts = [self.parts[kind].model_copy(update={"strength": round(at, 4), **told}) for kind, at in active.items()]
        rest = {name: value for name, value in more.items() if name not in told}
        return Mix.model_validate({"parts": tuple(parts), **rest}) if parts else None

    def shots(self, numbers: Iterable[int], strengths: Strengths, *, searched: bool = False) -> list[Shot]:
        """Fresh shots, or those to choose strengths by; a textual inversion is called by its name."""
        plan = self.study.plan
        shots = (search_shots(plan) if searched else confirmation_shots(plan)).take(numbers)
        if not strengths.get(WORD):
            return shots
        name = Path(self.parts[WORD].file).stem
        called = name if len([one for one in strengths.values() if one]) == 1 else f"sks {name}"
        return [replace(shot, prompt=shot.prompt.replace("sks", called)) for shot in shots]

    def scores(self, strengths: Strengths, count: int, *, searched: bool = False, **more: object) -> list[Score]:
        """Scores of so many shots of a mix."""
        return self.study.taker.take(
            self.mix(strengths, **more), self.shots(range(count), strengths, searched=searched)
        )

    def prompts(self, count: int) -> list[str]:
        """What each fresh shot asks for."""
        return [shot.prompt for shot in self.shots(range(count), {})]

    def own_best(self, kind: str, swept: Sequence[float] = SWEPT) -> float:
        """The strength at which one model is likest, on shots that no result is told from."""
        means = {at: self.likeness({kind: at}, SWEEP_SHOTS) for at in swept}
        return max(means, key=lambda at: means[at])

    def likeness(self, strengths: Strengths, count: int, **more: object) -> float:
        """The mean likeness on shots that no result is told from."""
        return float(self.study.likeness(self.scores(strengths, count, searched=True, **more)).mean())


@contextmanager
def open_stand(concept: Concept, work: Path, engine: DiffusersEngine, maker: Engine | None = None) -> Generator[Stand]:
    """The person with everything that is known of it; `maker` makes the pictures where it is not the engine itself."""
    references = references_of(concept)
    calibration = calibrated("lab", references, redraw(engine.base, list(references.photos.values())))
    parts = {kind: part_of(path) for kind, path in models_of(concept, work).items()}
    plan = Plan(
        base=origin_of(engine.base),
        models=tuple(parts[kind] for kind in ("lora-a", "lora-b", "loha")),
        prompts=prompts_of(concept),
        shot=Shot("", 0, steps=STEPS, guidance=GUIDANCE),
        scorer="lab",
        references=digest_of_references(references),
    )
    company = Company(progress=lambda done, _: print(f"{concept.name}: {done}", end="\r", flush=True), batch=BATCH)
    place = work / (concept.name if maker is None else f"{concept.name}-{type(maker).__name__}")
    space = Space(("lora-a", "lora-b", "loha"))
    with begin(plan, place, Alone(maker or engine), (calibration, space), company) as study:
        yield Stand(concept, study, calibration, parts)


def part_of(path: Path) -> Part:
    """The file as a part at strength 1, known by its hash."""
    return identified(Part(file=str(path)), path).model_copy(update={"file": str(path)})


def models_of(concept: Concept, work: Path) -> dict[str, Path]:
    """Every model of the person that is there, another person's first LoRA, and a random one."""
    found = {
        path.stem.removeprefix(f"{concept.name}-"): path
        for path in sorted(PEOPLE.glob(f"{concept.name}/*.safetensors"))
    }
    found |= {
        path.stem.removeprefix(f"{concept.name}-"): path
        for path in sorted((work / "models").glob(f"{concept.name}-*.safetensors"))
    }
    others = [one for one in CONCEPTS if one.name != concept.name]
    other = min(others, key=lambda one: one.person.kind != concept.person.kind).name
    found[UNRELATED] = PEOPLE / other / f"{other}-lora-a.safetensors"
    found[RANDOM] = random_like(found["lora-a"], work / f"{concept.name}-random.safetensors")
    return found


def references_of(concept: Concept) -> References:
    """The held-out photos, and one photo each of forty others of the same kind."""
    kind = concept.person.kind
    others = {
        f"other {seed}": draw_portrait(draw_person(9_500_000 + seed, kind), draw_scene(9_500_000 + seed))
        for seed in range(40)
    }
    return References(photos_of(PEOPLE / concept.name / "references"), others)


def prompts_of(concept: Concept) -> tuple[str, ...]:
    """Every scene a prompt."""
    scenes = (caption_of(concept.trigger, draw_scene(85_000 + number)) for number in range(4 * PROMPTS))
    return tuple(dict.fromkeys(scenes))[:PROMPTS]


def random_like(source: Path, to: Path) -> Path:
    """A LoRA of random directions whose changes have the norms of another one's."""
    if to.exists():
        return to
    chance, tensors = torch.Generator().manual_seed(7), load_file(source)
    for name in [key for key in tensors if key.endswith("lora_up.weight")]:
        down = name.replace("lora_up", "lora_down")
        asked = (tensors[name].flatten(1).float() @ tensors[down].flatten(1).float()).norm()
        drawn = [torch.randn(tensors[key].shape, generator=chance) for key in (name, down)]
        got = (drawn[0].flatten(1) @ drawn[1].flatten(1)).norm()
        share = (asked / got).sqrt()
        tensors[name], tensors[down] = ((one * share).to(tensors[name].dtype) for one in drawn)
    to.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, to)
    return to
