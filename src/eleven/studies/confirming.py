"""`confirm`: arms on the same fresh shots, look by look, until it is clear or the shots are used up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.engines.engine import Shot
from eleven.scorers.scorer import Score
from eleven.studies.allotment import ASIDE
from eleven.studies.arms import Arm
from eleven.studies.differences import Difference, compare
from eleven.studies.intervals import Interval
from eleven.studies.sequential import LOOKS, Verdict, at_boundary, boundaries, judge
from eleven.studies.shots import BLOCK, confirmation_shots
from eleven.studies.study import Study


@final
@dataclass(frozen=True, eq=False)
class Confirmation:
    """Arms with their scores on the first of the fresh shots; the rival is the best single, or the first arm given.

    `look` is the one that ended it, from 1, and how many were planned.
    """

    arms: tuple[Arm, ...]
    shots: tuple[Shot, ...]
    scores: tuple[tuple[Score, ...], ...]
    rival: int | None
    verdict: Verdict
    look: tuple[int, int]

    def claim(self, study: Study) -> tuple[Difference, Interval] | None:
        """The first arm against its rival, with the interval that holds at every look at once; None without a rival.

        The verdict is "confirmed" where all of that interval is above 0.
        """
        found = self.against_rival(study, 0)
        return found and (found, at_boundary(found.mean, boundaries(self.look[1])[self.look[0] - 1]))

    def against_rival(self, study: Study, arm: int) -> Difference | None:
        """Perfect shares of an arm less those of the rival, on the shots that both have; None for the rival itself."""
        if self.rival is None or arm == self.rival:
            return None
        return differ(study, self.scores[arm], self.scores[self.rival], self.shots)


def confirm(study: Study, arms: Sequence[Arm], shots: int) -> Confirmation:
    """All arms on at most so many fresh shots; stops at the look that decides between the first arm and its rival.

    The rival is the single model that is perfect most often on these very shots: chosen by luck too, so that the mix
    has the harder case. Arms that are only shown beside the others get fewer shots.
    """
    sizes = whole_blocks(shots)
    fresh = confirmation_shots(study.plan)
    aside = max(2, int(ASIDE * shots))
    for look, size in enumerate(sizes, 1):
        study.tell(f"fresh shots, look {look} of {len(sizes)}")
        taken = tuple(fresh.take(range(size)))
        scores = _scores(study, arms, [taken[: min(size, aside) if arm.is_aside else size] for arm in arms])
        rival = rival_of(study, arms, scores)
        verdict = _verdict(study, scores, rival, taken, (look, len(sizes)))
        if verdict is not None:
            return Confirmation(tuple(arms), taken, scores, rival, verdict, (look, len(sizes)))
    raise AssertionError("the last look always decides")


def whole_blocks(shots: int) -> list[int]:
    """How many shots there are at each look: whole blocks, in at most five looks."""
    blocks = max(1, shots // BLOCK)
    looks = min(LOOKS, blocks)
    return [BLOCK * -(-blocks * look // looks) for look in range(1, looks)] + [max(shots, 1)]


def rival_of(study: Study, arms: Sequence[Arm], scores: Sequence[Sequence[Score]]) -> int | None:
    """The number of the single that is perfect most often, by likeness where equal; of the first of arms given."""
    if any(arm.role == "given" for arm in arms):
        return 0 if len(arms) > 1 else None
    singles = [number for number, arm in enumerate(arms) if arm.role == "single"]
    rated = {number: (study.perfect(scores[number]).sum(), study.likeness(scores[number]).mean()) for number in singles}
    return max(singles, key=lambda number: rated[number], default=None)


def differ(study: Study, first: Sequence[Score], second: Sequence[Score], shots: Sequence[Shot]) -> Difference:
    """The difference of perfect shares on the shots that both were taken on."""
    both = min(len(first), len(second))
    hits = study.perfect(first[:both]), study.perfect(second[:both])
    return compare(*hits, [shot.prompt for shot in shots[:both]], draws=0)


def _scores(study: Study, arms: Sequence[Arm], shots: Sequence[Sequence[Shot]]) -> tuple[tuple[Score, ...], ...]:
    wanted = [(study.plan.mix(arm.strengths), shot) for arm, taken in zip(arms, shots, strict=True) for shot in taken]
    scores = iter(study.taker.take_all(wanted))
    return tuple(tuple(next(scores) for _ in taken) for taken in shots)


def _verdict(
    study: Study,
    scores: Sequence[Sequence[Score]],
    rival: int | None,
    shots: Sequence[Shot],
    look: tuple[int, int],
) -> Verdict | None:
    """What may be said of the first arm; nothing before the last look where there is no rival to it."""
    if rival in (None, 0) or len(shots) < 2:
        return Verdict.UNVERIFIED if look[0] == look[1] else None
    return judge(differ(study, scores[0], scores[rival or 0], shots), *look)


def winner_of(confirmation: Confirmation, study: Study) -> int:
    """The number of the arm to be recommended: the mix, unless a single model was shown to be better."""
    arms, rival = confirmation.arms, confirmation.rival
    if any(arm.role == "given" for arm in arms):
        rates: list[NDArray[np.float64]] = [study.perfect(scores).mean() for scores in confirmation.scores]
        return int(np.argmax(rates))
    if rival is not None and (arms[0].role != "mix" or confirmation.verdict is Verdict.WORSE):
        return rival
    return 0
