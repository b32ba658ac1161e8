"""`Shots`: the endless lists of a study's shots, one for the search and one for the confirmation, in fixed order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from itertools import count
from typing import final

from eleven.engines.engine import Shot
from eleven.studies.plan import Plan

BLOCK = 8
"""Shots of a block."""
ENOUGH = 8
"""From so many prompts on, half of them are held out for the confirmation."""
SEEDS = 2**32


@final
@dataclass(frozen=True)
class Shots:
    """Every prompt once with a seed of its own, then every prompt again, without end; seeds are two apart.

    A number always names the same shot, and any first so many have every prompt equally often, give or take one.
    """

    prompts: tuple[str, ...]
    template: Shot
    first: int

    def __getitem__(self, number: int) -> Shot:
        """The shot of this number. IndexError below 0."""
        if number < 0:
            raise IndexError(f"shot {number}: numbers begin at 0")
        prompt = self.prompts[number % len(self.prompts)]
        return replace(self.template, prompt=prompt, seed=(self.first + 2 * number) % SEEDS)

    def __iter__(self) -> Iterator[Shot]:
        return map(self.__getitem__, count())

    def take(self, numbers: Iterable[int]) -> list[Shot]:
        """The shots of these numbers."""
        return [self[number] for number in numbers]

    @staticmethod
    def block(number: int) -> tuple[int, ...]:
        """The numbers of a block's shots; with eight prompts or more no prompt is in it twice."""
        return tuple(range(number * BLOCK, (number + 1) * BLOCK))


def search_shots(plan: Plan) -> Shots:
    """What strengths are searched on: even seeds, and half of the prompts where there are enough."""
    prompts = _shuffled(plan)
    kept = prompts if len(prompts) < ENOUGH else prompts[: (len(prompts) + 1) // 2]
    return Shots(kept, plan.shot, _first_seed(plan))


def confirmation_shots(plan: Plan) -> Shots:
    """What the result is measured again on: odd seeds, and the prompts that the search has not seen."""
    prompts = _shuffled(plan)
    kept = prompts if len(prompts) < ENOUGH else prompts[(len(prompts) + 1) // 2 :]
    return Shots(kept, plan.shot, _first_seed(plan) + 1)


def digest_of_shot(shot: Shot) -> str:
    """SHA-256 over all that a shot asks for."""
    return sha256(json.dumps(asdict(shot), sort_keys=True).encode()).hexdigest()


def _shuffled(plan: Plan) -> tuple[str, ...]:
    """The prompts in an order that depends on the seed and not on theirs, so that a theme is not all in one half."""
    prompts = dict.fromkeys(plan.prompts)
    return tuple(sorted(prompts, key=lambda prompt: sha256(f"{plan.seed}\n{prompt}".encode()).digest()))


def _first_seed(plan: Plan) -> int:
    """Even, and far from that of most other plans, so that another study's shots are fresh ones."""
    return int.from_bytes(sha256(f"seed {plan.seed}".encode()).digest()[:4]) // 2 * 2
