"""The sparse residual that LyCORIS' extraction keeps beside a LoRA: single entries added to the weight."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from eleven.delta import Delta
from eleven.errors import TensorError
from eleven.techniques.exact import widened
from eleven.techniques.technique import Change, Measure, Original, agree, require
from eleven.tensors import Float, Shape, Tensor

NAME = "sparse"
INDICES, VALUES, SIZE = "bias_indices", "bias_values", "bias_size"
SUFFIXES = frozenset({INDICES, VALUES, SIZE})


@final
@dataclass(frozen=True, eq=False)
class Scattered(Delta):
    """A change of single entries; entries named twice add up."""

    rows: Tensor
    columns: Tensor
    values: Float[Tensor, " entries"]
    size: tuple[int, int]

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return self.size

    @property
    @override
    def T(self) -> Delta:
        return Scattered(self.columns, self.rows, self.values, (self.size[1], self.size[0]))

    @override
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        return x.new_zeros(self.size[0], x.shape[1]).index_add_(0, self.rows, self.values[:, None] * x[self.columns])

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        return self.values.new_zeros(self.size).index_put_((self.rows, self.columns), self.values, accumulate=True)

    @override
    def factors(self) -> None:
        return None


def matches(suffixes: Set[str]) -> bool:
    """Whether there is any of the three."""
    return bool(suffixes & SUFFIXES)


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Nothing: the size is in a tensor, not in the header."""
    indices, values, size = require(shapes, INDICES, VALUES, SIZE)
    agree(len(indices) == 2 and indices[0] == 2 and tuple(values) == (indices[1],) and tuple(size) == (2,), shapes)
    return Measure((None, None))


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:  # noqa: ARG001 - the protocol's signature
    """ΔW with the values at the indices (LyCORIS utils/__init__.py, extract_diff; it is no bias despite its name)."""
    tensors = widened(tensors)
    measure({suffix: tuple(tensor.shape) for suffix, tensor in tensors.items()})
    size = tensors[SIZE].long()
    indices = tensors[INDICES].long()
    if int(size.min()) < 1 or bool((indices < 0).any()) or bool((indices >= size[:, None]).any()):
        raise TensorError(
            f"{INDICES} point outside the size {size.tolist()}.",
            hint="They are stored as 16-bit numbers, too short for this layer; extract it without the sparse residual.",
        )
    rows, columns = indices
    return {"weight": Scattered(rows, columns, tensors[VALUES], (int(size[0]), int(size[1])))}


def encode(change: Change) -> dict[str, Tensor]:
    """Indices, values and size, as 64-bit integers where LyCORIS has 16-bit ones."""
    weight = change["weight"]
    if not isinstance(weight, Scattered):
        raise TensorError("only a change of single entries can be a sparse residual.", hint="Write it as a diff.")
    indices = weight.rows.new_empty(2, len(weight.rows))
    indices[0], indices[1] = weight.rows, weight.columns
    return {INDICES: indices, VALUES: weight.values, SIZE: indices.new_tensor(weight.size)}
