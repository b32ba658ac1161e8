"""From fine-tunes and a mix to the reading of the collapse meter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from eleven.algebra import norm
from eleven.amplification.grams import Floats, Grams, measure
from eleven.amplification.reading import Reading
from eleven.amplification.spectra import Spectra, measure_spectra
from eleven.combination import combine
from eleven.errors import UsageError
from eleven.finetunes.checkpoint import Checkpoint
from eleven.finetunes.finetune import FineTune
from eleven.mix import Mix

HIGH = 95
"""The percentile over layers."""

Sized = tuple[str, str, Floats, Floats]
"""Component and block of a layer, its Gram matrix at the mix's strengths, and that at strength 1."""


def collapse_of(
    mix: Mix,
    finetunes: Sequence[FineTune],
    base: Checkpoint | None = None,
    *,
    singles: Sequence[float] = (),
    progress: Callable[[int], object] = lambda _: None,
) -> Reading:
    """The reading of a mix of these fine-tunes, opened in the order of its parts; with spectra where there is a base.

    `singles` are the best strengths of each alone. `progress` is called once a module and again once a layer of the
    base, with how many there are. Every error of `combine`, `measure` and `read`.
    """
    combination = combine(mix, finetunes, ignore_unknown=True)
    grams = measure(finetunes, progress=progress)
    combined = None if mix.method == "sum" else sum(norm(delta) ** 2 for _, delta in combination) ** 0.5
    spectra = None if base is None else measure_spectra(combination, base, progress=progress)
    return read(grams, mix, singles=singles, combined=combined, spectra=spectra)


def read(
    grams: Grams,
    mix: Mix,
    *,
    singles: Sequence[float] = (),
    combined: float | None = None,
    spectra: Spectra | None = None,
) -> Reading:
    """The reading of a mix of the measured fine-tunes in their order, by arithmetic alone.

    That of the plain sum, unless the norm of what another method made of all layers is given as `combined`.
    UsageError where the numbers of parts or best strengths do not fit, or one of these is not above 0.
    """
    alone = np.array(singles or [1.0] * grams.count, float)
    if not len(mix.parts) == grams.count == len(alone) or not (np.isfinite(alone) & (alone > 0)).all():
        told = f"{grams.count} models, {len(mix.parts)} parts, best strengths {', '.join(f'{one:g}' for one in alone)}."
        raise UsageError(told, hint="Give one part and one best strength above 0 for each model.")
    sized = list(_sized(grams, mix))
    total, whole, _ = _summed(sized)
    factor = 1.0 if combined is None or not whole.sum() > 0 else combined / float(whole.sum()) ** 0.5
    return Reading(
        total=total,
        ratio=factor * _ratio(sized, alone),
        components={name: factor * _ratio(group, alone) for name, group in _grouped(sized, 0).items()},
        blocks={name: factor * _ratio(group, alone) for name, group in _grouped(sized, 1).items()},
        layers=factor * float(np.percentile([_ratio([one], alone) for one in sized], HIGH)),
        spectra=spectra,
    )


def _sized(grams: Grams, mix: Mix) -> Iterable[Sized]:
    for one in grams.layers:
        layer = one.layer
        strengths = np.array([part.strength_at(layer.component, layer.block) for part in mix.parts])
        yield layer.component, layer.block, one.table * np.outer(strengths, strengths), one.table


def _summed(sized: Sequence[Sized]) -> tuple[float, Floats, Floats]:
    """The sum of strengths, each over its own model's layers, and both Gram matrices of all layers together."""
    scaled, plain = (np.sum([one[side] for one in sized], axis=0) for side in (2, 3))
    own, at_1 = scaled.diagonal(), plain.diagonal()
    return float(np.sqrt(np.divide(own, at_1, out=np.zeros(len(own)), where=at_1 > 0)).sum()), scaled, plain


def _ratio(sized: Sequence[Sized], alone: Floats) -> float:
    """The norm of the sum, each model's change counted in its own norm at its best strength."""
    _, scaled, plain = _summed(sized)
    norms = np.sqrt(plain.diagonal()) * alone
    units = np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 0)
    return float(max(units @ scaled @ units, 0.0)) ** 0.5


def _grouped(sized: Sequence[Sized], side: int) -> dict[str, list[Sized]]:
    found: dict[str, list[Sized]] = {}
    for one in sized:
        found.setdefault(str(one[side]), []).append(one)
    return found
