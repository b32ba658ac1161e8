"""`search`: the strengths that give the best likeness, for a number of pictures; docs/search.md tells how and how well.

The same seed and the same likenesses give the same steps, so a search that was cut off is taken up by running it
again over what is already known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.errors import UsageError
from eleven.studies.account import Account, Row
from eleven.studies.beliefs import Beliefs, form, most_telling
from eleven.studies.measuring import Asked, Measure
from eleven.studies.racing import heats, nearby, survivors
from eleven.studies.space import Space, distinct, starts, usual_total

Floats = NDArray[np.float64]

START_SHARE = 0.25
"""How much of the budget the starts may take."""

TOTALS_TRIED = 3
"""How many of the totals at equal strengths come before models alone and the screening mixes."""

SCREENS, SCREEN_FACTOR = 4, 3.0
"""How many more screening mixes than models there are, and how many times stronger half of their models are."""

ROUND_PICTURES, MIXES_AT_MOST = 16, 200
"""How many pictures a round has, and how many mixes the model of likeness is fitted to."""

BEYOND = 1.15
"""How many times stronger than usual, or than the best so far, a mix may be that is tried."""

CAUTION = 1.5
"""By how many standard errors each likeness is taken lower in the end: the highest estimate is mostly too high."""

LEADERS, LOCAL, GLOBAL = 4, 15, 120
SPREADS = (0.1, 0.25, 0.5)
FINE_SPREADS, FINE = (0.3, 0.2, 0.1, 0.1, 0.05), 60


@final
@dataclass(frozen=True)
class Step:
    """How far a search is: `best` holds strengths and then knobs, `estimate` its likeness with its standard error."""

    phase: str
    used: int
    asked: tuple[Asked, ...]
    best: tuple[float, ...]
    estimate: float
    error: float
    max_total: float


@final
@dataclass(frozen=True, eq=False)
class Beginning:
    """Known before the first picture: the total that predictions ask for, and the best strength of one model alone.

    `ratios` are the models' shares of the total that predictions ask for, none where they do not tell.
    """

    predicted_total: float | None = None
    single_best: float | None = None
    ratios: tuple[float, ...] = ()


def search(
    space: Space, measure: Measure, budget: int, seed: int = 0, beginning: Beginning | None = None
) -> Iterator[Step]:
    """Steps until the budget is used up; the last one, of phase "done", has the mix that is believed to be the best."""
    if budget < 1:
        raise UsageError(f"a search of {budget} pictures finds nothing.", hint="Give a budget of at least 1.")
    known = beginning or Beginning()
    search = _Search(space, Account(measure, budget), known, np.random.default_rng(seed))
    yield from search.race()
    while search.account.left > 0:
        yield search.improve()
    yield search.step("done", ())


class _Search:
    """The state of one search; beliefs and the best mix are those of the last step."""

    beliefs: Beliefs
    best: Floats

    def __init__(self, space: Space, account: Account, known: Beginning, draw: np.random.Generator) -> None:
        self.space = space
        self.account = account
        self.draw = draw
        self.known = known
        self.total = usual_total(space, known.predicted_total)
        self.next_shot = 0
        floor = -(-account.budget // MIXES_AT_MOST)
        self.shots = max(2, 1 << (floor - 1).bit_length()) if account.budget > 1 else 1

    def race(self) -> Iterator[Step]:
        """Heats of the starts on the first block; as many starts as their share of the budget allows."""
        share = max(int(self.account.budget * START_SHARE), 1)
        rows = self._entrants()[: max(share // self.shots, 1)]
        done = 0
        for shots in heats(len(rows), share):
            asked = self.account.ask(rows, range(done, shots))
            yield self.step("starts" if done == 0 else "race", asked)
            table = dict(zip(self.account.known, self.account.values(), strict=True))
            measured = [row for row in rows if tuple(row) in table]
            values = np.array([table[tuple(row)][:shots] for row in measured])
            whole = ~np.isnan(values).any(1)
            rows = [measured[index] for index in survivors(values)] if whole.all() else measured
            done = shots
        self.next_shot = done

    def improve(self) -> Step:
        """One round of what tells most about where the best is, all of it on the same fresh shots."""
        beliefs, best = self.beliefs, self.best
        near = [nearby([best], spread, LOCAL, self.draw) for spread in SPREADS]
        rows = self._allowed(np.vstack([best, self._candidates(beliefs), self.space.clip(np.vstack(near))]))
        count = max(min(ROUND_PICTURES, self.account.left) // self.shots, 1)
        picked = most_telling(beliefs, rows, count, self.shots)
        shots = range(self.next_shot, self.next_shot + self.shots)
        self.next_shot += self.shots
        return self.step("search", self.account.ask([rows[index] for index in picked], shots))

    def step(self, phase: str, asked: tuple[Asked, ...]) -> Step:
        """The present state; the best is what is believed to be perfect most often, not the luckiest mix."""
        self.beliefs = self._beliefs()
        self.best = self._find_best(self.beliefs, CAUTION if phase == "done" else 0.0)
        mean, error = self.beliefs.likeness(self.best[None])
        strengths: Row = tuple(map(float, self.best))
        return Step(phase, self.account.used, asked, strengths, float(mean[0]), float(error[0]), self._max_total())

    def _find_best(self, beliefs: Beliefs, caution: float) -> Floats:
        """The highest of the candidates, and from there by smaller and smaller steps."""
        best = beliefs.highest(self._allowed(self._candidates(beliefs)), caution)
        for spread in FINE_SPREADS:
            near = self.space.clip(nearby([best], spread, FINE, self.draw))
            best = beliefs.highest(self._allowed(np.vstack([best, near])), caution)
        return best

    def _entrants(self) -> list[Floats]:
        """Starts, with screening mixes before those that weaken or leave one model at a time."""
        given = starts(self.space, self.known.predicted_total, self.known.single_best, self.known.ratios)
        alone = [row for row in given if np.count_nonzero(row[: self.space.count]) == 1]
        return distinct([*given[: 1 + TOTALS_TRIED], *alone[: self.space.count], *self._screens(), *given])

    def _screens(self) -> list[Floats]:
        """Half of the models stronger than the other half, in pairs of opposites; nothing for a model alone."""
        count = self.space.count
        if count == 1:
            return []
        rows: list[Floats] = []
        for _ in range((count + SCREENS) // 2):
            side = np.where(self.draw.permutation(count) < count / 2, 0.5, -0.5)
            for sign in (1, -1):
                weights = SCREEN_FACTOR ** (sign * side)
                rows.append(self.space.row(self.total * weights / weights.sum()))
        return rows

    def _beliefs(self) -> Beliefs:
        return form(self.space, self.total, self.account.rows, self.account.values())

    def _candidates(self, beliefs: Beliefs) -> Floats:
        """Measured mixes, steps from the best of them, and mixes from all of the space."""
        rows = self.account.rows
        leaders = rows[np.argsort(-beliefs.log_hits(rows), kind="stable")[:LEADERS]]
        near = [nearby(list(leaders), spread, LOCAL, self.draw) for spread in SPREADS]
        low, high = self.space.total_range
        usual = max(self.total, float(self.space.counted(leaders[:1]).sum()))
        totals = np.exp(self.draw.uniform(np.log(low), np.log(max(low, min(high, BEYOND * usual))), (GLOBAL, 1)))
        shares = self.draw.dirichlet(np.full(self.space.count, 0.5), GLOBAL)
        knobs = [self.draw.uniform(*knob.range, (GLOBAL, 1)) for knob in self.space.knobs]
        ones = np.vstack([self.space.row(self.total * one) for one in np.eye(self.space.count)])
        drawn = np.hstack([shares * totals, *knobs])
        drawn[:, : self.space.count] /= self.space.lifts(drawn)[:, None]
        return self.space.clip(np.vstack([rows, ones, *near, drawn]))

    def _allowed(self, rows: Floats) -> Floats:
        """Those that are smaller or less of one model than every mix that was ruined; the smallest where none is."""
        counted = self.space.counted(rows)
        totals = counted.sum(1)
        alike = np.square(counted / totals[:, None]).sum(1)
        fine = np.ones(len(rows), bool)
        for ruin in self.space.counted(self.account.ruined()):
            fine &= (totals < ruin.sum() - 1e-6) | (alike < np.square(ruin / ruin.sum()).sum() - 1e-6)
        return rows[fine] if fine.any() else rows[[int(totals.argmin())]]

    def _max_total(self) -> float:
        """The highest total that is still tried at equal strengths."""
        ruins = self.space.counted(self.account.ruined())
        even = [ruin.sum() for ruin in ruins if np.square(ruin / ruin.sum()).sum() < 1 / self.space.count + 1e-6]
        return float(min([self.space.total_range[1], *even]))


def drop_one(space: Space, best: Sequence[float], shots: Sequence[int]) -> tuple[Asked, ...]:
    """The best mix and, for each model that is in it, the mix without it at the same total; none where one is alone."""
    row = np.asarray(best, float)
    used = [index for index in range(space.count) if row[index] > 0]
    without = [_without(space, row, index) for index in used] if len(used) > 1 else []
    return tuple(Asked(tuple(map(float, one)), tuple(shots)) for one in [row, *without])


def _without(space: Space, row: Floats, index: int) -> Floats:
    rest = row.copy()
    rest[index] = 0
    strengths = rest[: space.count]
    high = np.array([side[1] for side in space.strength_ranges])
    rest[: space.count] = np.round(np.minimum(strengths * row[: space.count].sum() / strengths.sum(), high), 4)
    return rest


def sweep(
    space: Space, best: Sequence[float], shots: Sequence[int], factors: Sequence[float] = (0.8, 0.9, 1.0, 1.1, 1.25)
) -> tuple[Asked, ...]:
    """The best mix at several totals, also beyond the space, so that the cliff is seen; by default as far as 1.25×."""
    row = np.asarray(best, float)
    scale = np.concatenate([np.ones(space.count), np.zeros(len(row) - space.count)]).astype(bool)
    return tuple(
        Asked(tuple(map(float, np.round(np.where(scale, row * factor, row), 4))), tuple(shots)) for factor in factors
    )
