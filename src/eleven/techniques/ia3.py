"""(IA)³: one factor for each output row or each input channel of the original weight."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from math import prod
from typing import final

from typing_extensions import override

from eleven.delta import Delta, Dense
from eleven.errors import TensorError
from eleven.techniques.exact import kernels, widened
from eleven.techniques.technique import Change, Measure, Original, agree, number, require, shapes_of
from eleven.tensors import Float, Shape, Tensor

NAME = "ia3"
OFFSET, FACTOR, ON_INPUT = "weight", "ia3_l", "on_input"
SUFFIXES = frozenset({OFFSET, FACTOR, ON_INPUT})


@final
@dataclass(frozen=True, eq=False)
class Rescaled(Delta):
    """A change that is the original weight times an offset for each row (out, 1, 1) or each channel (1, in, 1)."""

    original: Float[Tensor, "out channels kernel"]
    offset: Tensor

    @property
    @override
    def shape(self) -> tuple[int, int]:
        rows, channels, kernel = self.original.shape
        return rows, channels * kernel

    @property
    @override
    def T(self) -> Delta:
        return Dense(self.dense().T)

    @override
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        return self.dense() @ x

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        return (self.original * self.offset).flatten(1)

    @override
    def factors(self) -> None:
        return None


def matches(suffixes: Set[str]) -> bool:
    """Whether there is `on_input` (LyCORIS) or `ia3_l` (PEFT); a `weight` alone may be anything."""
    return bool(suffixes & {FACTOR, ON_INPUT})


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """The rows or the channels where the shape tells which, else one size that is either."""
    agree((OFFSET in shapes) != (FACTOR in shapes), shapes)
    if OFFSET in shapes:
        require(shapes, ON_INPUT)
    agree(prod(shapes.get(ON_INPUT, ())) == 1, shapes)
    shape = shapes[OFFSET if OFFSET in shapes else FACTOR]
    agree(1 <= len(shape) <= 5 and prod(shape) == max(shape) > 0, shapes)
    if FACTOR not in shapes or ON_INPUT in shapes or len(shape) != 2 or prod(shape) == 1:
        return Measure((None, None), side=prod(shape))
    return Measure((shape[0], None) if shape[1] == 1 else (None, shape[1]))


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:
    """ΔW = W ⊙ w along the channels if `on_input`, else along the rows (LyCORIS modules/ia3.py, make_weight).

    PEFT's `ia3_l` is w + 1 and on the output side also multiplies the bias (PEFT tuners/ia3/layer.py, merge).
    Liu et al. 2022, arXiv 2205.05638, section 3.3. TensorError where a square convolution hides PEFT's side.
    """
    tensors = widened(tensors)
    known = measure(shapes_of(tensors))
    weight = kernels(original)
    peft = FACTOR in tensors
    offset = (tensors[FACTOR] - 1 if peft else tensors[OFFSET]).flatten()
    columns = _on_columns(tensors, known, weight)
    side = 1 if columns else 0
    if offset.numel() != weight.shape[side]:
        raise TensorError(
            f"(IA)³ has {offset.numel()} factors for side {side} of a layer of {list(weight.shape[:2])}.",
            hint="It belongs to another base model.",
        )
    change: Change = {
        "weight": Rescaled(weight.to(offset.dtype), offset.reshape((1, -1, 1) if columns else (-1, 1, 1)))
    }
    bias = original.bias() if peft and not columns else None
    return change if bias is None else {**change, "bias": Dense((bias * offset)[:, None])}


def encode(change: Change) -> dict[str, Tensor]:
    """LyCORIS' offset and side; PEFT's factor where the bias changes too."""
    weight = change["weight"]
    if not isinstance(weight, Rescaled):
        raise TensorError("only a change of whole rows or channels of a known base can be an (IA)³.")
    on_input = weight.offset.shape[0] == 1 and weight.offset.shape[1] > 1
    offset = weight.offset.flatten()
    if "bias" in change:
        return {FACTOR: offset[:, None] + 1}
    return {OFFSET: offset, ON_INPUT: offset.new_tensor(float(on_input))}


def _on_columns(tensors: Mapping[str, Tensor], known: Measure, weight: Tensor) -> bool:
    if ON_INPUT in tensors:
        return number(tensors, ON_INPUT) != 0
    if known.shape != (None, None):
        return known.shape[0] is None
    rows, columns = weight.shape[:2]
    if rows == columns:
        raise TensorError(
            f"ia3_l does not tell its side on a layer of {list(weight.shape[:2])}.",
            hint="adapter_config.json must lie beside the file: feedforward_modules tells it.",
        )
    return tensors[FACTOR].numel() == columns
