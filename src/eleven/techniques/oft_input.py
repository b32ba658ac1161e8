"""OFT on the input side: blocks of a weight's columns are rotated (PEFT, OneTrainer)."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from math import isqrt, sqrt
from typing import final

from typing_extensions import override

from eleven.delta import Delta, Dense
from eleven.errors import TensorError
from eleven.techniques import oft
from eleven.techniques.technique import Change, Measure, Original, agree, number, require, shapes_of
from eleven.tensors import Float, Shape, Tensor

NAME = "oft-input"
PACKED = "oft_R.weight"
EXACT, SCALED = "oft_R.exact", "oft_R.scaled_oft"
TERMS, OLD, LIMIT = "oft_R.terms", "oft_R.old", "oft_R.coft"
"""`scaled_oft` is OneTrainer's own marker; the others come from PEFT's JSON (files/peft.py): `exact` for
`use_cayley_neumann: false`, `terms` for a series of another length, `old` for PEFT before 0.18, `coft` for its eps."""
SUFFIXES = frozenset({PACKED, EXACT, SCALED, TERMS, OLD, LIMIT})
MOST_TERMS = 64


@dataclass(frozen=True)
class Cayley:
    """How a generator becomes a rotation: exactly, or by a series of so many terms, in PEFT's old or present form."""

    exact: bool = False
    terms: int = 5
    old: bool = False

    def powers(self) -> list[float]:
        """Coefficients of Q, Q², … in R − I; the present form halves the last, and never ends at Q² (PEFT 0.21)."""
        if self.old or self.terms <= 2:
            return [2.0] * (self.terms - 1)
        return [2.0] * (max(self.terms, 4) - 2) + [1.0]


@final
@dataclass(frozen=True, eq=False)
class InputRotated(Delta):
    """ΔW = W·(blockdiag(R)ᵀ − I), with the rotation as R − I; one block serves all columns where it is shared."""

    turn: Float[Tensor, "blocks size size"]
    weight: Float[Tensor, "out in"]
    packed: Float[Tensor, "blocks pairs"]
    cayley: Cayley

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return self.weight.shape[0], self.weight.shape[1]

    @property
    @override
    def T(self) -> Delta:
        return Dense(self.dense().T)

    @override
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        blocks = x.unflatten(0, (-1, self.turn.shape[-1]))
        return self.weight @ (self.turn.mT @ blocks).flatten(0, 1)

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        blocks = self.weight.T.unflatten(0, (-1, self.turn.shape[-1]))
        return (self.turn @ blocks).flatten(0, 1).T

    @override
    def factors(self) -> None:
        return None


def matches(suffixes: Set[str]) -> bool:
    """Whether there is a packed generator."""
    return PACKED in suffixes


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Inputs (a convolution's in·kh·kw), and the block size as rank; one row may be shared, so it tells no inputs."""
    (packed,) = require(shapes, PACKED)
    agree(len(packed) == 2 and min(packed) > 0, shapes)
    rows, pairs = packed
    size = (1 + isqrt(1 + 8 * pairs)) // 2
    agree(size * (size - 1) // 2 == pairs, shapes)
    return Measure((None, rows * size if rows > 1 else None), size)


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:
    """W' = W·blockdiag(R)ᵀ, as PEFT merges it (tuners/oft/layer.py; OneTrainer modules/module/oft_utils.py)."""
    size = measure(shapes_of(tensors)).rank or 0
    weight = original.weight()
    rows = tensors[PACKED].shape[0]
    columns = weight[0].numel() if weight.dim() > 1 else 0
    if columns % size or columns == 0 or rows not in (1, columns // size):
        raise TensorError(
            f"{rows} rotations of {size} inputs do not fit the base weight {list(weight.shape)}.",
            hint="Is this the right base model?",
        )
    packed, cayley = read(tensors, weight, size)
    turn = rotation(unpack(packed, size), cayley)
    return {"weight": InputRotated(turn, weight.flatten(1).to(turn.dtype), packed, cayley)}


def encode(change: Change) -> dict[str, Tensor]:
    """PEFT's layout, with markers for what differs from its defaults; the generator is stored scaled and limited."""
    weight = change["weight"]
    if not isinstance(weight, InputRotated):
        raise TensorError("only a rotation of inputs can be stored so.", hint="Store it as a LoRA or in full.")
    cayley, one = weight.cayley, weight.packed.new_ones(())
    markers = {EXACT: cayley.exact, OLD: cayley.old, TERMS: cayley.terms != Cayley().terms}
    numbers = {suffix: one for suffix, present in markers.items() if present}
    return {PACKED: weight.packed} | numbers | ({TERMS: one * cayley.terms} if TERMS in numbers else {})


def read(tensors: Mapping[str, Tensor], weight: Tensor, size: int) -> tuple[Float[Tensor, "blocks pairs"], Cayley]:
    """The generator as it is used, and the way it becomes a rotation."""
    packed = oft.like(tensors, PACKED, weight)
    if LIMIT in tensors:
        limit = number(tensors, LIMIT) / sqrt(packed.shape[0])
        packed = packed * (limit / (sqrt(2) * packed.norm(dim=1, keepdim=True)).clamp_min(1e-30)).clamp_max(1.0)
    if SCALED in tensors:
        packed = packed / (2 * sqrt(size - 1))
    terms = number(tensors, TERMS) if TERMS in tensors else Cayley().terms
    if not (terms == int(terms) and 1 <= terms <= MOST_TERMS):
        raise TensorError(f"{TERMS} is {terms}, not a whole number from 1 to {MOST_TERMS}.")
    return packed, Cayley(EXACT in tensors, int(terms), OLD in tensors)


def unpack(packed: Float[Tensor, "blocks pairs"], size: int) -> Float[Tensor, "blocks size size"]:
    """Skew-symmetric matrices from their upper triangles, row by row."""
    import torch

    rows, columns = torch.triu_indices(size, size, 1)
    upper = packed.new_zeros(packed.shape[0], size, size)
    upper[:, rows, columns] = packed
    return upper - upper.mT


def rotation(skew: Float[Tensor, "blocks size size"], cayley: Cayley) -> Float[Tensor, "blocks size size"]:
    """R − I: by the series for (I + Q)·(I − Q)⁻¹ (Qiu 2025, arXiv 2506.19847), or exactly with PEFT's opposite sign."""
    if cayley.exact:
        return oft.cayley(-skew)
    turn, power = skew.new_zeros(skew.shape), skew
    for index, coefficient in enumerate(cayley.powers()):
        power = power @ skew if index else skew
        turn = turn + coefficient * power
    if not turn.isfinite().all():
        raise TensorError("the rotation cannot be computed: its numbers are too large.", hint="The file is damaged.")
    return turn
