"""What the collapse meter tells unasked, from a sample of the layers: whether a mix is too much."""

from __future__ import annotations

from collections.abc import Sequence

from eleven.amplification.grams import Grams, measure
from eleven.amplification.meter import read
from eleven.amplification.reading import Reading
from eleven.amplification.zones import EFFECT
from eleven.combination import Combination
from eleven.errors import BaseNeeded, TensorError
from eleven.finetunes.finetune import FineTune
from eleven.mix import Part

MOST = 150
"""Modules that are looked at, which takes 0.1 s for two LoRAs of SDXL, and is less than 1 % off."""


def alarm(combination: Combination, norm: float) -> Reading | None:
    """The reading of a mix whose change has this norm, or None where its zone is green.

    Nothing is read where the strengths are so small that not even equal models could add up to more.
    """
    plain = combination.mix.method == "sum"
    if plain and sum(_largest(part) for part, _ in combination.parts) <= EFFECT.warn:
        return None
    try:
        found = _read(combination, most=MOST if plain else None, combined=None if plain else norm)
    except (TensorError, BaseNeeded):
        # where its strength is 0 a model was not read for the mix, and need not be readable
        return None
    return None if found is None or found.zone == "green" else found


def sample(finetunes: Sequence[FineTune]) -> Grams | None:
    """The Gram matrices of a sample of the layers that these fine-tunes change, None where they change none.

    Every error of `measure`.
    """
    return measure(finetunes, most=MOST) if any(finetune.modules for finetune in finetunes) else None


def _read(combination: Combination, *, most: int | None, combined: float | None) -> Reading | None:
    pairs = [(part, finetune) for part, finetune in combination.parts if finetune.modules]
    if not pairs:
        return None
    mix = combination.mix.model_copy(update={"parts": tuple(part for part, _ in pairs)})
    return read(measure([finetune for _, finetune in pairs], most=most), mix, combined=combined)


def _largest(part: Part) -> float:
    return max(map(abs, (part.strength, *part.at.values())))
