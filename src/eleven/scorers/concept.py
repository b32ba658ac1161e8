"""The concept scorer: any thing or being, by the features of MobileNetV2, which ships with Eleven and works offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven.scorers.patches import Patches, patch_likeness, patches_of, seen, unit
from eleven.scorers.scorer import Pixels, References, refuse_argument
from eleven.scorers.sight import Likeness
from eleven.scorers.sizes import squared

SIDE = 256
"""The side of the square from the middle of a picture that is looked at."""
POOLED, PATCHES, REACH = 18, 13, 2
"""The layers of the overall part and of the patches (16 pixels apart), and how far a patch may have moved."""

WIDTH = 0.3
"""Deviation, in sides, of the bell by which the middle of a picture counts more than what is around it."""


@final
@dataclass(frozen=True, eq=False)
class Seen:
    """A unit vector of the whole, and one of each patch."""

    whole: NDArray[np.float32]
    patches: Patches


@final
class ConceptSight:
    """The whole by square roots of mean features (Hellinger's kernel), the middle counting most."""

    name = "concept"

    def see(self, pixels: Pixels) -> Seen:
        """The features of the middle of a picture."""
        layer, features = seen(squared(pixels, SIDE), PATCHES, POOLED)
        return Seen(unit(np.sqrt((features * middle(features.shape[1])).sum(axis=(1, 2)))), patches_of(layer))

    def overall(self, seen: Seen, other: Seen) -> float:
        """The cosine of the wholes."""
        return float(seen.whole @ other.whole)

    def detail(self, seen: Seen, other: Seen) -> float:
        """How well the other's patches are found again nearby."""
        return patch_likeness(seen.patches, other.patches, REACH)

    def prompt(self, seen: Seen, prompt: str) -> None:
        """These features know no words."""


def middle(side: int) -> NDArray[np.float32]:
    """Weights of the places of a square, the middle's highest; their sum is one."""
    bell = np.exp(-0.5 * (np.linspace(-0.5, 0.5, side) * (side - 1) / side / WIDTH) ** 2)
    square = np.outer(bell, bell)
    return (square / square.sum()).astype(np.float32)


def open_concept(references: References, argument: str = "") -> Likeness[Seen]:
    """The concept scorer for these references."""
    refuse_argument("concept", argument)
    return Likeness(ConceptSight(), references)
