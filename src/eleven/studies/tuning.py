"""`tune`: the strengths that are perfect most often, and everything that is to be known before they are believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from eleven.studies.allotment import Allotment, allot
from eleven.studies.arms import Alone, arms_of, row_of
from eleven.studies.confirming import Confirmation, confirm
from eleven.studies.measuring import Asked, Measure
from eleven.studies.searching import Beginning, Step, drop_one, search, sweep
from eleven.studies.space import Space
from eleven.studies.study import Study

Row = tuple[float, ...]


@final
@dataclass(frozen=True)
class Searched:
    """The search step by step, each model alone, what was asked without one model each, and at other totals.

    `trials` are the mixes of the search with their stage; `best` is what the search found, before the check whether
    each model adds anything.
    """

    best: Row
    steps: tuple[Step, ...]
    alone: tuple[Alone, ...]
    trials: tuple[tuple[str, Asked], ...]
    dropped: tuple[Asked, ...]
    swept: tuple[Asked, ...]


@final
@dataclass(frozen=True, eq=False)
class Tuned:
    """The mix that was found, how, and what fresh shots say of it."""

    best: Row
    searched: Searched
    confirmation: Confirmation


def tune(study: Study) -> Tuned:
    """Searches, checks and confirms within the plan's budgets. UsageError where they are too small for it."""
    plan, space = study.plan, study.space
    shares = allot(plan.search, plan.confirmation, space.count)
    searched = find(study, shares)
    best = kept(study.measure, searched)
    confirmation = confirm(study, arms_of(space, best, searched.alone), shares.confirmation)
    return Tuned(best, searched, confirmation)


def find(study: Study, shares: Allotment) -> Searched:
    """The best mix by the search's own shots, with each model alone before it and the checks after it."""
    space, measure, seed = study.space, study.measure, study.plan.seed
    study.tell("each model alone")
    alone = tuple(best_alone(study, model, shares.alone) for model in range(space.count)) if shares.alone else ()
    study.tell("search")
    strongest = max((one.strength for one in alone), default=None)
    steps = tuple(search(space, measure, shares.search, seed, Beginning(single_best=strongest)))
    best = steps[-1].best
    if not alone:
        alone = (Alone(0, best[0], steps[-1].estimate),)
    study.tell("what each model adds, and other totals")
    shots = range(shares.check)
    dropped, swept = drop_one(space, best, shots), sweep(space, best, shots)
    measure([*dropped, *swept])
    trials = tuple((step.phase, one) for step in steps for one in step.asked)
    return Searched(best, steps, alone, trials, dropped, swept)


def best_alone(study: Study, model: int, budget: int) -> Alone:
    """One model's own best strength on the search's shots."""
    space, whole = study.space, study.measure

    def measure(asked: Sequence[Asked]) -> list[np.ndarray]:
        return whole([Asked(row_of(space, model, one.strengths[0]), one.shots) for one in asked])

    ranges = (space.strength_ranges[model],)
    single = Space((space.names[model],), ranges)
    last = list(search(single, measure, budget, study.plan.seed))[-1]
    return Alone(model, last.best[0], last.estimate)


def kept(measure: Measure, searched: Searched) -> Row:
    """The best mix, or the best of those without one model where that model adds nothing on the same shots."""
    if not searched.dropped:
        return searched.best
    means = [float(values.mean()) for values in measure(searched.dropped)]
    return searched.dropped[int(np.argmax(means))].strengths
