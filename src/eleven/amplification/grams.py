"""`Grams`: inner products of fine-tunes' changes, layer by layer, from which the size of any of their mixes follows.

Sizes are quadratic in the strengths, so that one pass over the files is enough for every mix and every total.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import final

import numpy as np
from numpy.typing import NDArray

from eleven import thin
from eleven.delta import Delta
from eleven.errors import TensorError, UsageError
from eleven.finetunes.adapter import Adapter
from eleven.finetunes.finetune import FineTune
from eleven.layers.layer import Layer
from eleven.raw import Factors

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class LayerGram:
    """The inner products of all fine-tunes' deltas of one layer at strength 1; rows of 0 for those without one."""

    layer: Layer
    table: Floats


@final
@dataclass(frozen=True, eq=False)
class Grams:
    """The layers that so many fine-tunes change."""

    count: int
    layers: tuple[LayerGram, ...]

    @property
    def norms(self) -> Floats:
        """The norm of each fine-tune's whole change."""
        return np.sqrt(sum((one.table.diagonal() for one in self.layers), np.zeros(self.count)))


def measure(
    finetunes: Sequence[FineTune], *, most: int | None = None, progress: Callable[[int], object] = lambda _: None
) -> Grams:
    """The Gram matrices of all layers, or of about `most` modules spread over the models; one module in memory at once.

    `progress` is called after each module with how many there are. UsageError where no file changes a layer;
    TensorError for numbers that are not finite, and for shapes that differ; BaseNeeded and all that decoding can raise.
    """
    modules = list(dict.fromkeys(module for finetune in finetunes for module in finetune.modules))
    if not modules:
        raise UsageError("the mix changes no layer.", hint="Name a file that is more than an embedding.")
    found: list[LayerGram] = []
    chosen = modules if most is None else _spread(modules, most)
    for module in chosen:
        found += _thin(finetunes, module) or _any(finetunes, module)
        progress(len(chosen))
    return Grams(len(finetunes), tuple(found))


def _spread(modules: Sequence[str], most: int) -> list[str]:
    """One of each few neighbours, drawn, since a fixed step would meet the same kind of layer in every block."""
    step = ceil(len(modules) / most)
    groups = [modules[start : start + step] for start in range(0, len(modules), step)]
    draw = np.random.default_rng(0)
    return [group[int(draw.integers(len(group)))] for group in groups]


def _thin(finetunes: Sequence[FineTune], module: str) -> list[LayerGram]:
    """One module whose changes are all products, in numpy, by the Gram matrices of all factors beside each other."""
    found: dict[int, tuple[Layer, Factors]] = {}
    for number, finetune in enumerate(finetunes):
        if module in finetune.modules:
            both = finetune.factors(module) if isinstance(finetune, Adapter) else None
            if both is None:
                return []
            found[number] = both
    _check(finetunes, module, {number: factors.shape for number, (_, factors) in found.items()})
    pair = thin.side_by_side([(1.0, factors) for _, factors in found.values()])
    if pair is None:
        return []
    up, down = pair
    ends = np.cumsum([0, *(len(factors.down.values) for _, factors in found.values())])
    products = (up.T @ up).astype(np.float64) * (down @ down.T).astype(np.float64)
    blocks = np.add.reduceat(np.add.reduceat(products, ends[:-1], 0), ends[:-1], 1)
    layer = max((layer for layer, _ in found.values()), key=lambda layer: len(layer.shape))
    return [_layer(finetunes, layer, list(found), blocks)]


def _any(finetunes: Sequence[FineTune], module: str) -> Iterator[LayerGram]:
    from eleven.algebra import gram

    found: dict[str, tuple[Layer, dict[int, Delta]]] = {}
    for number, finetune in enumerate(finetunes):
        for layer, delta in finetune.change(module) if module in finetune.modules else ():
            found.setdefault(layer.name, (layer, {}))[1][number] = delta
    for layer, deltas in found.values():
        _check(finetunes, layer.name, {number: delta.shape for number, delta in deltas.items()})
        yield _layer(finetunes, layer, list(deltas), gram(list(deltas.values())).numpy())


def _check(finetunes: Sequence[FineTune], name: str, shapes: Mapping[int, tuple[int, int]]) -> None:
    """TensorError where changes of one layer have different shapes, as they may in an unknown family."""
    (first, shape), *others = shapes.items()
    other = next((number for number, found in others if found != shape), None)
    if other is not None:
        files = f"{finetunes[first].path.name} and {finetunes[other].path.name}"
        told = f"{files}: their changes of {name} are {list(shape)} and {list(shapes[other])}."
        raise TensorError(told, hint="They belong to different models.")


def _layer(finetunes: Sequence[FineTune], layer: Layer, numbers: Sequence[int], found: Floats) -> LayerGram:
    wrong = np.flatnonzero(~np.isfinite(found).all(1))
    if wrong.size:
        told = f"{finetunes[numbers[int(wrong[0])]].path.name}: {layer.name} holds NaN, infinity, or numbers too large."
        raise TensorError(told, hint="The file is damaged.")
    table = np.zeros((len(finetunes), len(finetunes)))
    table[np.ix_(numbers, numbers)] = found
    return LayerGram(layer, table)
