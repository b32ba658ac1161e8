"""One module's changes in several fine-tunes, side by side: thin ones in numpy, so that torch need not load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from eleven.delta import Delta, LowRank
from eleven.errors import BaseNeeded, TensorError
from eleven.finetunes.adapter import Adapter
from eleven.finetunes.finetune import FineTune
from eleven.layers.layer import Layer
from eleven.techniques.exact import is_finite
from eleven.thin import Pair, side_by_side


@final
@dataclass(frozen=True, eq=False)
class Change:
    """What one model does to one layer: the product of two thin matrices where it is one, else some `Delta`."""

    model: int
    content: Pair | Delta

    @property
    def thin(self) -> Pair | None:
        """Up and down, or None."""
        return self.content if isinstance(self.content, tuple) else None

    @property
    def size(self) -> int:
        """How many numbers the whole matrix has."""
        rows, columns = self.content.shape if isinstance(self.content, Delta) else shape_of(self.content)
        return rows * columns

    def delta(self) -> Delta:
        """The change as an operator of torch."""
        if isinstance(self.content, Delta):
            return self.content
        import torch

        return LowRank(*map(torch.from_numpy, self.content))


@final
@dataclass(frozen=True, eq=False)
class Unmeasured:
    """A module of one model whose change is unknown, because it needs a base or cannot be decoded."""

    model: int
    needs_base: bool
    cause: str


def changes(tunes: Sequence[FineTune], module: str) -> tuple[dict[str, tuple[Layer, list[Change]]], list[Unmeasured]]:
    """The changes of a module's parameters by the layer's name, and the models that cannot tell theirs."""
    found: dict[str, tuple[Layer, list[Change]]] = {}
    unmeasured: list[Unmeasured] = []
    for number, tune in enumerate(tunes):
        if module not in tune.modules:
            continue
        try:
            for layer, change in _changes(number, tune, module):
                found.setdefault(layer.name, (layer, []))[1].append(change)
        except (BaseNeeded, TensorError) as error:
            unmeasured.append(Unmeasured(number, isinstance(error, BaseNeeded), error.cause))
    return found, unmeasured


def _changes(number: int, tune: FineTune, module: str) -> list[tuple[Layer, Change]]:
    plain = tune.factors(module) if isinstance(tune, Adapter) else None
    thin = side_by_side([(1.0, plain[1])]) if plain else None
    if plain and thin:
        return [(plain[0], Change(number, thin))]
    return [(layer, Change(number, _content(tune, layer, delta))) for layer, delta in tune.change(module)]


def _content(tune: FineTune, layer: Layer, delta: Delta) -> Pair | Delta:
    """Factors in numpy where there are some. TensorError where a number is not finite."""
    both = delta.factors()
    for matrix in both or (delta.dense(),):
        if not is_finite(matrix):
            raise TensorError(f"{tune.path.name}: {layer.name} has numbers that are infinite or not one.")
    return delta if both is None else (both[0].float().numpy(), both[1].float().numpy())


def shape_of(pair: Pair) -> tuple[int, int]:
    """Of the product."""
    return pair[0].shape[0], pair[1].shape[1]
