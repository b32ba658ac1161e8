"""What `eleven tune`, `compare` and `demo` are made of: the study's ingredients, its progress, and what it left."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from eleven.cli.console import WORDS, meter, note, note_resumption, show, show_json
from eleven.cli.generating import Setup, open_engine
from eleven.engines.engine import Shot
from eleven.errors import UsageError
from eleven.mix import Part

if TYPE_CHECKING:
    from eleven.engines.diffusers import DiffusersEngine
    from eleven.reports.study_folder import Left
    from eleven.reports.study_view import Case
    from eleven.sheets.recipe import Origin
    from eleven.studies.arms import Arm
    from eleven.studies.beginning import Calibration
    from eleven.studies.plan import Plan
    from eleven.studies.study import Study

PICTURES_PER_MODEL = 200
"""Of the default budget, where one model more counts for those that a study takes anyway."""


@dataclass(frozen=True)
class Photos:
    """The reference photos, those of others, what scores them, and what the concept is called in prompts."""

    folder: Path
    impostors: Path | None = None
    scorer: str = "auto"
    trigger: str = ""


@dataclass(frozen=True)
class Wish:
    """What is asked of a study: prompts, how pictures are taken, weights, budget in pictures (0: the usual), seed."""

    prompts: tuple[str, ...] = ()
    shot: Shot = field(default_factory=lambda: Shot("", 0))
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    budget: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Target:
    """Where the result goes, and how it is shown."""

    to: Path
    bake: bool = True
    dry: bool = False
    as_json: bool = False


def study(setup: Setup, models: Sequence[Path], photos: Photos, wish: Wish, target: Target) -> Left | None:
    """Finds the best mix of the models, confirms it and shows what was left; None for a dry run."""
    from eleven.studies.allotment import allot, split
    from eleven.studies.tuning import tune

    search, confirmation = split(wish.budget or PICTURES_PER_MODEL * (len(models) + 1))
    shares = allot(search, confirmation, len(models))
    told = f"{search} pictures to search, up to {confirmation} to confirm ({shares.confirmation} fresh shots an arm)"
    with prepared(setup, models, photos, wish, target) as bench:
        plan = bench.plan(search, confirmation)
        note(f"{len(models)} models, {len(plan.prompts)} prompts, scored by {bench.calibration.scorer.name}: {told}.")
        if target.dry:
            return None
        with bench.begun(plan) as running:
            tuned = tune(running)
            left = bench.leave(running, tuned.confirmation, tuned.searched)
    report(left, target)
    return left


def compared(setup: Setup, arms: Sequence[Arm], models: Sequence[Path], wished: tuple[Photos, Wish, Target]) -> Left:
    """Measures the arms beside each other and shows what was left."""
    from eleven.studies.comparing import compare_arms

    photos, wish, target = wished
    budget = wish.budget or PICTURES_PER_MODEL * len(arms)
    with prepared(setup, models, photos, wish, target) as bench, bench.begun(bench.plan(0, budget)) as running:
        left = bench.leave(running, compare_arms(running, arms), None)
    report(left, target)
    return left


@dataclass(frozen=True, eq=False)
class Bench:
    """Everything opened that a study needs."""

    engine: DiffusersEngine
    origin: Origin
    models: Sequence[Path]
    calibration: Calibration
    wishes: tuple[Photos, Wish, Target, Setup]
    trigger: str

    def plan(self, search: int, confirmation: int) -> Plan:
        """What is asked, with these budgets."""
        from eleven.exports.baking import identified
        from eleven.studies.plan import Plan, digest_of_references
        from eleven.studies.prompts import default_prompts

        wish = self.wishes[1]
        parts = [identified(Part(file=str(path)), path) for path in self.models]
        return Plan(
            base=self.origin,
            models=tuple(
                part.model_copy(update={"file": str(path)}) for part, path in zip(parts, self.models, strict=True)
            ),
            prompts=wish.prompts or default_prompts(self.engine.base.family_name, self.trigger),
            seed=wish.seed,
            shot=wish.shot,
            scorer=self.calibration.scorer.name,
            references=digest_of_references(self.calibration.references),
            objective=dict(wish.weights),
            search=search,
            confirmation=confirmation,
        )

    @contextmanager
    def begun(self, plan: Plan) -> Generator[Study]:
        """The study behind a bar with the time left; interrupted, it tells how to go on."""
        from eleven.sheets.credits import model_of
        from eleven.studies.beginning import Company, begin
        from eleven.studies.making import Alone, Stopwatch

        _, _, target, setup = self.wishes
        for one in self.calibration.advice:
            note(f"note: {one.text} {one.hint}")
        models = {part.sha256: model_of(path) for part, path in zip(plan.models, self.models, strict=True)}
        watch, begun = Stopwatch(Alone(self.engine)), time.monotonic()
        try:
            with meter("pictures", plan.search + plan.confirmation) as advance:
                company = Company(lambda phase: note(f"  {phase}"), steps_of(advance), models, setup.batch)
                with begin(plan, target.to, watch, self.calibration, company) as running:
                    yield running
                    running.taker.ledger.note("seconds", f"{time.monotonic() - begun:.3f} {watch.seconds:.3f}")
        except KeyboardInterrupt:
            note_resumption("The study is not done; every picture that was made is kept. Go on with:")
            raise

    def leave(self, running: Study, confirmation: object, searched: object) -> Left:
        """The result, written."""
        from eleven.reports.study_folder import Baking, write_results
        from eleven.studies.confirming import Confirmation
        from eleven.studies.tuning import Searched

        assert isinstance(confirmation, Confirmation)
        assert searched is None or isinstance(searched, Searched)
        running.taker.recorder.wait()
        baking = Baking(self.engine.base.path) if self.wishes[2].bake else None
        return write_results(running, confirmation, self._case(running), searched, baking)

    def _case(self, running: Study) -> Case:
        """What the page tells beside the pictures."""
        from eleven.reports.study import HashedFile, Setting, Snippet, Spending
        from eleven.reports.study_view import Case

        plan, ledger = running.plan, running.taker.ledger
        spent = [tuple(map(float, one.text.split())) for one in ledger.notes() if one.kind == "seconds"]
        shot = plan.shot
        settings = {
            "sampler": shot.sampler or "the base's own",
            "steps": str(shot.steps),
            "guidance": f"{shot.guidance:g}",
            "scorer": plan.scorer,
            "weights": ", ".join(f"{name} {value:g}" for name, value in plan.objective.items()) or "the usual",
            "seed": str(plan.seed),
            "perfect": self.calibration.thresholds.overall.perfect_from,
        }
        references = self.calibration.references.photos
        return Case(
            concept=self.trigger,
            techniques=tuple(techniques_of(path) for path in self.models),
            calibration=self.calibration,
            spending=Spending(
                f"{plan.search + plan.confirmation} pictures",
                ledger.count,
                0,
                sum(one[0] for one in spent),
                sum(one[1] for one in spent),
            ),
            commands=(Snippet("the same again", shlex.join(["eleven", *WORDS.get()])),),
            settings=tuple(Setting(name, value) for name, value in settings.items()),
            files=(
                HashedFile("base", plan.base.name, plan.base.sha256),
                *(
                    HashedFile("reference", name, sha256(photo.tobytes()).hexdigest())
                    for name, photo in references.items()
                ),
            ),
        )


def techniques_of(path: Path) -> str:
    """The techniques of a file, as `eleven inspect` tells them."""
    from eleven.reports.inspection import inspect_file

    return ", ".join(inspect_file(path).techniques) or "none"


@contextmanager
def prepared(setup: Setup, models: Sequence[Path], photos: Photos, wish: Wish, target: Target) -> Generator[Bench]:
    """The base, the references and what they draw lines with; everything that can be refused is, before any picture."""
    from eleven.engines.diffusers import DiffusersEngine
    from eleven.engines.redrawing import redraw
    from eleven.scorers.references import read_references
    from eleven.studies.beginning import calibrated

    if len({path.resolve() for path in models}) < len(models):
        raise UsageError("a model is named twice.", hint="Name each once.")
    references = read_references(photos.folder, photos.impostors)
    with open_engine(setup) as (engine, origin):
        assert isinstance(engine, DiffusersEngine)
        scorer = scorer_for(photos.scorer, engine.base.family_name)
        shown = redraw(engine.base, list(references.photos.values()))
        calibration = calibrated(scorer, references, shown)
        trigger = photos.trigger or trigger_of(models)
        yield Bench(engine, origin, models, calibration, (photos, wish, target, setup), trigger)


def scorer_for(name: str, family: str) -> str:
    """The scorer that is asked for; `auto` is the lab's own in the lab, and the one for any concept elsewhere."""
    if name != "auto":
        return name
    return "lab" if family == "lab" else "concept"


