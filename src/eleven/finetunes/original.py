"""One module as the base model has it, put together again where the file that changes it fuses several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from eleven.errors import BaseNeeded, FamilyMismatch
from eleven.finetunes.checkpoint import Checkpoint
from eleven.layers.layer import Place
from eleven.tensors import Tensor


@final
@dataclass(frozen=True)
class OriginalModule:
    """Implements `Original` for the places of one module of a file."""

    base: Checkpoint | None
    places: tuple[Place, ...]

    def weight(self) -> Tensor:
        """The weight, float32. BaseNeeded without a base, FamilyMismatch where the base has no such layer."""
        return self._parameter(self._base(), "weight")

    def bias(self) -> Tensor | None:
        """The bias, float32, or None where the base has none. BaseNeeded without a base."""
        base = self._base()
        return self._parameter(base, "bias") if base.find(self.places[0].module, "bias") else None

    def _base(self) -> Checkpoint:
        if self.base is None:
            raise BaseNeeded("the change depends on the base weight, and no base was given.", hint="Use --base MODEL.")
        return self.base

    def _parameter(self, base: Checkpoint, parameter: str) -> Tensor:
        first, *others = ((place, base.load(_name(base, place, parameter))) for place in self.places)
        if first[0].ranges is None:
            return first[1]
        rows = max(stop for place in self.places for _, stop in place.ranges or ())
        whole = first[1].new_zeros(rows, *first[1].shape[1:])
        for place, part in (first, *others):
            _put(whole, place, part)
        return whole


def _name(base: Checkpoint, place: Place, parameter: str) -> str:
    name = base.find(place.module, parameter)
    if name is None:
        told = f"{base.path.name} has no layer {place.module}.{parameter}."
        raise FamilyMismatch(told, hint="Give the base it was trained on.")
    return name


def _put(whole: Tensor, place: Place, part: Tensor) -> None:
    done = 0
    for start, stop in place.ranges or ():
        whole[start:stop] = part[done : done + stop - start]
        done += stop - start
