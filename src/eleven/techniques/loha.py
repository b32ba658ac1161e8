"""LoHa: the element-wise product of two low-rank matrices (FedPara)."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import final

from typing_extensions import override

from eleven.delta import Delta, LowRank, is_thin
from eleven.errors import TensorError
from eleven.techniques.exact import solid, widened
from eleven.techniques.technique import Change, Measure, Original, agree, require, scale, shapes_of
from eleven.tensors import Float, Shape, Tensor

NAME = "loha"
FIRST_UP, FIRST_DOWN, FIRST_CORE = "hada_w1_a", "hada_w1_b", "hada_t1"
SECOND_UP, SECOND_DOWN, SECOND_CORE = "hada_w2_a", "hada_w2_b", "hada_t2"
FACTORS = (FIRST_UP, FIRST_DOWN, SECOND_UP, SECOND_DOWN)
CORES = (FIRST_CORE, SECOND_CORE)
SUFFIXES = frozenset({*FACTORS, *CORES, "alpha", "scale"})

Factors = tuple[Tensor, Tensor]


@final
@dataclass(frozen=True, eq=False)
class Hadamard(Delta):
    """A change that is the element-wise product of two low-rank matrices of one shape."""

    first: LowRank
    second: LowRank

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return self.first.shape

    @property
    @override
    def T(self) -> Delta:
        return Hadamard(LowRank(self.first.down.T, self.first.up.T), LowRank(self.second.down.T, self.second.up.T))

    @override
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        """Σᵢ diag(uᵢ) · second · diag(vᵢ) · x over the columns and rows of the first."""
        total = x.new_zeros(self.shape[0], x.shape[1])
        for up, down in zip(self.first.up.T, self.first.down, strict=True):
            total += up[:, None] * (self.second @ (down[:, None] * x))
        return total

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        return self.first.dense() * self.second.dense()

    @override
    def factors(self) -> Factors | None:
        return self._factors

    @cached_property
    def _factors(self) -> Factors | None:
        """Row-wise Khatri-Rao of the ups and column-wise of the downs: the rank is the product of both."""
        if not is_thin(self.first.up.shape[1] * self.second.up.shape[1], self.shape):
            return None
        up = (self.first.up[:, :, None] * self.second.up[:, None, :]).flatten(1)
        return up, (self.first.down[:, None, :] * self.second.down[None, :, :]).flatten(0, 1)


def matches(suffixes: Set[str]) -> bool:
    """Whether there is any factor or core of one."""
    return bool(suffixes & {*FACTORS, *CORES})


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Shape (out, in·kh·kw), with cores (out, in, kh, kw), and rank, which is the rows of `hada_w1_b`."""
    up, down, other_up, other_down = require(shapes, *FACTORS)
    solid(shapes, *FACTORS, *CORES)
    agree(all(len(shape) == 2 for shape in (up, down, other_up, other_down)), shapes)
    if any(core in shapes for core in CORES):
        return _measure_tucker(shapes)
    agree(up[1] == down[0] and other_up[1] == other_down[0], shapes)
    agree((up[0], down[1]) == (other_up[0], other_down[1]), shapes)
    return Measure((up[0], down[1]), down[0])


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:  # noqa: ARG001 - the protocol's signature
    """ΔW = alpha/rank · (w1_a·w1_b) ⊙ (w2_a·w2_b), the scale once (LyCORIS modules/loha.py, forward).

    Hyeon-Woo, Ye-Bin, Oh 2021, arXiv 2108.06098, proposition 1.
    """
    tensors = widened(tensors)
    strength = scale(tensors, measure(shapes_of(tensors)).rank or 1)
    first = _factor(tensors, FIRST_UP, FIRST_DOWN, core=FIRST_CORE)
    second = _factor(tensors, SECOND_UP, SECOND_DOWN, core=SECOND_CORE)
    return {"weight": Hadamard(LowRank(first.up * strength, first.down), second)}


def encode(change: Change) -> dict[str, Tensor]:
    """Both pairs with alpha equal to the rank; without cores, which are already in the downs."""
    weight = change["weight"]
    if not isinstance(weight, Hadamard):
        raise TensorError("only the product of two low-rank matrices can be a LoHa.", hint="Write it as a LoRA.")
    first, second = weight.first, weight.second
    rank = first.up.new_tensor(float(first.up.shape[1]))
    parts = (first.up, first.down, second.up, second.down)
    return {**dict(zip(FACTORS, parts, strict=True)), "alpha": rank}


def _measure_tucker(shapes: Mapping[str, Shape]) -> Measure:
    # with a Tucker core, "a" is stored as (rank, out)
    up, down, other_up, other_down = require(shapes, *FACTORS)
    core, other_core = require(shapes, *CORES)
    agree(tuple(core[:2]) == (up[0], down[0]) and tuple(other_core[:2]) == (other_up[0], other_down[0]), shapes)
    agree((up[1], down[1]) == (other_up[1], other_down[1]) and core[2:] == other_core[2:] != (), shapes)
    return Measure((up[1], down[1], *core[2:]), down[0])


def _factor(tensors: Mapping[str, Tensor], up: str, down: str, *, core: str) -> LowRank:
    """One of the two matrices; a core is multiplied into the down (LyCORIS functional/general.py, rebuild_tucker)."""
    if core not in tensors:
        return LowRank(tensors[up], tensors[down])
    kernels = tensors[core].flatten(2).permute(0, 2, 1) @ tensors[down]
    return LowRank(tensors[up].T, kernels.permute(0, 2, 1).flatten(1))
