"""How large a fine-tune's change is, block by block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from eleven.errors import BaseNeeded, TensorError
from eleven.finetunes.finetune import FineTune

ALL = "all"
"""What the one block of an unknown family is called."""


@dataclass(frozen=True)
class Norms:
    """Frobenius norms at strength 1: of each block in the family's order, and of the whole.

    `needs_base` counts the modules whose change is unknown without a base; `failed` are those that cannot be decoded,
    with the reason. Neither is part of any norm.
    """

    total: float
    blocks: Mapping[str, float]
    needs_base: int
    failed: Mapping[str, str]


def measure_norms(tune: FineTune) -> Norms:
    """The norms of all changes that can be computed, one module in memory at a time."""
    from eleven.algebra import norm

    squares: dict[str, float] = {}
    needs_base, failed = 0, dict[str, str]()
    for module in tune.modules:
        try:
            for layer, delta in tune.change(module):
                squares[layer.block or ALL] = squares.get(layer.block or ALL, 0.0) + norm(delta) ** 2
        except BaseNeeded:
            needs_base += 1
        except TensorError as error:
            failed[module] = error.cause
    order = dict.fromkeys(at.block for at in tune.family.layers().values()) if tune.family else squares
    blocks = {block: sqrt(squares[block]) for block in order if block in squares}
    return Norms(sqrt(sum(squares.values())), blocks, needs_base, failed)
