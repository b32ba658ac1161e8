"""`Maker` and `Job`: pictures that are made together, by an engine in this process or by many elsewhere."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from time import monotonic
from typing import Protocol, final, runtime_checkable

from eleven.engines.engine import Engine, Picture, Shot
from eleven.errors import ElevenError
from eleven.mix import Mix
from eleven.mix_text import spell
from eleven.scorers.scorer import Pixels

Wanted = tuple[Mix | None, Shot]
Job = tuple[Wanted, ...]
"""What is made in one go: a full batch, or the last of them."""


class Maker(Protocol):
    """Makes the pictures of jobs."""

    def map(self, jobs: Sequence[Job]) -> Generator[list[Pixels]]:
        """The pictures of each job, in the order of jobs; nothing more is made once it is closed."""
        ...


@runtime_checkable
class MixingEngine(Protocol):
    """An engine that can make pictures of different mixes in one batch."""

    def take_each(self, wanted: Sequence[Wanted]) -> Iterator[Picture]:
        """A picture of each mix and shot, in their order."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Alone:
    """Implements `Maker` by one engine in this process."""

    engine: Engine

    def map(self, jobs: Sequence[Job]) -> Generator[list[Pixels]]:
        """The pictures of each job, made when they are asked for."""
        for job in jobs:
            yield make(self.engine, job)


@final
class Stopwatch:
    """Implements `Maker` by another one, and adds up the seconds that it takes."""

    def __init__(self, maker: Maker) -> None:
        self.maker, self.seconds = maker, 0.0

    def map(self, jobs: Sequence[Job]) -> Generator[list[Pixels]]:
        """The pictures of each job by the other maker."""
        with closing(self.maker.map(jobs)) as made:
            while True:
                begun = monotonic()
                pictures = next(made, None)
                self.seconds += monotonic() - begun
                if pictures is None:
                    return
                yield pictures


def make(engine: Engine, job: Job) -> list[Pixels]:
    """The pictures of a job; mixes share a batch where the engine can. Its ElevenErrors, with the mixes named."""
    try:
        return [picture.pixels for picture in _taken(engine, job)]
    except ElevenError as error:
        raise error.at(told_of(job)) from error


def told_of(job: Job) -> str:
    """The mixes of a job, in words."""
    return " or ".join(dict.fromkeys(told_of_mix(mix) for mix, _ in job))


def told_of_mix(mix: Mix | None) -> str:
    """A mix as people type it, files without folders."""
    if mix is None:
        return "the base alone"
    return " + ".join(f"{Path(part.file).name}:{spell(part.strength)}" for part in mix.parts)


def _taken(engine: Engine, job: Job) -> Iterator[Picture]:
    grouped = [(key, list(group)) for key, group in groupby(job, key=lambda one: one[0] and one[0].digest)]
    if len(grouped) > 1 and isinstance(engine, MixingEngine):
        yield from engine.take_each(job)
        return
    for _, group in grouped:
        yield from engine.take(group[0][0], [shot for _, shot in group])
