"""Adding a delta to one stored tensor: blocks of rows that fit the processor's cache, float32 sums, one rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch

from eleven.delta import Delta, LowRank
from eleven.exports.streaming import BUFFER, Stream
from eleven.files.container import Container, Entry
from eleven.files.dtypes import bytes_of, torch_type
from eleven.tensors import Float, Tensor

BLOCK = 1 << 18
"""Elements of a block: a mebibyte of float32."""

Add = Callable[[Tensor, int, int], object]
"""Adds these rows of the delta to a block."""


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
    size = bytes_of(stored.entry)
    for start in range(0, size, BUFFER):
        buffer = stream.lend()
        count = stored.container.read_into(stored.key, buffer.numpy().data[: size - start], start)
        stream.send(stored.position + start, buffer, count)


def patch(stored: Stored, delta: Delta, stream: Stream) -> float:
    """Writes stored + delta in the stored type, and returns the squared norm of what rounding lost."""
    dtype = torch_type(stored.entry.dtype) or torch.float32
    rows, columns = delta.shape
    step = min(rows, max(1, min(BLOCK, BUFFER // dtype.itemsize) // columns))
    exact, again, raw = torch.empty(step, columns), torch.empty(step, columns), torch.empty(step, columns, dtype=dtype)
    width, add, missed = columns * dtype.itemsize, adding(delta), 0.0
    for start in range(0, rows, step):
        count = min(step, rows - start)
        block, back, old = exact[:count], again[:count], raw[:count]
        stored.container.read_into(stored.key, old.view(torch.uint8).numpy().reshape(-1).data, start * width)
        add(block.copy_(old), start, start + count)
        buffer = stream.lend()
        new = buffer[: count * width].view(dtype).view(count, columns).copy_(block)
        missed += squared(back.copy_(new).sub_(block))
        stream.send(stored.position + start * width, buffer, count * width)
    return missed


def adding(delta: Delta) -> Add:
    """How rows of the delta are added: as a product of factors, or from the matrix where it has none."""
    both = (delta.up, delta.down) if isinstance(delta, LowRank) else delta.factors()
    if both is not None:
        up, down = both
        return lambda block, start, stop: block.addmm_(up[start:stop], down)
    matrix = delta.dense()
    return lambda block, start, stop: block.add_(matrix[start:stop])


def squared(block: Float[Tensor, "rows columns"]) -> float:
    """The squared Frobenius norm; infinite where a number overflowed."""
    flat = block.view(-1)
    return float(torch.dot(flat, flat))


def size_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """A stored tensor as the matrix that its delta is."""
    return (shape[0], prod(shape[1:])) if shape else (1, 1)
