"""Sets of models in which it is known what should be found, and whether it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from eleven.suggestions.findings import find
from eleven.suggestions.models import Case
from eleven.suggestions.probe import Probe, overlap

TURNED, STEP = "-turned", re.compile(r"-\d{3,}$")
HARDLY_TRAINED = "-weak"
STRANGE = ("stranger", "no-help")
Kind = Literal["one person", "another person", "another base", "one run"]


@dataclass(frozen=True)
class Trial:
    """Models by number, which of them should be told, and what kind of set it is."""

    numbers: tuple[int, ...]
    wanted: frozenset[int]
    kind: Kind


def trials(names: Sequence[str], person: str, people: Sequence[str], most: int) -> Iterator[Trial]:
    """Sets of two to four models: of one person, with one of another person or base, and with two of one run.

    At most so many of each kind, always the same; the others are of `people`.
    """
    last = {run_of(name): number for number, name in enumerate(names) if not name.endswith(HARDLY_TRAINED)}
    own = [number for run, number in last.items() if owner(run) == person and TURNED not in run]
    others = [number for run, number in last.items() if owner(run) in people and owner(run) != person]
    strange = [number for run, number in last.items() if TURNED in run and owner(run) in (person, *people)]
    others = [number for number in others if number not in strange]
    sets = [one for count in (2, 3, 4) for one in combinations(own, count)]
    yield from some([Trial(one, frozenset(), "one person") for one in sets], most)
    few = [one for count in (1, 2, 3) for one in combinations(own, count)]
    yield from some([Trial((*one, odd), frozenset({odd}), "another person") for one in few for odd in others], most)
    yield from some([Trial((*one, odd), frozenset({odd}), "another base") for one in few for odd in strange], most)
    yield from some(list(twins(names, person, own)), most)


def twins(names: Sequence[str], person: str, own: Sequence[int]) -> Iterator[Trial]:
    """Two states of one run, alone and with up to two other models of the person."""
    mine = [number for number, name in enumerate(names) if owner(name) == person]
    rest = [(), *((number,) for number in own), *combinations(own, 2)]
    for first, second in combinations(mine, 2):
        if run_of(names[first]) == run_of(names[second]):
            for one in rest:
                if run_of(names[first]) not in [run_of(names[number]) for number in one]:
                    yield Trial((first, second, *one), frozenset({first, second}), "one run")


def owner(name: str) -> str:
    """The person of a model."""
    return name.split("-")[0]


def run_of(name: str) -> str:
    """The run that a model comes from."""
    return STEP.sub("", name)


def some(found: Sequence[Trial], most: int) -> list[Trial]:
    """At most so many of them, always the same."""
    order = np.random.default_rng(0).permutation(len(found))[:most]
    return [found[number] for number in sorted(order)]


def judged(case: Case, trial: Trial) -> tuple[bool, bool]:
    """Whether what should be told is, and whether anything is told that should not be.

    Of two models neither can be called the stranger without photos: that they are of different concepts is right there,
    and nowhere else.
    """
    found = find(case)
    named = [(one.kind, frozenset(trial.numbers[number] for number in one.files)) for one in found]
    redundant = [files for kind, files in named if kind == "redundant"]
    strange = frozenset[int]().union(*(files for kind, files in named if kind in STRANGE))
    parted = [files for kind, files in named if kind == "different-concepts"]
    if trial.kind == "one run":
        return trial.wanted in redundant, bool(strange or parted) or any(one != trial.wanted for one in redundant)
    pair = len(trial.numbers) == 2 and bool(trial.wanted)
    told = trial.wanted <= strange or (pair and bool(parted))
    return told, bool(redundant) or bool(strange - trial.wanted) or (bool(parted) and not pair)


def overlaps(probe: Probe, trial: Trial) -> tuple[list[float], list[float]]:
    """The overlaps of the set's models of one person, and of those with the one that should be told."""
    table, odd = overlap(probe), trial.wanted if trial.kind != "one run" else frozenset[int]()
    own, others = list[float](), list[float]()
    for first, second in combinations(range(len(trial.numbers)), 2):
        apart = {trial.numbers[first], trial.numbers[second]} & odd
        (others if apart else own).append(table[first][second])
    return own, others


def part_of(case: Case, probe: Probe | None, numbers: Sequence[int]) -> Case:
    """The case of some of its models, in this order, with a probe of them."""
    place, anatomy = {number: at for at, number in enumerate(numbers)}, case.anatomy
    pairs = tuple(
        replace(one, first=min(place[one.first], place[one.second]), second=max(place[one.first], place[one.second]))
        for one in anatomy.pairs
        if one.first in place and one.second in place
    )
    counts = {
        name: tuple(getattr(anatomy, name)[number] for number in numbers) for name in ("layers", "needs_base", "failed")
    }
    gram = tuple(tuple(anatomy.gram[row][column] for column in numbers) for row in numbers)
    part = replace(anatomy, gram=gram, pairs=pairs, components={}, blocks={}, **counts)
    # what files tell of their run is left out, so that weights and predictions alone are judged
    models = (case.models[number] for number in numbers)
    nameless = tuple(replace(model, origin=replace(model.origin, run="")) for model in models)
    return Case(nameless, part, None, probe)
