"""`Sight`, a way of seeing, and `Likeness`, the scorer that any way of seeing becomes by comparing what it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar, final

import numpy as np

from eleven.engines.engine import Picture
from eleven.errors import UsageError
from eleven.scorers.collapse import Limits, collapsed, limits_of
from eleven.scorers.scorer import Pixels, References, Score

BEST = 3
"""So many of the references that are most alike count: a portrait from the left is measured by those from the left."""


@final
@dataclass(frozen=True)
class Fault:
    """Why nothing can be seen in a picture."""

    text: str


Seen = TypeVar("Seen")


class Sight(Protocol[Seen]):
    """What it sees in one picture, and how alike that is to what it sees in another; higher is better."""

    name: str

    def see(self, pixels: Pixels) -> Seen | Fault:
        """What is in the picture, or why that cannot be told."""
        ...

    def overall(self, seen: Seen, other: Seen) -> float:
        """Likeness as from afar."""
        ...

    def detail(self, seen: Seen, other: Seen) -> float | None:
        """Likeness as from close by, None where this way of seeing cannot tell."""
        ...

    def prompt(self, seen: Seen, prompt: str) -> float | None:
        """The share of what the prompt asks for that is there, None where that cannot be told."""
        ...


@final
class Likeness(Generic[Seen]):
    """A scorer: the mean of the likenesses to the three references that are most alike.

    `same` is the mean likeness from which groups of photos show one person; None where this way of seeing cannot tell.
    """

    def __init__(self, sight: Sight[Seen], references: References, same: float | None = None) -> None:
        if not references.photos:
            raise UsageError("there are no reference photos.", hint="Give ten to thirty photos of the concept.")
        self.sight, self.references, self.same = sight, references, same
        looks = {name: sight.see(photo) for name, photo in references.photos.items()}
        self.faults = {name: look.text for name, look in looks.items() if isinstance(look, Fault)}
        self.looks: dict[str, Seen] = {name: look for name, look in looks.items() if not isinstance(look, Fault)}
        if not self.looks:
            told = ", ".join(f"{name} ({fault})" for name, fault in self.faults.items())
            raise UsageError(f"no reference photo can be used by the scorer {self.name!r}: {told}.", hint=OTHER)

    @property
    def name(self) -> str:
        """What the way of seeing is called."""
        return self.sight.name

    @cached_property
    def limits(self) -> Limits:
        """What the references say of how saturated, clipped, contrasty and noisy a picture may be."""
        return limits_of(list(self.references.photos.values()))

    def score(self, pictures: Sequence[Picture]) -> list[Score]:
        """A score of each picture against all references; a collapsed one has a fault."""
        return [self.judged(picture) for picture in pictures]

    def judged(self, picture: Picture) -> Score:
        """The score of one picture."""
        look = self.sight.see(picture.pixels)
        broken = collapsed(picture.pixels, self.limits)
        if isinstance(look, Fault):
            return Score(fault=f"{look.text}; {broken}" if broken else look.text)
        prompt = self.sight.prompt(look, picture.shot.prompt)
        return self.compared(look, list(self.looks.values()), prompt=prompt, fault=broken)

    def leave_one_out(self, shown: Sequence[Pixels] | None = None) -> list[Score]:
        """What each reference, or what is shown in its place, scores against the others. UsageError for fewer than two.

        One that cannot be seen has a fault and is nobody's reference.
        """
        if len(self.looks) < 2:
            told = f"only {len(self.looks)} reference photo can be used, and likeness among photos needs two."
            raise UsageError(told, hint="Give ten to thirty photos of the concept.")
        photos = self.references.photos
        if shown is not None and len(shown) != len(photos):
            raise UsageError(f"{len(shown)} pictures are shown in the places of {len(photos)} references.")
        seen = dict(zip(photos, [None] * len(photos) if shown is None else shown, strict=True))
        return [self.left_out(name, pixels) for name, pixels in seen.items()]

    def left_out(self, name: str, shown: Pixels | None) -> Score:
        """What the reference of this name, or a picture in its place, scores against the others."""
        if name in self.faults:
            return Score(fault=self.faults[name])
        look = self.looks[name] if shown is None else self.sight.see(shown)
        if isinstance(look, Fault):
            return Score(fault=look.text)
        others = [other for key, other in self.looks.items() if key != name]
        return self.compared(look, others, asked=len(self.looks))

    def score_impostors(self) -> list[Score]:
        """What each impostor scores against all references."""
        looks = [self.sight.see(photo) for photo in self.references.impostors.values()]
        known = list(self.looks.values())
        return [Score(fault=one.text) if isinstance(one, Fault) else self.compared(one, known) for one in looks]

    def compared(
        self, look: Seen, others: Sequence[Seen], *, asked: int = 0, prompt: float | None = None, fault: str = ""
    ) -> Score:
        """The score of a look against others; `asked` is how many references there would be without leaving one out."""
        count = asked or len(others)
        overall = closeness([self.sight.overall(look, other) for other in others], count)
        details = [self.sight.detail(look, other) for other in others]
        told = [one for one in details if one is not None]
        detail = closeness(told, count - len(details) + len(told)) if told else None
        return Score(overall, detail, prompt, fault)


OTHER = "Give photos on which the concept is seen clearly, or choose another scorer."


def closeness(likenesses: Sequence[float], count: int) -> float:
    """The mean of the three highest likenesses to all but one of `count` references.

    Against all of them it is the mean over leaving out each in turn, so that a picture and a reference that is left out
    are measured by equally many: the best three of a larger set would be better by chance alone.
    """
    ranked = np.sort(np.asarray(likenesses, dtype=np.float64))[::-1]
    best = min(BEST, max(count - 1, 1))
    mean = float(ranked[:best].mean())
    if len(ranked) < count or len(ranked) == 1:
        return mean
    return mean - (mean - float(ranked[best])) / count
