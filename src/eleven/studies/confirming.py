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
from eleven.studies.sequential import LOOKS, Verdict, at_boundary, boundaries, judge, live_evidence
from eleven.studies.shots import BLOCK, confirmation_shots
from eleven.studies.study import Study


@final
@dataclass(frozen=True, eq=False)
class Confirmation:
    """Arms with their scores on the first of the fresh shots; the rival is the best single, or the first arm given.

    The leader is the mix that the verdict is of: the search's, or the preset where that is ahead on these shots; None
    where no mix was measured. `look` is the one that ended it, from 1, and how many were planned.
    """

    arms: tuple[Arm, ...]
    shots: tuple[Shot, ...]
    scores: tuple[tuple[Score, ...], ...]
    rival: int | None
    leader: int | None
    verdict: Verdict
    look: tuple[int, int]

    def claim(self, study: Study) -> tuple[Difference, Interval] | None:
        """The leader against its rival, with the interval that holds at every look at once; None without one of them.

        The verdict is "confirmed" where all of that interval is above 0.
        """
        found = None if self.leader is None else self.against_rival(study, self.leader)
        limits = boundaries(self.look[1], len(mixes_of(self.arms)) or 1)
        return found and (found, at_boundary(found.mean, limits[self.look[0] - 1]))

    def against_rival(self, study: Study, arm: int) -> Difference | None:
        """Perfect shares of an arm less those of the rival, on the shots that both have; None for the rival itself."""
        if self.rival is None or arm == self.rival:
            return None
        return differ(study, self.scores[arm], self.scores[self.rival], self.shots)


def confirm(study: Study, arms: Sequence[Arm], shots: int) -> Confirmation:
    """All arms on at most so many fresh shots; stops at the look that decides between the leading mix and its rival.

    The rival is the single model that is perfect most often on these very shots: chosen by luck too, so that the mix
    has the harder case. Where the leader is chosen as well, of two, it has to be clearer. Arms that are only shown
    beside the others get fewer shots.
    """
    sizes = whole_blocks(shots)
    fresh = confirmation_shots(study.plan)
    aside, told = max(2, int(ASIDE * shots)), ""
    for look, size in enumerate(sizes, 1):
        study.tell(f"fresh shots, look {look} of {len(sizes)}{told}")
        taken = tuple(fresh.take(range(size)))
        scores = _scores(study, arms, [taken[: min(size, aside) if arm.is_aside else size] for arm in arms])
        rival, leader = rival_of(study, arms, scores), leader_of(study, arms, scores)
        pair = () if rival is None or leader in (rival, None) else (scores[leader], scores[rival])
        verdict = _verdict(study, pair, taken, (look, len(sizes)), len(mixes_of(arms)) or 1)
        if verdict is not None:
            return Confirmation(tuple(arms), taken, scores, rival, leader, verdict, (look, len(sizes)))
        told = _evidence(study, pair, taken)
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


def leader_of(study: Study, arms: Sequence[Arm], scores: Sequence[Sequence[Score]]) -> int | None:
    """The number of the mix, the search's or the preset, that is perfect most often; the first of arms given."""
    if any(arm.role == "given" for arm in arms):
        return 0
    return max(mixes_of(arms), key=lambda number: int(study.perfect(scores[number]).sum()), default=None)


def mixes_of(arms: Sequence[Arm]) -> list[int]:
    """The numbers of those that the leader is chosen among; none where arms were given."""
    return [number for number, arm in enumerate(arms) if arm.role in ("mix", "preset") and arm.is_mixed]


def differ(study: Study, first: Sequence[Score], second: Sequence[Score], shots: Sequence[Shot]) -> Difference:
    """The difference of perfect shares on the shots that both were taken on."""
    both = min(len(first), len(second))
    hits = study.perfect(first[:both]), study.perfect(second[:both])
    return compare(*hits, [shot.prompt for shot in shots[:both]], draws=0)


def _scores(study: Study, arms: Sequence[Arm], shots: Sequence[Sequence[Shot]]) -> tuple[tuple[Score, ...], ...]:
    wanted = [(arm.mix(study.plan), shot) for arm, taken in zip(arms, shots, strict=True) for shot in taken]
    scores = iter(study.taker.take_all(wanted))
    return tuple(tuple(next(scores) for _ in taken) for taken in shots)


def _verdict(
    study: Study, pair: Sequence[Sequence[Score]], shots: Sequence[Shot], look: tuple[int, int], of: int
) -> Verdict | None:
    """What may be said of the first of a pair, chosen of so many; nothing before the last look where there is none."""
    if not pair or len(shots) < 2:
        return Verdict.UNVERIFIED if look[0] == look[1] else None
    return judge(differ(study, pair[0], pair[1], shots), *look, of=of)


def _evidence(study: Study, pair: Sequence[Sequence[Score]], shots: Sequence[Shot]) -> str:
    """For the live view: which of a pair is ahead, and how sure that is by now."""
    if not pair:
        return ""
    first, second = map(study.perfect, pair)
    odds = live_evidence(first, second, [shot.prompt for shot in shots])
    ahead = "mix" if first.sum() >= second.sum() else "best single"
    return f"; the {ahead} is ahead, {first.sum()} to {second.sum()} perfect, evidence {odds:.2g} to 1"


def winner_of(confirmation: Confirmation, study: Study) -> int:
    """The number of the arm to be recommended: the mix or the single that did better, a single where it makes no odds.

    Of given arms, the one that is perfect most often.
    """
    arms, rival, leader = confirmation.arms, confirmation.rival, confirmation.leader
    shares: list[NDArray[np.float64]] = [study.perfect(scores).mean() for scores in confirmation.scores]
    if any(arm.role == "given" for arm in arms):
        return int(np.argmax(shares))
    if rival is None:
        return leader or 0
    if leader is None:
        return rival
    is_simpler = confirmation.verdict is Verdict.NO_DIFFERENCE or shares[leader] <= shares[rival]
    return rival if is_simpler else leader
