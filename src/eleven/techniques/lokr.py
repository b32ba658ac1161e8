"""LoKr: the Kronecker product of a small matrix and a larger one, either of which may be a product of thin ones."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import final

from typing_extensions import override

from eleven.delta import Delta, Dense, LowRank, is_thin
from eleven.errors import TensorError
from eleven.techniques.exact import solid, widened
from eleven.techniques.technique import Change, Measure, Original, agree, require, scale, shapes_of
from eleven.tensors import Float, Shape, Tensor

NAME = "lokr"
FIRST, FIRST_UP, FIRST_DOWN = "lokr_w1", "lokr_w1_a", "lokr_w1_b"
SECOND, SECOND_UP, SECOND_DOWN, CORE = "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"
PARTS = frozenset({FIRST, FIRST_UP, FIRST_DOWN, SECOND, SECOND_UP, SECOND_DOWN, CORE})
SUFFIXES = PARTS | {"alpha", "scale"}

Factors = tuple[Tensor, Tensor]


@final
@dataclass(frozen=True, eq=False)
class Kronecker(Delta):
    """A change that is first ⊗ second."""

    first: Dense | LowRank
    second: Dense | LowRank

    @property
    @override
    def shape(self) -> tuple[int, int]:
        (rows, columns), (inner_rows, inner_columns) = self.first.shape, self.second.shape
        return rows * inner_rows, columns * inner_columns

    @property
    @override
    def T(self) -> Delta:
        return Kronecker(_transposed(self.first), _transposed(self.second))

    @override
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        """(first ⊗ second) · vec(X) = vec(second · X · firstᵀ), for each column of `x`; what shrinks it comes first."""
        (outer, inner), count = (self.first.shape[1], self.second.shape[1]), x.shape[1]
        if self.second.shape[0] < inner:
            once = _each(self.second, x.reshape(outer, inner, count))
            return (self.first @ once.flatten(1)).reshape(self.shape[0], count)
        once = (self.first @ x.reshape(outer, inner * count)).unflatten(1, (inner, count))
        return _each(self.second, once).flatten(0, 1)

    def inner_with(self, other: Delta) -> float | None:
        """⟨A ⊗ B, C ⊗ D⟩ = ⟨A, C⟩⟨B, D⟩, where the factors of both have the same shapes."""
        from eleven.algebra import inner

        if not isinstance(other, Kronecker) or (self.first.shape, self.shape) != (other.first.shape, other.shape):
            return None
        return inner(self.first, other.first) * inner(self.second, other.second)

    def leading(self, count: int) -> Float[Tensor, "in k"]:
        """The products of both factors' right singular vectors whose singular values have the largest products."""
        (sizes, first), (others, second) = _right(self.first.dense()), _right(self.second.dense())
        best = (sizes[:, None] * others).flatten().topk(min(count, len(sizes) * len(others))).indices
        chosen = first[:, best // len(others)][:, None] * second[:, best % len(others)]
        return chosen.flatten(0, 1)

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        return _kron(self.first.dense(), self.second.dense())

    @override
    def factors(self) -> Factors | None:
        return self._factors

    @cached_property
    def _factors(self) -> Factors | None:
        """(U₁ ⊗ U₂, V₁ ⊗ V₂): the rank is the product of both; a matrix given whole is split by its SVD."""
        first, second = _split(self.first), _split(self.second)
        if not is_thin(first[0].shape[1] * second[0].shape[1], self.shape):
            return None
        return _kron(first[0], second[0]), _kron(first[1], second[1])


def matches(suffixes: Set[str]) -> bool:
    """Whether there is any part of the two factors."""
    return bool(suffixes & PARTS)


def measure(shapes: Mapping[str, Shape]) -> Measure:
    """Shape (out, in·kh·kw), where the file tells it (out, in, kh, kw), and rank; None where both factors are whole.

    The rank is the rows of `lokr_w2_b`, else of `lokr_w1_b` (ComfyUI weight_adapter/lokr.py).
    """
    solid(shapes, *PARTS)
    first, second = _measure_first(shapes), _measure_second(shapes)
    ranked = next((shapes[suffix][0] for suffix in (SECOND_DOWN, FIRST_DOWN) if suffix in shapes), None)
    return Measure((first[0] * second[0], first[1] * second[1], *second[2:]), ranked)


def decode(tensors: Mapping[str, Tensor], original: Original) -> Change:  # noqa: ARG001 - the protocol's signature
    """ΔW = s · (w1 ⊗ w2), the scale once; s = 1 where both factors are whole (LyCORIS modules/lokr.py, __init__).

    `scale` overrides that rule too: PEFT always has alpha/rank. Yeh et al. 2023, arXiv 2309.14859, section 3.
    """
    tensors = widened(tensors)
    rank = measure(shapes_of(tensors)).rank
    strength = 1.0 if rank is None and "scale" not in tensors else scale(tensors, rank or 1)
    second: Dense | LowRank
    if FIRST in tensors:
        first = Dense(tensors[FIRST] * strength)
    else:
        first = LowRank(tensors[FIRST_UP] * strength, tensors[FIRST_DOWN])
    if SECOND in tensors:
        second = Dense(tensors[SECOND].flatten(1))
    elif CORE in tensors:
        kernels = tensors[CORE].flatten(2).permute(0, 2, 1) @ tensors[SECOND_DOWN]
        second = LowRank(tensors[SECOND_UP].T, kernels.permute(0, 2, 1).flatten(1))
    else:
        second = LowRank(tensors[SECOND_UP], tensors[SECOND_DOWN].flatten(1))
    return {"weight": Kronecker(first, second)}


def encode(change: Change) -> dict[str, Tensor]:
    """Each factor whole or as its pair, and an alpha with which every reader's scale is 1."""
    weight = change["weight"]
    if not isinstance(weight, Kronecker):
        raise TensorError("only a Kronecker product can be a LoKr.", hint="Write it as a LoRA.")
    first = _named(weight.first, (FIRST, FIRST_UP, FIRST_DOWN))
    second = _named(weight.second, (SECOND, SECOND_UP, SECOND_DOWN))
    tensors = first | second
    rank = next((tensors[suffix].shape[0] for suffix in (SECOND_DOWN, FIRST_DOWN) if suffix in tensors), 1)
    return {**tensors, "alpha": next(iter(first.values())).new_tensor(float(rank))}


def _measure_first(shapes: Mapping[str, Shape]) -> Shape:
    if FIRST in shapes:
        agree(len(shapes[FIRST]) == 2 and not shapes.keys() & {FIRST_UP, FIRST_DOWN}, shapes)
        return shapes[FIRST]
    up, down = require(shapes, FIRST_UP, FIRST_DOWN)
    agree(len(up) == len(down) == 2 and up[1] == down[0], shapes)
    return up[0], down[1]


def _measure_second(shapes: Mapping[str, Shape]) -> Shape:
    if SECOND in shapes:
        agree(not shapes.keys() & {SECOND_UP, SECOND_DOWN, CORE}, shapes)
        return shapes[SECOND]
    up, down = require(shapes, SECOND_UP, SECOND_DOWN)
    if CORE in shapes:
        # with a Tucker core, "a" is stored as (rank, out)
        core = shapes[CORE]
        agree(len(up) == len(down) == 2 and len(core) > 2 and tuple(core[:2]) == (up[0], down[0]), shapes)
        return up[1], down[1], *core[2:]
    agree(len(up) == 2 and up[1] == down[0], shapes)
    return up[0], *down[1:]


def _transposed(factor: Dense | LowRank) -> Dense | LowRank:
    return Dense(factor.matrix.T) if isinstance(factor, Dense) else LowRank(factor.down.T, factor.up.T)


def _each(factor: Dense | LowRank, pieces: Float[Tensor, "outer inner n"]) -> Float[Tensor, "outer out n"]:
    """The factor's product with every piece."""
    return factor.matrix @ pieces if isinstance(factor, Dense) else factor.up @ (factor.down @ pieces)


def _kron(first: Tensor, second: Tensor) -> Tensor:
    # torch.kron refuses some transposed views (2.13, "view size is not compatible")
    rows, columns = first.shape[0] * second.shape[0], first.shape[1] * second.shape[1]
    return (first[:, None, :, None] * second[None, :, None, :]).reshape(rows, columns)


def _split(factor: Dense | LowRank) -> Factors:
    """Up and down of the smallest rank known; a matrix of full rank beside an identity, without rounding."""
    if isinstance(factor, LowRank):
        return factor.up, factor.down
    import torch

    matrix = factor.matrix
    if _is_full(matrix):
        return _beside_identity(matrix)
    left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    tolerance = float(sizes[0]) * max(matrix.shape) * torch.finfo(matrix.dtype).eps
    rank = int((sizes > tolerance).sum())
    if rank < len(sizes):
        return left[:, :rank] * sizes[:rank], right[:rank]
    return _beside_identity(matrix)


def _right(matrix: Tensor) -> Factors:
    """Singular values, and right singular vectors as columns, from the smaller Gram matrix; null ones are left zero."""
    import torch

    wide = matrix.shape[0] < matrix.shape[1]
    squares, vectors = torch.linalg.eigh(matrix @ matrix.T if wide else matrix.T @ matrix)
    return squares.clamp(min=0).sqrt(), torch.nn.functional.normalize(matrix.T @ vectors, dim=0) if wide else vectors


def _is_full(matrix: Tensor) -> bool:
    """Whether the rank is surely that of the smaller side: Cholesky of the Gram matrix stays far from zero."""
    import torch

    tall = matrix if matrix.shape[0] > matrix.shape[1] else matrix.T
    lower, failed = torch.linalg.cholesky_ex(tall.double().T @ tall.double())
    diagonal = lower.diagonal()
    return not int(failed) and float(diagonal.min()) > 1e-3 * float(diagonal.max())


def _beside_identity(matrix: Tensor) -> Factors:
    import torch

    identity = torch.eye(min(matrix.shape), dtype=matrix.dtype, device=matrix.device)
    return (identity, matrix) if matrix.shape[0] <= matrix.shape[1] else (matrix, identity)


def _named(factor: Dense | LowRank, suffixes: tuple[str, str, str]) -> dict[str, Tensor]:
    whole, up, down = suffixes
    return {whole: factor.matrix} if isinstance(factor, Dense) else {up: factor.up, down: factor.down}
