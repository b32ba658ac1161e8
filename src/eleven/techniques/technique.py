"""The protocol of a technique: what the tensors of one layer mean; implemented by modules, which hold no state."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from math import prod
from typing import Protocol

from eleven.delta import Delta
from eleven.errors import TensorError
from eleven.tensors import Shape, Tensor

Change = Mapping[str, Delta]
"""The deltas of one layer by parameter: `weight` and, where the technique moves it, `bias`."""


@dataclass(frozen=True)
class Measure:
    """What the shapes alone tell: the rank, and the weight's shape, with None where only the base knows.

    `side` is a size of which only the base knows whether it is that of the rows or of the channels.
    """

    shape: tuple[int | None, ...]
    rank: int | None = None
    side: int | None = None

    @property
    def matrix(self) -> tuple[int | None, int | None]:
        """The shape as (out, in·kh·kw)."""
        rows, *columns = self.shape
        known = [size for size in columns if size is not None]
        return rows, prod(known) if len(known) == len(columns) else None


class Original(Protocol):
    """One layer as the base model has it."""

    def weight(self) -> Tensor:
        """The weight in its own shape, float32. BaseNeeded where no base was given."""
        ...

    def bias(self) -> Tensor | None:
        """The bias, float32, or None where the layer has none. BaseNeeded where no base was given."""
        ...


class Technique(Protocol):
    """One way to store a change; `decode` gives it at strength 1, bound to the original weight."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module constant
        """What users call it."""
        ...

    @property
    def SUFFIXES(self) -> frozenset[str]:  # noqa: N802
        """Every tensor name it can hold, in this project's spelling."""
        ...

    def matches(self, suffixes: Set[str]) -> bool:
        """Whether tensors of these names include any that only this technique writes."""
        ...

    def measure(self, shapes: Mapping[str, Shape]) -> Measure:
        """Shape and rank from the header. TensorError where a partner is missing or shapes contradict each other."""
        ...

    def decode(self, tensors: Mapping[str, Tensor], original: Original) -> Change:
        """The change at strength 1, exact in the tensors' type. TensorError as `measure`."""
        ...

    def encode(self, change: Change) -> dict[str, Tensor]:
        """The tensors of a change that `decode` gave: decode(encode(c)) equals c. TensorError for other deltas."""
        ...


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    """The shape of each tensor, as `measure` takes them."""
    return {suffix: tuple(tensor.shape) for suffix, tensor in tensors.items()}


def require(shapes: Mapping[str, Shape], *suffixes: str) -> tuple[Shape, ...]:
    """The shapes of these tensors. TensorError naming the first that is missing."""
    for suffix in suffixes:
        if suffix not in shapes:
            told = f"{suffix} is missing beside {', '.join(sorted(shapes))}."
            raise TensorError(told, hint="The file is incomplete.")
    return tuple(shapes[suffix] for suffix in suffixes)


def agree(condition: bool, shapes: Mapping[str, Shape]) -> None:
    """TensorError with all shapes of the layer unless `condition` holds."""
    if not condition:
        told = ", ".join(f"{suffix} {list(shape)}" for suffix, shape in sorted(shapes.items()))
        raise TensorError(f"shapes contradict each other: {told}.", hint="The file is damaged or of an unknown kind.")


def scale(tensors: Mapping[str, Tensor], rank: int) -> float:
    """alpha / rank, or 1 without alpha; `scale` overrides both (A1111 extensions-builtin/Lora/network.py)."""
    if "scale" in tensors:
        return number(tensors, "scale")
    return number(tensors, "alpha") / rank if "alpha" in tensors else 1.0


def number(tensors: Mapping[str, Tensor], suffix: str) -> float:
    """A tensor of one number, of any type. TensorError where it holds more, none, or no finite number."""
    tensor = tensors[suffix]
    if tensor.numel() != 1:
        raise TensorError(f"{suffix} holds {tensor.numel()} numbers, not one.")
    value = float(tensor)
    if not abs(value) < float("inf"):
        raise TensorError(f"{suffix} is {value}, not a finite number.")
    return value
