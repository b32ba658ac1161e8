"""A mix and its fine-tunes become one delta per layer, one layer in memory at a time: the heart, read it first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import final

import torch

from eleven.compatibility import check_files, check_part, check_sum
from eleven.delta import Delta
from eleven.finetunes.adapter import Adapter
from eleven.finetunes.finetune import FineTune
from eleven.layers.family import Family
from eleven.layers.layer import Layer
from eleven.methods import Setting, find_method, settle
from eleven.mix import Mix, Part
from eleven.raw import Factors
from eleven.thin import Pair, side_by_side

Change = list[tuple[Layer, Delta]]


@final
@dataclass(frozen=True, eq=False)
class Combination:
    """The combined changes of a mix; iterating yields every (layer, delta) in the order of the family."""

    mix: Mix
    parts: tuple[tuple[Part, FineTune], ...]
    family: Family | None
    modules: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[Layer, Delta]]:
        for module in self.modules:
            yield from self.change(module)

    def at_share(self, share: float) -> Combination:
        """The same as it is at a share of the steps, from 0 to 1: itself where no strength rises."""
        return self._changed(lambda part: part.at_share(share)) if self.mix.rises else self

    @property
    def for_negative(self) -> Combination:
        """The same as it is where the negative prompt's prediction is made: mostly itself."""
        return self._changed(lambda part: part.for_negative) if self.mix.differs_for_negative else self

    def _changed(self, change: Callable[[Part], Part]) -> Combination:
        parts = tuple((change(part), finetune) for part, finetune in self.parts)
        whole = tuple(change(part) for part in self.mix.parts)
        return replace(self, mix=self.mix.model_copy(update={"parts": whole}), parts=parts)

    @cached_property
    def names(self) -> frozenset[str]:
        """The modules, for asking whether one is among them."""
        return frozenset(self.modules)

    def change(self, module: str) -> Change:
        """The deltas of one module's parameters; those of parts with strength 0 take no part."""
        row = find_method(self.mix.method)
        options = settle(row, self.mix.options)
        found: dict[str, tuple[Layer, list[tuple[float, Delta]]]] = {}
        for part, finetune in self.parts:
            for layer, delta in finetune.change(module) if _wanted(part, finetune, module) else ():
                strength = part.strength_at(layer.component, layer.block)
                known, terms = found.get(layer.name, (layer, []))
                found[layer.name] = (max(known, layer, key=_dimensions), [*terms, (strength, delta)])
        combined: Change = []
        for layer, terms in found.values():
            strengths, deltas = zip(*terms, strict=True)
            setting = Setting(_generator(self.mix.seed, layer), options)
            combined.append((layer, row.function(deltas, strengths, setting)))
        return combined

    def factors(self, module: str) -> tuple[Layer, Pair] | None:
        """The module's only change as a product in numpy; None for all that `change` alone tells."""
        terms: list[tuple[Layer, float, Factors]] = []
        for part, finetune in self.parts if self.mix.method == "sum" else ():
            if module in finetune.modules and _wanted(part, finetune, module):
                found = finetune.factors(module) if isinstance(finetune, Adapter) else None
                if found is None:
                    return None
                layer, factors = found
                terms.append((layer, part.strength_at(layer.component, layer.block), factors))
        product = side_by_side([(strength, factors) for _, strength, factors in terms])
        return (max((layer for layer, *_ in terms), key=_dimensions), product) if product else None


def combine(mix: Mix, finetunes: Sequence[FineTune], *, ignore_unknown: bool = False) -> Combination:
    """The combination of the mix's parts, given opened in the same order.

    Strengths are linear and every delta is bound to the original base weight, so the order of the parts cannot matter:
    they are sorted. Parts without any strength are left out.
    FamilyMismatch for parts of different models, UnknownKeys for tensors that were not understood, unless ignored;
    UsageError for a block that the family does not have, a strength of an embedding, or parts that cancel each other.
    """
    check_files(finetunes, ignore_unknown=ignore_unknown)
    family = next((finetune.family for finetune in finetunes if finetune.modules), None)
    pairs = sorted(zip(mix.parts, finetunes, strict=True), key=lambda pair: _rank(pair[0]))
    for part, finetune in pairs:
        check_part(part, finetune, family)
    ordered = mix.model_copy(update={"parts": tuple(part for part, _ in pairs)})
    active = tuple((part, finetune) for part, finetune in pairs if part.is_active)
    if mix.method == "sum":
        check_sum(active)
    return Combination(ordered, active, family, _touched(active, family))


def _rank(part: Part) -> tuple[str, float, list[tuple[str, float]], float, float, str]:
    """What decides the order of the parts, whatever order they were given in."""
    return part.sha256, part.strength, list(part.at.items()), part.rise, part.negative, part.file


def _touched(parts: Sequence[tuple[Part, FineTune]], family: Family | None) -> tuple[str, ...]:
    """In the order of the family, or of the files where it is unknown."""
    touched = dict.fromkeys(module for part, tune in parts for module in tune.modules if _wanted(part, tune, module))
    if family is None:
        return tuple(touched)
    known = dict.fromkeys(name.rpartition(".")[0] for name in family.layers())
    return tuple(module for module in known if module in touched)


def _wanted(part: Part, finetune: FineTune, module: str) -> bool:
    """Whether the part has a strength there, so that layers at strength 0 are not even read."""
    if finetune.family is None:
        return part.strength_at(module.partition(".")[0], "") != 0
    layer = finetune.family.modules().get(module)
    return layer is None or part.strength_at(layer.component, layer.block) != 0


def _dimensions(layer: Layer) -> int:
    """In an unknown family not every technique tells a convolution's kernel."""
    return len(layer.shape)


def _generator(seed: int, layer: Layer) -> torch.Generator:
    """Each layer draws from its own stream, so that adding a layer moves no other."""
    digest = sha256(f"{seed}:{layer.name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
