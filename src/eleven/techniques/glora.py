"""GLoRA: a low-rank change plus the original weight times a low-rank matrix on its input channels."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from eleven.delta import Delta, Dense, LowRank, Sum, is_thin
from eleven.errors import TensorError
from eleven.techniques.exact import kernels, solid, widened
from eleven.techniques.technique import Change, Measure, Original, agree, require, scale, shapes_of
from eleven.tensors import Float, Shape, Tensor

NAME = "glora"
A1, A2, B1, B2, CORE = "a1.weight", "a2.weight", "b1.weight", "b2.weight", "bm.weight"
FACTORS = (A1, A2, B1, B2)
SUFFIXES = frozenset({*FACTORS, CORE, "alpha", "scale"})


@final
@dataclass(frozen=True, eq=False)
class Remixed(Delta):
    """A change that is the original weight with its input channels mixed by up · down."""

    original: Float[Tensor, "out channels kernel"]
    up: Float[Tensor, "in rank"]
    down: Float[Tensor, "rank in"]

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
        channels, kernel = self.original.shape[1:]
        mixed = self.up @ (self.down @ x.reshape(channels, -1))
        return self.original.flatten(1) @ mixed.reshape(channels * kernel, -1)

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        thin = self.original.transpose(1, 2) @ self.up
        return (thin @ self.down).transpose(1, 2).flatten(1)

    @override
    def factors(self) -> tuple[Float[Tensor, "out rank"], Float[Tensor, "rank in"]] | None:
        """The rank grows by the kernel's size, because every position is mixed alike."""
        kernel = self.original.shape[2]
        if not is_thin(self.up.shape[1] * kernel, self.shape):
            return None
        import torch

        positions = torch.eye(kernel, dtype=self.down.dtype, device=self.down.device)
        up = (self.original.transpose(1, 2) @ self.up).transpose(1, 2).flatten(1)
        return up, (self.down[:, None, :, None] * positions[:, None, :]).reshape(-1, self.shape[1])


def matches(suffixes: Set[str]) -> bool:
    """Whether there is any of the four factors or the core."""
    return bool(suffixes & {*FACTORS, CORE})


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Shape (out, in[, kh, kw]) and rank; of the two layouts the one of smaller rank, the new one where they tie."""
    return min(_layouts(shapes), key=lambda known: known[1].rank or 0)[1]


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:
    """ΔW = s·(W·a1·a2 + b1·b2), old layout s·(W·a2·a1 + b2·b1) (LyCORIS modules/glora.py, A1111 network_glora.py).

    Where the shapes allow both, the base decides, and the new layout wins a square of full rank. Chavan et al. 2023,
    arXiv 2306.07967, equation 11.
    """
    tensors = widened(tensors)
    weight = kernels(original)
    new, known = _fitting(_layouts(shapes_of(tensors)), tuple(weight.shape))
    a_up, a_down, b_up, b_down = (tensors[suffix] for suffix in (FACTORS if new else (A2, A1, B2, B1)))
    strength = scale(tensors, known.rank or 1)
    down = b_down.flatten(1)
    if CORE in tensors:
        core = tensors[CORE].flatten(2).permute(0, 2, 1)
        down = (core @ down).permute(0, 2, 1).flatten(1)
    added = LowRank(b_up.flatten(1) * strength, down)
    mixed = Remixed(weight.to(added.up.dtype), a_up.flatten(1) * strength, a_down.flatten(1))
    return {"weight": Sum(((1.0, mixed), (1.0, added)))}


def encode(change: Change) -> dict[str, Tensor]:
    """The new layout with alpha equal to the rank; a Tucker core is already in b2."""
    weight = change["weight"]
    terms = [delta for _, delta in weight.terms] if isinstance(weight, Sum) else []
    match terms:
        case [Remixed() as mixed, LowRank() as added]:
            rank = added.up.new_tensor(float(added.up.shape[1]))
            down = added.down.unflatten(1, (mixed.up.shape[0], -1)).squeeze(2)
            return {A1: mixed.up, A2: mixed.down, B1: added.up, B2: down, "alpha": rank}
        case _:
            raise TensorError("only a change that GLoRA's own tensors gave can be a GLoRA.", hint="Write it as a LoRA.")


def _layouts(shapes: Mapping[str, Shape]) -> list[tuple[bool, Measure]]:
    """(is it the new one, what it measures) for each layout that the shapes allow. TensorError where none does."""
    a1, a2, b1, b2 = require(shapes, *FACTORS)
    solid(shapes, *FACTORS, CORE)
    core = shapes.get(CORE)
    found = [(True, _measured((a1, a2, b1, b2), core)), (False, _measured((a2, a1, b2, b1), core))]
    known = [(new, measured) for new, measured in found if measured is not None]
    agree(bool(known), shapes)
    return known


def _measured(factors: tuple[Shape, Shape, Shape, Shape], core: Shape | None) -> Measure | None:
    """What (up, down, up, down) measure, or None where they do not fit."""
    a_up, a_down, b_up, b_down = factors
    rank, channels = a_down[:2]
    fits = tuple(a_up[:2]) == (channels, rank) and b_up[1] == rank and tuple(b_down[:2]) == (rank, channels)
    pointwise = set(a_up[2:]) | set(a_down[2:]) | set(b_up[2:]) | (set(b_down[2:]) if core is not None else set())
    if not fits or not pointwise <= {1} or (core is not None and (tuple(core[:2]) != (rank, rank) or len(core) < 3)):
        return None
    return Measure((b_up[0], channels, *(core if core is not None else b_down)[2:]), rank)


def _fitting(layouts: list[tuple[bool, Measure]], base: Shape) -> tuple[bool, Measure]:
    """The first layout that the base's shape allows, in any case by its matrix. TensorError where none does."""
    matrix = Measure(base).matrix
    for new, known in layouts:
        if known.matrix == matrix and known.shape[1] == base[1]:
            return new, known
    told = " or ".join(str(list(known.shape)) for _, known in layouts)
    raise TensorError(f"a GLoRA of {told} is on a layer of {list(base)}.", hint="It belongs to another base model.")
