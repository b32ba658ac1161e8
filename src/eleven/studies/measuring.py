"""`Asked` and `Measure`: how a search asks for likeness without knowing of models, pictures or scorers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

FLOOR = -4.0
"""The likeness of a picture that is a miss whatever it shows; none is lower."""


@final
@dataclass(frozen=True)
class Asked:
    """Strengths, one for each model, and the numbers of the shots to measure them on.

    A number always names the same prompt and seed, so that equal numbers make pairs; numbers have no upper end, and
    those of one block of eight are of as many prompts as there are.
    """

    strengths: tuple[float, ...]
    shots: tuple[int, ...]


class Measure(Protocol):
    """Makes and scores the pictures; what was measured before is known and costs nothing."""

    def __call__(self, asked: Sequence[Asked]) -> list[NDArray[np.float64]]:
        """A likeness of each shot for each of the asked: 0 is just perfect, one is the spread of real photos.

        Where pictures can be made together, those of one call are.
        """
        ...
