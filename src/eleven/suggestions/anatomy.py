"""Who changes what, and how alike: norms, inner products and shared inputs and outputs of several fine-tunes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

from eleven.amplification.grams import Grams
from eleven.suggestions.probe import Table, as_table, cosines
from eleven.suggestions.subspaces import Shared


@final
@dataclass(frozen=True)
class Pair:
    """Two models, by number. `cosine` is of their whole changes, and `spread` its standard deviation at random.

    `inputs` and `outputs` are what the layers that both change by factors share of their directions, None without such
    layers. `downs` and `ups` are cosines of the factors themselves, None where no layer has them at one rank.
    """

    first: int
    second: int
    cosine: float
    spread: float
    layers: int
    inputs: Shared | None
    outputs: Shared | None
    downs: float | None
    ups: float | None


@final
@dataclass(frozen=True)
class Anatomy:
    """Of N models: Gram matrices of their changes at strength 1 (whole, by component, by block), and every pair.

    `layers` counts those that each model changes, `needs_base` and `failed` those whose change is not known, because
    it needs a base or cannot be read; they are part of no number. `grams` are the inner products layer by layer.
    """

    gram: Table
    components: Mapping[str, Table]
    blocks: Mapping[str, Table]
    pairs: tuple[Pair, ...]
    layers: tuple[int, ...]
    needs_base: tuple[int, ...]
    failed: tuple[int, ...]
    grams: Grams

    @cached_property
    def norms(self) -> tuple[float, ...]:
        """Each model's Frobenius norm."""
        return norms_of(self.gram)

    @cached_property
    def cosines(self) -> Table:
        """The N×N cosines of the whole changes."""
        return as_table(cosines(self.gram))

    def pair(self, first: int, second: int) -> Pair:
        """The pair of two different models, in any order."""
        wanted = min(first, second), max(first, second)
        return next(one for one in self.pairs if (one.first, one.second) == wanted)


def norms_of(gram: Table) -> tuple[float, ...]:
    """The roots of the diagonal."""
    return tuple(max(row[number], 0.0) ** 0.5 for number, row in enumerate(gram))
