"""Adding a delta to one stored tensor: blocks that fit the processor's cache, float32 sums or wider, one rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import torch

from eleven.delta import Delta, LowRank
from eleven.exports.streaming import Stream
from eleven.files.container import Container, Entry
from eleven.files.dtypes import bytes_of, torch_type
from eleven.tensors import Float, Tensor

BLOCK = 1 << 18
"""Elements of a block: a mebibyte of float32."""

Span = tuple[slice, slice]
Add = Callable[[Tensor, Span], object]
"""Adds these rows and columns of the delta to a block."""


@dataclass(frozen=True)
class Stored:
    """A tensor of a file that is being rewritten, and its position in the new file."""

    container: Container
    key: str
    position: int

    @property
    def entry(self) -> Entry:
        """Type and shape."""
        return self.container.entries[self.key]


def copy(stored: Stored, stream: Stream) -> None:
    """Copies the tensor bit for bit."""
    done = 0
    for piece in stream.room(stored.position, bytes_of(stored.entry)):
        done += stored.container.read_into(stored.key, piece.numpy().data, done)


def patch(stored: Stored, delta: Delta, stream: Stream) -> float:
    """Writes stored + delta in the stored type, and returns the squared norm of what rounding lost.

    A type as wide as the sums would hide its own rounding, so that one is summed in float64.
    """
    dtype = torch_type(stored.entry.dtype) or torch.float32
    wide = torch.float64 if dtype.itemsize > 2 else torch.float32
    size = dtype.itemsize
    most = min(BLOCK, prod(delta.shape))
    exact, again, raw = torch.empty(most, dtype=wide), torch.empty(most, dtype=wide), torch.empty(most, dtype=dtype)
    bytes_of_raw, add = raw.view(torch.uint8).numpy().data, adding(delta, wide)
    missed, start = 0.0, 0
    for count, shape, span in spans(delta.shape, most):
        block = exact[:count]
        stored.container.read_into(stored.key, bytes_of_raw[: count * size], start)
        add(block.copy_(raw[:count]).view(shape), span)
        for piece in stream.room(stored.position + start, count * size):
            new = piece.view(dtype)
            asked, block = block[: len(new)], block[len(new) :]
            missed += squared(again[: len(new)].copy_(new.copy_(asked)).sub_(asked))
        start += count * size
    return missed


def spans(shape: tuple[int, int], most: int) -> Iterator[tuple[int, tuple[int, int], Span]]:
    """A matrix as pieces of whole rows, or of parts of one row where it is too long: size, shape, and place."""
    rows, columns = shape
    step, width = max(1, most // columns), min(columns, most)
    for row in range(0, rows, step):
        for column in range(0, columns, width):
            piece = min(step, rows - row), min(width, columns - column)
            yield piece[0] * piece[1], piece, (slice(row, row + piece[0]), slice(column, column + piece[1]))


def adding(delta: Delta, wide: torch.dtype) -> Add:
    """How a piece of the delta is added: as a product of factors, or from the matrix where it has none."""
    both = (delta.up, delta.down) if isinstance(delta, LowRank) else delta.factors()
    if both is not None:
        up, down = (factor.to(wide) for factor in both)
        return lambda block, at: block.addmm_(up[at[0]], down[:, at[1]])
    matrix = delta.dense()
    return lambda block, at: block.add_(matrix[at])


def squared(block: Float[Tensor, " n"]) -> float:
    """The squared norm; infinite or NaN where a number overflowed."""
    return float(torch.dot(block, block))


def size_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """A stored tensor as the matrix that its delta is."""
    return (shape[0], prod(shape[1:])) if shape else (1, 1)
