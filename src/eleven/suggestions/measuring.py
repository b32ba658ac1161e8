"""Measures several fine-tunes at once, one module of each in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from eleven.amplification.grams import Grams, LayerGram
from eleven.finetunes.finetune import FineTune
from eleven.layers.layer import Layer
from eleven.suggestions.anatomy import Anatomy, Pair
from eleven.suggestions.changes import Change, changes
from eleven.suggestions.layers import Compared, compare
from eleven.suggestions.probe import Table, as_table
from eleven.suggestions.subspaces import Shared

Matrix = NDArray[np.float64]
Key = tuple[int, int]

ALL = "all"
"""What the one block of an unknown family is called."""


def ignore(*_: object) -> None:
    """No progress."""


def measure(tunes: Sequence[FineTune], advance: Callable[[], object] = ignore) -> Anatomy:
    """The anatomy of opened fine-tunes that fit each other; `advance` is called after every module."""
    sums = Sums(len(tunes))
    for module in modules_of(tunes):
        found, unmeasured = changes(tunes, module)
        for layer, parts in found.values():
            sums.add(layer, parts)
        for one in unmeasured:
            (sums.needs_base if one.needs_base else sums.failed)[one.model] += 1
        advance()
    return sums.anatomy(_order(tunes, sums.blocks))


def modules_of(tunes: Sequence[FineTune]) -> tuple[str, ...]:
    """Every module that any of them changes, once."""
    return tuple(dict.fromkeys(module for tune in tunes for module in tune.modules))


@dataclass(eq=False)
class Sums:
    """What the layers seen so far add up to."""

    count: int
    components: dict[str, Matrix] = field(default_factory=dict[str, Matrix])
    blocks: dict[str, Matrix] = field(default_factory=dict[str, Matrix])
    inputs: dict[Key, Shared] = field(default_factory=dict[Key, Shared])
    outputs: dict[Key, Shared] = field(default_factory=dict[Key, Shared])
    downs: dict[Key, Matrix] = field(default_factory=dict[Key, Matrix])
    ups: dict[Key, Matrix] = field(default_factory=dict[Key, Matrix])
    grams: list[LayerGram] = field(default_factory=list[LayerGram])

    def __post_init__(self) -> None:
        self.variance, self.together = np.zeros((self.count,) * 2), np.zeros((self.count,) * 2, int)
        self.layers, self.needs_base, self.failed = ([0] * self.count for _ in range(3))

    def add(self, layer: Layer, parts: Sequence[Change]) -> None:
        """One layer's changes."""
        told = compare(parts, self.count)
        for sums, name in ((self.components, layer.component), (self.blocks, layer.block or ALL)):
            sums[name] = sums[name] + told.gram if name in sums else told.gram.copy()
        self.grams.append(LayerGram(layer, told.gram))
        energy = told.gram.diagonal()
        self.variance += np.outer(energy, energy) / parts[0].size
        changed = np.isin(range(self.count), [one.model for one in parts])
        self.together += np.outer(changed, changed)
        for one in parts:
            self.layers[one.model] += 1
        self._add_pairs(told)

    def _add_pairs(self, told: Compared) -> None:
        for pair, found in told.inputs.items():
            self.inputs[pair] = self.inputs.get(pair, Shared()) + found
            self.outputs[pair] = self.outputs.get(pair, Shared()) + told.outputs[pair]
        for sums, found in ((self.downs, told.downs), (self.ups, told.ups)):
            for pair, products in found.items():
                sums[pair] = sums.get(pair, np.zeros(3)) + products

    def anatomy(self, order: Sequence[str]) -> Anatomy:
        """The sums as data, blocks in this order."""
        gram = sum(self.blocks.values(), np.zeros((self.count,) * 2))
        pairs = tuple(self._pair(gram, *pair) for pair in combinations(range(self.count), 2))
        components, blocks = _tables(self.components), _tables({name: self.blocks[name] for name in order})
        counts = tuple(self.layers), tuple(self.needs_base), tuple(self.failed)
        return Anatomy(as_table(gram), components, blocks, pairs, *counts, Grams(self.count, tuple(self.grams)))

    def _pair(self, gram: Matrix, first: int, second: int) -> Pair:
        key = first, second
        size = float(np.sqrt(gram[first, first] * gram[second, second]))
        return Pair(
            first,
            second,
            cosine=float(np.clip(gram[key] / size, -1, 1)) if size > 0 else 0.0,
            spread=float(np.sqrt(self.variance[key])) / size if size > 0 else 0.0,
            layers=int(self.together[key]),
            inputs=self.inputs.get(key),
            outputs=self.outputs.get(key),
            downs=_cosine(self.downs.get(key)),
            ups=_cosine(self.ups.get(key)),
        )


def _cosine(products: Matrix | None) -> float | None:
    """Of ⟨a, b⟩, ‖a‖² and ‖b‖²; None without a size."""
    size = float(np.sqrt(products[1] * products[2])) if products is not None else 0.0
    return float(products[0]) / size if products is not None and size > 0 else None


def _tables(found: Mapping[str, Matrix]) -> dict[str, Table]:
    return {name: as_table(table) for name, table in found.items()}


def _order(tunes: Sequence[FineTune], blocks: Mapping[str, object]) -> list[str]:
    """The blocks in the order of the family."""
    family = next((tune.family for tune in tunes if tune.family), None)
    known = dict.fromkeys(layer.block for layer in family.layers().values()) if family else {}
    return [name for name in (*known, *(name for name in blocks if name not in known)) if name in blocks]
