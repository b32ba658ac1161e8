"""The main job: a base, several fine-tunes and reference photos become the best mix, the evidence and one file."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import final

from eleven.amplification.alarm import sample
from eleven.amplification.grams import Grams
from eleven.engines.diffusers import DiffusersEngine
from eleven.engines.engine import Shot
from eleven.engines.guiding import is_guided
from eleven.engines.opening import Setup, open_engine, openers
from eleven.engines.probing import clear_ratios, inputs_for, products
from eleven.engines.redrawing import redraw
from eleven.errors import UsageError
from eleven.exports.baking import identified
from eleven.mix import Mix, Part
from eleven.reports.inspection import inspect_file
from eleven.reports.study_folder import Baking, Left, write_results
from eleven.reports.study_settings import SECONDS, case_of
from eleven.scorers.references import photos_of, read_references
from eleven.sheets.credits import model_of
from eleven.sheets.recipe import origin_of
from eleven.studies.allotment import allot, split
from eleven.studies.arms import Arm
from eleven.studies.beginning import Calibration, Company, Training, Workers, begin, calibrated, short_names
from eleven.studies.comparing import compare_arms
from eleven.studies.ledger import FILE, read_ledger
from eleven.studies.making import Alone, Maker, Stopwatch
from eleven.studies.plan import Plan, digest_of_references
from eleven.studies.prompts import default_prompts
from eleven.studies.space import NEGATIVE, STRENGTHS, Knob, Range, Space
from eleven.studies.study import Probed, Study
from eleven.studies.tuning import tune
from eleven.studies.workers import open_crew
from eleven.suggestions.probe import shared

PICTURES = 200
"""Of the usual budget, for each arm of a comparison; for a search, for each model and once more."""


@final
@dataclass(frozen=True)
class Photos:
    """The reference photos, those of others, what scores them (`auto`: as fits the base), and the concept's words.

    Without a trigger, the first model's surest trigger word is said in prompts. `training` are the photos that the
    models were trained on, where they are known, and whether a picture that repeats one of them is a miss.
    """

    folder: Path
    impostors: Path | None = None
    scorer: str = "auto"
    trigger: str = ""
    training: tuple[Path | None, bool] = (None, False)


@final
@dataclass(frozen=True)
class Wish:
    """Prompts (none: the usual), how pictures are taken, weights, budget (0: the usual), seed, ranges by name, knobs.

    The budget is in pictures, or else in minutes of this machine. `detail`, from -1 to 1, steers what was found.
    """

    prompts: tuple[str, ...] = ()
    shot: Shot = field(default_factory=lambda: Shot("", 0))
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    budget: int = 0
    minutes: float = 0.0
    seed: int = 0
    ranges: Mapping[str, Range] = field(default_factory=dict[str, Range])
    detail: float = 0.0
    knobs: tuple[Knob, ...] = ()


@final
@dataclass(frozen=True, eq=False)
class Bench:
    """A base, models and photos, opened and checked, before any picture is made; made by `open_bench`."""

    engine: DiffusersEngine
    models: tuple[Path, ...]
    calibration: Calibration
    trigger: str
    wish: Wish
    company: Company
    maker: Maker
    grams: Grams | None
    """What the models change, by a sample of their layers."""

    def tuning(self, to: Path) -> Plan:
        """What a search for the best mix in that folder will be. UsageError for a budget that is too small."""
        search, confirmation = split(self._budget(to, len(self.models) + 1))
        allot(search, confirmation, len(self.models))
        return self._plan(search, confirmation)

    def tune(self, to: Path, command: str = "", *, bake: bool = True) -> Left:
        """The best mix in the study's folder, confirmed on fresh shots; an interrupted study is gone on with."""
        with self._begun(self.tuning(to), to) as (study, finish):
            tuned = tune(study, self.wish.detail)
            finish()
            baking = Baking(self.engine.base.path) if bake else None
            case = case_of(study, self.calibration, self.trigger, command)
            return write_results(study, tuned.confirmation, case, tuned.searched, baking)

    def compare(self, arms: Sequence[Arm], to: Path, command: str = "") -> Left:
        """Arms beside each other on the same shots."""
        with self._begun(self._plan(0, self._budget(to, len(arms))), to) as (study, finish):
            confirmation = compare_arms(study, arms)
            finish()
            return write_results(study, confirmation, case_of(study, self.calibration, self.trigger, command))

    def _budget(self, to: Path, arms: int) -> int:
        """Pictures: as asked, as minutes buy (once: a study that was begun keeps them), or the usual."""
        if not self.wish.minutes:
            return self.wish.budget or PICTURES * arms
        if (to / FILE).exists():
            with read_ledger(to) as ledger:
                return ledger.plan.search + ledger.plan.confirmation
        return int(60 * self.wish.minutes / self._seconds())

    def _seconds(self) -> float:
        """How long one picture takes in a full batch, by two of them, of which the first warms the machine."""
        shots = [replace(self.wish.shot, prompt=self.trigger, seed=seed) for seed in range(self.company.batch)]
        job = tuple((None, shot) for shot in shots)
        list(self.maker.map([job]))
        begun = time.monotonic()
        list(self.maker.map([job]))
        return (time.monotonic() - begun) / len(job)

    def _probe(self, plan: Plan) -> Probed:
        """How much the models have in common on the reference photos, and who helps how much where that is clear."""
        mixes = [Mix(parts=(part,)) for part in plan.models]
        photos = list(self.calibration.references.photos.values())
        inputs = inputs_for(self.engine, mixes, photos, replace(plan.shot, prompt=self.trigger))
        found = products(self.engine, mixes, inputs)
        return Probed(shared(found.probe()), clear_ratios(found))

    def _plan(self, search: int, confirmation: int) -> Plan:
        parts = [identified(Part(file=str(path)), path) for path in self.models]
        named = zip(parts, self.models, strict=True)
        return Plan(
            base=origin_of(self.engine.base),
            models=tuple(part.model_copy(update={"file": str(path)}) for part, path in named),
            prompts=self.wish.prompts or default_prompts(self.engine.base.family_name, self.trigger),
            seed=self.wish.seed,
            shot=self.wish.shot,
            scorer=self.calibration.scorer.name,
            references=digest_of_references(self.calibration.references),
            objective=dict(self.wish.weights),
            options={f"range {name}": f"{low:g}..{high:g}" for name, (low, high) in self.wish.ranges.items()},
            knobs=self.wish.knobs,
            search=search,
            confirmation=confirmation,
        )

    @contextmanager
    def _begun(self, plan: Plan, to: Path) -> Generator[tuple[Study, Callable[[], None]]]:
        """The study at work, and a function that notes in its ledger how long it took until now."""
        models = {part.sha256: model_of(path) for part, path in zip(plan.models, self.models, strict=True)}
        watch, begun = Stopwatch(self.maker), time.monotonic()
        company = replace(self.company, models=models, probe=partial(self._probe, plan))
        company = replace(company, grams=self.grams, is_guided=is_guided(self.engine, plan.shot))
        space = space_of([path.stem for path in self.models], self.wish)
        with begin(plan, to, watch, (self.calibration, space), company) as study:

            def finish() -> None:
                study.taker.recorder.wait()
                study.taker.ledger.note(SECONDS, f"{time.monotonic() - begun:.3f} {watch.seconds:.3f}")

            yield study, finish


