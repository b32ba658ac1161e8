"""Tensors as files hold them, before any number is read: what files, techniques and numpy's arithmetic share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WIDTHS = {"F16": "u2", "BF16": "u2", "F32": "f4"}
"""How numpy holds each type: half precision as bits."""


class Raw(NamedTuple):
    """A tensor of one of these types, in its own shape."""

    dtype: str
    values: NDArray[np.uint16 | np.float32]

    @property
    def data(self) -> memoryview:
        """Its bytes, which share memory with it."""
        return self.values.reshape(-1).view("u1").data


class Factors(NamedTuple):
    """Two tensors, the second with a convolution's kernel, whose product times the strength is meant."""

    up: Raw
    down: Raw
    strength: float

    @property
    def shape(self) -> tuple[int, int]:
        """Of the product, as a matrix."""
        return self.up.values.shape[0], self.down.values.size // self.down.values.shape[0]


def empty(dtype: str, shape: tuple[int, ...]) -> Raw | None:
    """Room for a tensor; None for a type that is none of these."""
    import numpy as np

    return Raw(dtype, np.empty(shape, WIDTHS[dtype])) if dtype in WIDTHS else None
