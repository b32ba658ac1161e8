"""`Taker`: what the ledger knows is answered at once, the rest is made, scored and kept in full batches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.engines.engine import Picture, Shot
from eleven.errors import FileError
from eleven.mix import Mix
from eleven.scorers.scorer import Pixels, Score, Scorer
from eleven.sheets.credits import Model
from eleven.sheets.png import open_png
from eleven.studies.ledger import Ledger, Taken, digest_of_mix
from eleven.studies.making import Job, Maker, Wanted
from eleven.studies.measuring import Asked, Measure
from eleven.studies.recording import Recorder, digest_of_pixels
from eleven.studies.shots import Shots, digest_of_shot

Key = tuple[str, str]
Progress = Callable[[int, int], object]
"""Hears how many pictures there are, and how many are planned."""


def ignore(_: int, __: int) -> None:
    """Tells nobody."""


@final
@dataclass(frozen=True)
class Taking:
    """How pictures are taken: how many at once, what their infotext tells of the models, and who hears of them."""

    batch: int = 8
    models: Mapping[str, Model] | None = None
    progress: Progress = ignore


@final
@dataclass(frozen=True, eq=False)
class Taker:
    """Takes pictures of mixes for one study; made by `open_taker`.

    Batches are cut from what is missing, in the order in which it is asked for, and kept in that order: after a kill
    the rest is made in the very batches in which it would have been, and a batch's rounding does not show.
    """

    ledger: Ledger
    maker: Maker
    scorer: Scorer
    recorder: Recorder
    taking: Taking
    _known: dict[Key, Score] = field(default_factory=dict[Key, Score], init=False, repr=False)

    def take(self, mix: Mix | None, shots: Sequence[Shot]) -> list[Score]:
        """A score of each shot with this mix. The engine's ElevenErrors, with the mix named."""
        return self.take_all([(mix, shot) for shot in shots])

    def take_all(self, wanted: Sequence[Wanted]) -> list[Score]:
        """A score of each mix and shot, what is missing made together. The engine's ElevenErrors, with the mix named.

        OutputError where a picture cannot be written, at the latest when the taker is closed.
        """
        keyed = [(key_of(one), one) for one in wanted]
        self._ask_ledger([one for key, one in keyed if key not in self._known])
        missing = {key: one for key, one in keyed if key not in self._known}
        if missing:
            unscored = {key: one for key, one in missing.items() if self.ledger.picture_of(*one)}
            self._score_again(list(unscored.values()))
            self._make([one for key, one in missing.items() if key not in unscored])
        return [self._known[key] for key, _ in keyed]

    def _ask_ledger(self, wanted: Sequence[Wanted]) -> None:
        for _, group in groupby(wanted, key=lambda one: digest_of_mix(one[0])):
            asked = list(group)
            mix, shots = asked[0][0], [shot for _, shot in asked]
            scores = self.ledger.scores_of(mix, shots, self.scorer.name)
            self._known.update(
                {key_of((mix, shot)): score for shot, score in zip(shots, scores, strict=True) if score is not None}
            )

    def _make(self, wanted: Sequence[Wanted]) -> None:
        jobs = list(chunks(wanted, self.taking.batch))
        planned = self.ledger.plan.search + self.ledger.plan.confirmation
        with closing(self.maker.map(jobs)) as made:
            for job, images in zip(jobs, made, strict=True):
                pictures = [Picture(*one, pixels) for one, pixels in zip(job, images, strict=True)]
                scores = self._score(job, pictures)
                self.recorder.put(pictures, scores)
                self.taking.progress(self.recorder.count, max(self.recorder.count, planned))

    def _score_again(self, wanted: Sequence[Wanted]) -> None:
        """Scores pictures that another scorer has scored, from their files."""
        for job in chunks(wanted, self.taking.batch):
            kept = [self.ledger.picture_of(*one) or ("", "") for one in job]
            pictures = [Picture(*one, self._read(*file)) for one, file in zip(job, kept, strict=True)]
            scores = self._score(job, pictures)
            taken = [Taken(*one, *file, score) for one, file, score in zip(job, kept, scores, strict=True)]
            self.ledger.put(self.scorer.name, taken)

    def _score(self, job: Sequence[Wanted], pictures: Sequence[Picture]) -> list[Score]:
        scores = self.scorer.score(pictures)
        self._known.update(zip(map(key_of, job), scores, strict=True))
        return scores

    def _read(self, file: str, digest: str) -> Pixels:
        """The pixels of a kept picture. FileError where they are not those that were made."""
        path = self.ledger.folder / file
        with open_png(path) as image:
            pixels = np.array(image)
        if digest_of_pixels(pixels) != digest:
            raise FileError(f"{path}: is not the picture that was made.", hint="Put the original back.")
        return pixels


@contextmanager
def open_taker(ledger: Ledger, maker: Maker, scorer: Scorer, taking: Taking | None = None) -> Generator[Taker]:
    """A taker for a study; behind the block all that was made is kept. OutputError where it could not be."""
    taking = taking or Taking()
    with Recorder(ledger, scorer.name, taking.models) as recorder:
        yield Taker(ledger, maker, scorer, recorder, taking)


def measure_with(taker: Taker, shots: Shots, likeness: Callable[[Score], float]) -> Measure:
    """What a search asks: strengths become mixes of the plan's models, numbers shots, and scores a likeness."""
    plan = taker.ledger.plan

    def measure(asked: Sequence[Asked]) -> list[NDArray[np.float64]]:
        wanted = [(plan.mix(one.strengths), shots.take(one.shots)) for one in asked]
        scores = iter(taker.take_all([(mix, shot) for mix, taken in wanted for shot in taken]))
        return [np.array([likeness(next(scores)) for _ in taken], np.float64) for _, taken in wanted]

    return measure


def key_of(wanted: Wanted) -> Key:
    """What names a picture in the ledger."""
    return digest_of_mix(wanted[0]), digest_of_shot(wanted[1])


def chunks(wanted: Sequence[Wanted], size: int) -> Generator[Job]:
    """All of them in their order, so many at a time."""
    for start in range(0, len(wanted), size):
        yield tuple(wanted[start : start + size])