@contextmanager
def open_bench(
    setup: Setup, models: Sequence[Path], photos: Photos, wish: Wish, company: Company | None = None
) -> Generator[Bench]:
    """Everything opened that the main job needs. Every ElevenError of bases, photos, scorers and files.

    Lines between hit and miss are drawn by the photos as the base's autoencoder returns them. Every model is opened, so
    that one that does not fit is named before a picture is made.
    """
    company = company or Company(batch=setup.batch)
    space_of([path.stem for path in models], wish)
    if len({path.resolve() for path in models}) < len(models):
        raise UsageError("a model is named twice.", hint="Name each once.")
    trigger = photos.trigger or trigger_of(models)
    references, training = read_references(photos.folder, photos.impostors), training_of(*photos.training)
    places = {address: 1.0 for knob in wish.knobs for address in knob.addresses if address != NEGATIVE}
    with open_engine(setup, company.tell) as engine:
        if any(knob.is_share for knob in wish.knobs) and not is_guided(engine, wish.shot):
            told = f"{engine.base.family_name} at a guidance of {wish.shot.guidance:g} predicts for no negative prompt."
            raise UsageError(told, hint="Leave --knob negative out, or guide by more than 1.")
        for path in models:
            engine.combination(Mix(parts=(Part(file=str(path), at=places),)))
        opened = engine.combination(Mix(parts=tuple(Part(file=str(path)) for path in models)))
        grams = sample([finetune for _, finetune in opened.parts]) if opened else None
        shown = redraw(engine.base, list(references.photos.values()))
        calibration = calibrated(scorer_for(photos.scorer, engine.base.family_name), references, shown, training)
        for one in calibration.advice:
            company.tell(f"note: {one.text} {one.hint}")
        with open_maker(setup, company.workers, engine) as maker:
            yield Bench(engine, tuple(models), calibration, trigger, wish, company, maker, grams)


@contextmanager
def open_maker(setup: Setup, workers: Workers, engine: DiffusersEngine) -> Generator[Maker]:
    """This process alone, so many processes, or actors of a Ray cluster."""
    if workers.address:
        from eleven.studies.ray_workers import open_ray_crew

        gpus = 1 if engine.base.device.type == "cuda" else 0
        opener = openers(setup, workers.count)[0]
        with open_ray_crew(opener, workers.count, address=workers.address, gpus=gpus) as crew:
            yield crew
    elif workers.count > 1:
        with open_crew(openers(setup, workers.count)) as crew:
            yield crew
    else:
        yield Alone(engine)


def space_of(names: Sequence[str], wish: Wish) -> Space:
    """The space of strengths of models of these names. UsageError for the range of a model that is not there."""
    short, ranges = short_names(names), wish.ranges
    strange = next((name for name in ranges if name not in short), None)
    if strange is not None:
        raise UsageError(f"there is no model {strange!r} to give a range.", hint=f"There are {', '.join(short)}.")
    return Space(short, tuple(ranges.get(name, STRENGTHS) for name in short) if ranges else (), knobs=wish.knobs)


def training_of(folder: Path | None, refuse_copies: bool) -> Training:
    """The training photos, none where their folder is not known. UsageError where copies are refused without it."""
    if folder is None and refuse_copies:
        raise UsageError("copies of unknown photos cannot be told.", hint="Give the folder with --training.")
    return Training(photos_of(folder) if folder else {}, refuse_copies)


def scorer_for(name: str, family: str) -> str:
    """The scorer that is asked for; `auto` is the lab's own in the lab, and the one for any concept elsewhere."""
    return name if name != "auto" else "lab" if family == "lab" else "concept"


def trigger_of(models: Sequence[Path]) -> str:
    """The surest trigger word of the first model that has one. UsageError where none has."""
    for path in models:
        words = inspect_file(path).trigger_words
        if words:
            return words[0].text
    raise UsageError("no model tells its trigger word.", hint='Give --trigger, such as "sks person".')
