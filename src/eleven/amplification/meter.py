"""From fine-tunes and a mix to the reading of the collapse meter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal, final

import numpy as np

from eleven.amplification.grams import Floats, Grams, LayerGram, measure
from eleven.amplification.reading import Reading
from eleven.amplification.zones import OVERLAP
from eleven.errors import UsageError
from eleven.finetunes.checkpoint import Checkpoint
from eleven.finetunes.finetune import FineTune
from eleven.mix import Mix

HIGH = 95
"""The percentile over layers."""


@final
@dataclass(frozen=True, eq=False)
class Sized:
    """A group of layers: squared norms, the Gram matrix at the mix's strengths, and strengths times squares."""

    squares: Floats
    scaled: Floats
    weighed: Floats

    def ratio(self, alone: Floats) -> float:
        """The norm of the sum, each model's change counted in its own norm at its best strength."""
        norms = np.sqrt(self.squares) * alone
        units = np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 0)
        return float(max(units @ self.scaled @ units, 0.0)) ** 0.5

    @property
    def strengths(self) -> Floats:
        """The mean strength of each model over its own change; 0 where it has none."""
        return np.divide(self.weighed, self.squares, out=np.zeros(len(self.squares)), where=self.squares > 0)


@final
@dataclass(frozen=True)
class Known:
    """What is known beside the files: each model's best strength alone, and how much their predictions overlap.

    Without best strengths each model is counted at 1; `overlap` is a cosine, of which less than 0 counts as 0.
    """

    singles: tuple[float, ...] = ()
    overlap: float = OVERLAP

    def __post_init__(self) -> None:
        """UsageError for a best strength that is not above 0, or an overlap that is no cosine."""
        wrong = [one for one in self.singles if not (isfinite(one) and one > 0)]
        if wrong or not -1 <= self.overlap <= 1:
            told = f"best strengths {', '.join(f'{one:g}' for one in self.singles) or 'unknown'}, "
            raise UsageError(f"{told}overlap {self.overlap:g}.", hint="Strengths are above 0, the overlap is a cosine.")


NOTHING = Known()


def collapse_of(
    mix: Mix,
    finetunes: Sequence[FineTune],
    base: Checkpoint | None = None,
    *,
    known: Known = NOTHING,
    progress: Callable[[int], object] = lambda _: None,
) -> Reading:
    """The reading of a mix of these fine-tunes, opened in the order of its parts; with spectra where there is a base.

    `progress` is called once a module and again once a module on the base, with how many there are. Every error of
    `combine`, `measure` and `read`.
    """
    from eleven.algebra import norm
    from eleven.amplification.spectra import measure_spectra
    from eleven.combination import combine

    combination = combine(mix, finetunes, ignore_unknown=True)
    grams = measure(finetunes, progress=progress)
    combined = None if mix.method == "sum" else sum(norm(delta) ** 2 for _, delta in combination) ** 0.5
    spectra = None if base is None else measure_spectra(combination, base, progress=progress)
    return replace(read(grams, mix, known, combined=combined), spectra=spectra)


def read(grams: Grams, mix: Mix, known: Known = NOTHING, *, combined: float | None = None) -> Reading:
    """The reading of a mix of the measured fine-tunes in their order, by arithmetic alone.

    That of the plain sum, unless the norm of what another method made of all layers is given as `combined`.
    UsageError where the numbers of models, parts and best strengths differ.
    """
    alone = np.array(known.singles or [1.0] * grams.count, float)
    if not len(mix.parts) == grams.count == len(alone):
        told = f"{grams.count} models, {len(mix.parts)} parts, {len(alone)} best strengths."
        raise UsageError(told, hint="Give one part and one best strength for each model.")
    groups = [_sized(one, mix) for one in grams.layers]
    whole, shared = _together(groups), max(0.0, known.overlap)
    size = float(whole.scaled.sum())
    factor = combined / size**0.5 if combined is not None and size > 0 else 1.0
    ratio, alike = whole.ratio(alone), float((whole.strengths / alone).sum())
    by_block, by_component = _grouped(grams, groups, "block"), _grouped(grams, groups, "component")
    return Reading(
        total=float(np.abs(whole.strengths).sum()),
        effect=factor * ((1 - shared) * ratio**2 + shared * alike**2) ** 0.5,
        ratio=factor * ratio,
        at_best=bool(known.singles),
        components={name: factor * _together(group).ratio(alone) for name, group in by_component.items()},
        blocks={name: factor * _together(group).ratio(alone) for name, group in by_block.items()},
        layers=factor * float(np.percentile([group.ratio(alone) for group in groups], HIGH)),
    )


def _sized(one: LayerGram, mix: Mix) -> Sized:
    strengths = np.array([part.strength_at(one.layer.component, one.layer.block) for part in mix.parts])
    squares = one.table.diagonal()
    return Sized(squares, one.table * np.outer(strengths, strengths), strengths * squares)


def _together(groups: Sequence[Sized]) -> Sized:
    squares, scaled = (np.sum([one.squares for one in groups], axis=0), np.sum([one.scaled for one in groups], axis=0))
    return Sized(squares, scaled, np.sum([one.weighed for one in groups], axis=0))


def _grouped(grams: Grams, groups: Sequence[Sized], by: Literal["block", "component"]) -> dict[str, list[Sized]]:
    found: dict[str, list[Sized]] = {}
    for one, group in zip(grams.layers, groups, strict=True):
        found.setdefault(one.layer.block if by == "block" else one.layer.component, []).append(group)
    return found
