"""`Shot`, `Picture` and the protocol of an engine: what is asked for, what comes back, and who makes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, final

from eleven.mix import Mix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@final
@dataclass(frozen=True)
class Shot:
    """One picture that is asked for: its words, its noise and how it is sampled; sizes in pixels.

    A width or height of 0 is the base's own size; `sampler` and `schedule` are the names that A1111 uses, an empty
    sampler is the base's own.
    """

    prompt: str
    seed: int
    negative: str = ""
    sampler: str = ""
    schedule: str = ""
    steps: int = 20
    guidance: float = 7.0
    width: int = 0
    height: int = 0
    clip_skip: int = 1


@final
@dataclass(frozen=True, eq=False)
class Picture:
    """What an engine made: eight-bit RGB of shape (height, width, 3), the shot behind it, and its mix (None: none)."""

    mix: Mix | None
    shot: Shot
    pixels: NDArray[np.uint8]


class Engine(Protocol):
    """Makes pictures of mixes on one base model."""

    def take(self, mix: Mix | None, shots: Sequence[Shot]) -> Iterator[Picture]:
        """A picture of each shot, in their order; None is the base alone.

        A shot's picture depends on nothing but its mix and itself: neither on its batch, nor on what was taken before.
        """
        ...