def trigger_of(models: Sequence[Path]) -> str:
    """The surest trigger word of the first model that has one. UsageError where none has."""
    from eleven.reports.inspection import inspect_file

    for path in models:
        words = inspect_file(path).trigger_words
        if words:
            return words[0].text
    raise UsageError("no model tells its trigger word.", hint='Give --trigger, such as "sks person".')


def steps_of(advance: Callable[..., None]) -> Callable[[int, int], None]:
    """A bar's step for every picture that has come since the last call."""
    before = [0]

    def step(done: int, planned: int) -> None:
        for _ in range(done - before[0]):
            advance(planned)
        before[0] = done

    return step


def report(left: Left, target: Target) -> None:
    """The verdict and where everything is."""
    if target.as_json:
        show_json(left)
        return
    show(left.verdict.sentence)
    for what, path in (("page", left.report), ("recipe", left.recipe), ("adapter", left.adapter)):
        if path is not None:
            show(f"  {what}: {path}")


GUIDANCE = 7.0


def template(words: tuple[str, str, str, str | None], steps: int, guidance: float | None) -> Shot:
    """How every picture is taken: negative prompt, sampler, schedule and size as they are typed."""
    from eleven.engines.shot_text import parse_size, sampled_by

    negative, sampler, schedule, size = words
    width, height = parse_size(size) if size else (0, 0)
    told = GUIDANCE if guidance is None else guidance
    return Shot("", 0, negative, *sampled_by(sampler, schedule), steps, told, width, height)


