"""`tune`: the strengths that are perfect most often, and everything that is to be known before they are believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from eleven.amplification.reading import Reading
from eleven.steering import steer
from eleven.studies.allotment import Allotment, allot
from eleven.studies.arms import Alone, arms_of, row_of
from eleven.studies.collapse import PROBED, highest_total, noted, reading_of
from eleven.studies.confirming import Confirmation, confirm
from eleven.studies.effects import Effects, effects_of
from eleven.studies.measuring import Asked, Measure
from eleven.studies.plan import DIGITS
from eleven.studies.searching import Beginning, Step, drop_one, search, sweep
from eleven.studies.space import Space
from eleven.studies.study import Study
from eleven.suggestions.probe import predicted_total

Row = tuple[float, ...]
TRACE, FAINT = 0.05, 0.1
"""A strength below the first, or below this share of the total, shows in hardly any picture."""


@final
@dataclass(frozen=True)
class Searched:
    """The search step by step, each model alone, what was asked without one model each, and at other totals.

    `trials` are the mixes of the search with their stage; `best` is what the search found, before the check whether
    each model adds anything. `effects` are what each model carries near the mix, where enough was seen; `detail` is how
    far the mix was then steered by them. `reading` is what the collapse meter says of the mix that is confirmed.
    """

    best: Row
    steps: tuple[Step, ...]
    alone: tuple[Alone, ...]
    trials: tuple[tuple[str, Asked], ...]
    dropped: tuple[Asked, ...]
    swept: tuple[Asked, ...]
    effects: Effects | None = None
    detail: float = 0.0
    reading: Reading | None = None


@final
@dataclass(frozen=True, eq=False)
class Tuned:
    """The mix that was found, how, and what fresh shots say of it."""

    best: Row
    searched: Searched
    confirmation: Confirmation


def tune(study: Study, detail: float = 0.0) -> Tuned:
    """Searches, checks and confirms within the plan's budgets; what is confirmed is steered for this much more detail.

    UsageError where the budgets are too small for it.
    """
    plan, space = study.plan, study.space
    shares = allot(plan.search, plan.confirmation, space.count)
    searched = find(study, shares)
    best = kept(study.measure, searched)
    seen = [*(asked for _, asked in searched.trials), *searched.dropped, *searched.swept]
    searched = replace(searched, effects=effects_of(study, seen, best), detail=detail)
    best = steered(study, best, searched)
    searched = replace(searched, reading=reading_of(study, best, searched.alone))
    arms = arms_of(space, best, searched.alone, is_guided=study.is_guided)
    confirmation = confirm(study, arms, shares.confirmation)
    return Tuned(best, searched, confirmation)


def steered(study: Study, best: Row, searched: Searched) -> Row:
    """The best mix, moved for as much more detail as is asked for; it stays where nothing tells how."""
    if not searched.detail:
        return best
    if searched.effects is None:
        study.tell("too few mixes were seen to tell what each model carries: the mix is as it was found")
        return best
    effects = searched.effects.by_file([part.sha256 for part in study.plan.models])
    count = study.space.count
    found = (*steer(best[:count], effects, searched.detail, study.space.strength_ranges), *best[count:])
    if found == best:
        study.tell("no change of strengths surely gains detail and keeps the look: the mix is as it was found")
    return found


def find(study: Study, shares: Allotment) -> Searched:
    """The best mix by the search's own shots, with each model alone before it and the checks after it."""
    space, measure, seed = study.space, study.measure, study.plan.seed
    study.tell("each model alone")
    alone = tuple(best_alone(study, model, shares.alone) for model in range(space.count)) if shares.alone else ()
    beginning = begin_from(study, alone)
    if alone:
        space = space.capped(highest_total(study, alone, beginning.predicted_total))
    study.tell("search")
    steps = tuple(search(space, measure, shares.search, seed, beginning))
    best = without_traces(space, steps[-1].best)
    if not alone:
        alone = (Alone(0, best[0], steps[-1].estimate, best[1:], float(space.lifts(np.array([best]))[0])),)
    study.tell("what each model adds, and other totals")
    shots = range(shares.check)
    dropped, swept = drop_one(space, best, shots), sweep(space, best, shots)
    measure([*dropped, *swept])
    trials = tuple((step.phase, one) for step in steps for one in step.asked)
    return Searched(best, steps, alone, trials, dropped, swept)


def without_traces(space: Space, best: Row) -> Row:
    """The mix without models that are as good as not in it, where their ranges allow that, at the same total."""
    strengths = np.array(best[: space.count])
    low, high = (np.array(side) for side in zip(*space.strength_ranges, strict=True))
    least = min(max(TRACE, FAINT * strengths.sum()), strengths.max())
    kept = np.where((low == 0) & (strengths < least), 0.0, strengths)
    kept = np.minimum(np.round(kept * strengths.sum() / kept.sum(), DIGITS), high)
    return (*map(float, kept), *best[space.count :])


def begin_from(study: Study, alone: Sequence[Alone]) -> Beginning:
    """What is known before the search: how strong models are alone, and what a probe of the base says of mixes.

    That is the total that their overlap asks for, and the ratios that photos ask for where they are clear. It is told
    once and kept in the ledger, since the search depends on it to the last digit.
    """
    strongest = max((one.counted for one in alone), default=None)
    if study.probe is None or not alone:
        return Beginning(single_best=strongest)
    told = noted(study, PROBED)
    if told is None:
        study.tell("how much the models have in common")
        found = study.probe()
        told = " ".join(f"{number:.4f}" for number in (found.overlap, *found.ratios))
        study.taker.ledger.note(PROBED, told)
    shared, *ratios = map(float, told.split())
    single = sum(one.counted for one in alone) / len(alone)
    return Beginning(predicted_total(single, shared, len(alone)), strongest, tuple(ratios))


def best_alone(study: Study, model: int, budget: int) -> Alone:
    """One model's own best strength, and knobs, on the search's shots."""
    space, whole = study.space, study.measure

    def measure(asked: Sequence[Asked]) -> list[np.ndarray]:
        rows = [(row_of(space, model, one.strengths[0]) + one.strengths[1:], one.shots) for one in asked]
        return whole([Asked(row, shots) for row, shots in rows])

    ranges = (space.strength_ranges[model],)
    single = Space((space.names[model],), ranges, knobs=space.knobs)
    last = list(search(single, measure, budget, study.plan.seed))[-1]
    return Alone(model, last.best[0], last.estimate, last.best[1:], float(single.lifts(np.array([last.best]))[0]))


def kept(measure: Measure, searched: Searched) -> Row:
    """The best mix, or the best of those without one model where that model adds nothing on the same shots."""
    if not searched.dropped:
        return searched.best
    means = [float(values.mean()) for values in measure(searched.dropped)]
    return searched.dropped[int(np.argmax(means))].strengths
