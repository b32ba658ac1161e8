"""`Score`, `References` and the protocol of a scorer: how alike a picture and the photos of a concept are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from eleven.engines.engine import Picture
from eleven.errors import UsageError

Pixels = NDArray[np.uint8]
"""Eight-bit RGB of shape (height, width, 3)."""


@final
@dataclass(frozen=True)
class Score:
    """What a scorer saw in one picture; higher is better, None is what it could not tell.

    `overall` and `detail` are likeness on the scorer's own scale, `prompt` the share from 0 to 1 of what the prompt
    asks for that is there, and `fault` says why the picture is a miss whatever its likeness ("no face"); "" is none.
    """

    overall: float | None = None
    detail: float | None = None
    prompt: float | None = None
    fault: str = ""


@final
@dataclass(frozen=True, eq=False)
class References:
    """Photos of a concept by file name, and photos of others like it, where there are any."""

    photos: dict[str, Pixels]
    impostors: dict[str, Pixels]


class Scorer(Protocol):
    """Knows the references of one concept, and tells how alike pictures are to them."""

    @property
    def name(self) -> str:
        """What the scorer is called, as in `--scorer`."""
        ...

    def score(self, pictures: Sequence[Picture]) -> list[Score]:
        """A score of each picture against all references; it depends on that picture alone."""
        ...

    def leave_one_out(self, shown: Sequence[Pixels] | None = None) -> list[Score]:
        """What each reference scores against the other references, in their order.

        `shown` are pictures to score in their places: the same photos as a base's autoencoder returns them.
        """
        ...

    def score_impostors(self) -> list[Score]:
        """What each impostor scores against all references; empty without any."""
        ...


class Opener(Protocol):
    """What the entry point of a scorer names: a function that opens it, given what follows its name and a colon."""

    def __call__(self, references: References, argument: str = "") -> Scorer:
        """The scorer for these references. ElevenError where it cannot be."""
        ...


def refuse_argument(name: str, argument: str) -> None:
    """UsageError for anything after the name of a scorer that takes nothing there."""
    if argument:
        raise UsageError(f"the scorer {name!r} takes nothing after its name, and {argument!r} was given.")