def weights_of(texts: Sequence[str]) -> dict[str, float]:
    """Weights as they are typed. UsageError for what is none."""
    from eleven.studies.objective import Weights

    known = Weights()
    found: dict[str, float] = {}
    for text in (piece for given in texts for piece in given.split(",")):
        name, _, value = text.strip().partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = float("nan")
        if not hasattr(known, name) or found[name] != found[name]:
            raise UsageError(f"--weight is {text!r}.", hint="Write likeness=1, detail=1 or prompt=0.5.")
    Weights(**found)
    return found


def arms_given(texts: Sequence[str]) -> tuple[list[Path], list[Arm]]:
    """The files of all arms, each once, and the arms as strengths of these files."""
    from eleven.mix_text import parse_mix
    from eleven.studies.arms import Arm

    mixes = [parse_mix(shlex.split(text)) if text.strip() != "none" else None for text in texts]
    parts = [part for mix in mixes if mix for part in mix.parts]
    if any(part.at for part in parts) or any(mix.method != "sum" for mix in mixes if mix):
        raise UsageError("an arm has strengths by block, or a method.", hint="Give one strength for each file.")
    files = list(dict.fromkeys(part.file for part in parts))
    rows = [{part.file: part.strength for part in mix.parts} if mix else {} for mix in mixes]
    strengths = [tuple(row.get(file, 0.0) for file in files) for row in rows]
    if len(set(strengths)) < len(strengths):
        raise UsageError("two arms are the same.", hint="Give each once.")
    return [Path(file) for file in files], [Arm(text, "given", row) for text, row in zip(texts, strengths, strict=True)]
