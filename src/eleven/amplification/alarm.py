"""Whether a mix that is being written is too much, told at next to no cost beside the writing."""

from __future__ import annotations

from eleven.amplification.grams import measure
from eleven.amplification.meter import read
from eleven.amplification.reading import Reading
from eleven.amplification.zones import RATIO
from eleven.combination import Combination
from eleven.mix import Part

MOST = 150
"""Modules that are looked at: they give the norm ratio of all to about one in a hundred."""


def alarm(combination: Combination, norm: float) -> Reading | None:
    """The reading of a mix whose change has this norm, or None where its zone is green; from a sample of its layers.

    Nothing is read where the strengths are so small that not even equal models could add up to more.
    """
    pairs = [(part, finetune) for part, finetune in combination.parts if finetune.modules]
    plain = combination.mix.method == "sum"
    if not pairs or (plain and sum(_largest(part) for part, _ in pairs) <= RATIO.warn):
        return None
    grams = measure([finetune for _, finetune in pairs], most=MOST if plain else None)
    mix = combination.mix.model_copy(update={"parts": tuple(part for part, _ in pairs)})
    found = read(grams, mix, combined=None if plain else norm)
    return None if found.zone == "green" else found


def _largest(part: Part) -> float:
    return max(map(abs, (part.strength, *part.at.values())))
