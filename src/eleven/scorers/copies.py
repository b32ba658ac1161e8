"""The copy-paste guard: pictures that repeat one training photo, which likeness alone would praise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eleven.engines.engine import Picture
from eleven.errors import UsageError
from eleven.scorers.scorer import Pixels, Score, Scorer

Floats = NDArray[np.float64]
SIDE = 16
"""Pictures are compared in colour at so many pixels a side."""
SIZES, PLACES = (0.88, 0.92, 0.96), (0.0, 0.5, 1.0)
"""Photos are cut to these shares of their sides at nine places, so that a copy may be moved or enlarged a little."""
RATIO = 1 / 3
"""How far a copy is from a training photo, at most, over how far it is from any photo that nothing was trained on."""
FEWEST = 3
"""Held-out photos without which there is nothing to hold a copy against."""
COPY = "a copy of the training photo "
"""How the fault of a copy begins, with the photo's name behind it."""


@final
class CopyGuard:
    """Compares whole pictures, pose and scene included, whatever scorer judges likeness.

    A copy is at most a third as far from a training photo as from the nearest photo that nothing was trained on, and
    nearer by that measure than every such photo is. UsageError for fewer than three of them, or no training photo.
    Yoon et al. 2023, "Diffusion probabilistic models generalize when they fail to memorize".
    """

    def __init__(self, held_out: Mapping[str, Pixels], training: Mapping[str, Pixels]) -> None:
        if len(held_out) < FEWEST or not training:
            told = f"of the photos, {len(held_out)} are not among the {len(training)} training photos: too few."
            raise UsageError(told, hint=f"Give at least {FEWEST} photos that nothing was trained on.")
        self._names = list(training)
        self._held_out, self._training = (
            np.stack([cuts(one) for one in given.values()]) for given in (held_out, training)
        )
        ratios = [self._ratio(middle(one), place)[0] for place, one in enumerate(held_out.values())]
        self._line = min(RATIO, *ratios)

    @property
    def chance(self) -> float:
        """How often, at most, a new photo of the concept is taken for a copy, on average."""
        return 1 / (len(self._held_out) + 1)

    def copy_of(self, pixels: Pixels) -> str:
        """The name of the training photo that a picture repeats; "" for one that is only like the concept."""
        ratio, nearest = self._ratio(middle(pixels))
        return self._names[nearest] if ratio < self._line else ""

    def _ratio(self, seen: Floats, without: int | None = None) -> tuple[float, int]:
        """How far the nearest training photo is, over how far the nearest held-out one is, one left out; and which."""
        training, held_out = (1 - (photos @ seen).max(1) for photos in (self._training, self._held_out))
        others = held_out if without is None else np.delete(held_out, without)
        return float(training.min() / max(others.min(), 1e-9)), int(training.argmin())


def cuts(photo: Pixels) -> Floats:
    """The photo cut in every way, of shape (ways, numbers)."""
    return np.stack([cut(photo, *way) for way in product(SIZES, PLACES, PLACES)])


def middle(photo: Pixels) -> Floats:
    """The middle of a picture, as the photo that it may repeat is cut."""
    return cut(photo, SIZES[1], 0.5, 0.5)


def cut(photo: Pixels, size: float, across: float, down: float) -> Floats:
    """A part of the photo in small, with a mean of nought and a length of one."""
    height, width = photo.shape[:2]
    left, top = across * (1 - size) * width, down * (1 - size) * height
    box = (left, top, left + size * width, top + size * height)
    small = np.asarray(Image.fromarray(photo).resize((SIDE, SIDE), Image.Resampling.BOX, box), np.float64)
    flat = (small - small.mean((0, 1))).ravel()
    return flat / max(float(np.linalg.norm(flat)), 1e-9)


@final
@dataclass(frozen=True, eq=False)
class Strict:
    """Implements `Scorer` by another one; a copy of a training photo has a fault."""

    inner: Scorer
    guard: CopyGuard

    @property
    def name(self) -> str:
        """The other scorer's, and that copies are refused."""
        return f"{self.inner.name}, copies refused"

    def score(self, pictures: Sequence[Picture]) -> list[Score]:
        """The other scorer's scores, with the faults of copies."""
        scores = self.inner.score(pictures)
        return [self._judged(picture, score) for picture, score in zip(pictures, scores, strict=True)]

    def leave_one_out(self, shown: Sequence[Pixels] | None = None) -> list[Score]:
        """The other scorer's."""
        return self.inner.leave_one_out(shown)

    def score_impostors(self) -> list[Score]:
        """The other scorer's."""
        return self.inner.score_impostors()

    def _judged(self, picture: Picture, score: Score) -> Score:
        copied = "" if score.fault else self.guard.copy_of(picture.pixels)
        return replace(score, fault=f"{COPY}{copied}") if copied else score
