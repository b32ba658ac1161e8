"""`Delta`: the change to one layer's weight as an immutable linear operator; it never knows its technique."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final, runtime_checkable

from typing_extensions import override

from eleven.tensors import Float, Tensor

Factors = tuple[Tensor, Tensor]


class Delta(ABC):
    """A matrix (out, in); a conv weight (out, in, kh, kw) is the matrix (out, in·kh·kw), a bias (n,) is (n, 1)."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows (outputs) and columns (inputs)."""

    @property
    @abstractmethod
    def T(self) -> Delta:  # noqa: N802 - the name that every array library uses
        """The transposed operator."""

    @abstractmethod
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        """The product with `x`, without building the matrix where there are factors."""

    @abstractmethod
    def dense(self) -> Float[Tensor, "out in"]:
        """The whole matrix; may share memory with the delta, so never write into it."""

    @abstractmethod
    def factors(self) -> tuple[Float[Tensor, "out rank"], Float[Tensor, "rank in"]] | None:
        """Exact (up, down) with dense = up @ down, or None where they would be no smaller than the matrix."""


@runtime_checkable
class Measured(Protocol):
    """A delta whose structure tells inner products that would else take its matrix."""

    def inner_with(self, other: Delta) -> float | None:
        """The Frobenius inner product, or None where the structure does not tell it."""
        ...


@runtime_checkable
class Leading(Protocol):
    """A delta without factors whose structure tells its leading singular vectors."""

    def leading(self, count: int) -> Float[Tensor, "in k"]:
        """The inputs that it moves most, at most so many, orthonormal but for those that it does not move at all."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Dense(Delta):
    """A change given entry by entry."""

    matrix: Float[Tensor, "out in"]

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return self.matrix.shape[0], self.matrix.shape[1]

    @property
    @override
    def T(self) -> Delta:
        return Dense(self.matrix.T)

    @override
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        return self.matrix @ x

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        return self.matrix

    @override
    def factors(self) -> None:
        return None


@final
@dataclass(frozen=True, eq=False)
class LowRank(Delta):
    """A change that is the product of two thin matrices."""

    up: Float[Tensor, "out rank"]
    down: Float[Tensor, "rank in"]

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return self.up.shape[0], self.down.shape[1]

    @property
    @override
    def T(self) -> Delta:
        return LowRank(self.down.T, self.up.T)

    @override
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        return self.up @ (self.down @ x)

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        return self.up @ self.down

    @override
    def factors(self) -> Factors | None:
        return (self.up, self.down) if is_thin(self.up.shape[1], self.shape) else None


@final
@dataclass(frozen=True, eq=False)
class Sum(Delta):
    """A change that is Σ strength·delta of at least one delta of one shape."""

    terms: tuple[tuple[float, Delta], ...]

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return self.terms[0][1].shape

    @property
    @override
    def T(self) -> Delta:
        return Sum(tuple((strength, delta.T) for strength, delta in self.terms))

    @override
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        (strength, delta), *rest = self.terms
        total = (delta @ x) * strength
        for strength, delta in rest:
            total += (delta @ x) * strength
        return total

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        (strength, delta), *rest = self.terms
        total = delta.dense() * strength
        for strength, delta in rest:
            both = delta.factors()
            if both is None:
                total.add_(delta.dense(), alpha=strength)
            else:
                total.addmm_(*both, alpha=strength)
        return total

    @override
    def factors(self) -> Factors | None:
        return self._factors

    @cached_property
    def _factors(self) -> Factors | None:
        pairs = [(strength, delta.factors()) for strength, delta in self.terms]
        known = [(strength, *both) for strength, both in pairs if both is not None]
        rank = sum(up.shape[1] for _, up, _ in known)
        if len(known) < len(pairs) or not is_thin(rank, self.shape):
            return None
        import torch

        strengths = torch.cat([up.new_full((up.shape[1],), strength) for strength, up, _ in known])
        up = torch.cat([up for _, up, _ in known], dim=1).mul_(strengths)
        return up, torch.cat([down for _, _, down in known])


@final
@dataclass(frozen=True, eq=False)
class Rows(Delta):
    """Some rows of another change, range after range: what a fused layer (q, k, v) means for one of its parts."""

    whole: Delta
    ranges: tuple[tuple[int, int], ...]

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return sum(stop - start for start, stop in self.ranges), self.whole.shape[1]

    @property
    @override
    def T(self) -> Delta:
        return Dense(self.dense().T)

    @override
    def __matmul__(self, x: Float[Tensor, "in n"]) -> Float[Tensor, "out n"]:
        return take_rows(self.whole @ x, self.ranges)

    @override
    def dense(self) -> Float[Tensor, "out in"]:
        both = self.whole.factors()
        if both is None:
            return take_rows(self.whole.dense(), self.ranges)
        return take_rows(both[0], self.ranges) @ both[1]

    @override
    def factors(self) -> Factors | None:
        both = self.whole.factors()
        if both is None or not is_thin(both[1].shape[0], self.shape):
            return None
        return take_rows(both[0], self.ranges), both[1]


def take_rows(matrix: Float[Tensor, "rows ..."], ranges: tuple[tuple[int, int], ...]) -> Float[Tensor, "out ..."]:
    """These row ranges of a matrix, one after the other; a view where there is one range."""
    if len(ranges) == 1:
        return matrix[slice(*ranges[0])]
    import torch

    return torch.cat([matrix[start:stop] for start, stop in ranges])


def is_thin(rank: int, shape: tuple[int, int]) -> bool:
    """Whether factors of this rank hold fewer numbers than the matrix."""
    rows, columns = shape
    return rank * (rows + columns) < rows * columns
