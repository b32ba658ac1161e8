"""Whether tensors hold NaN, infinity or nothing but zeros: found from their bits, without torch or conversion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from eleven.files.container import Container, Entry
from eleven.files.dtypes import BITS, bytes_of

if TYPE_CHECKING:
    import numpy as np

CHUNK = 1 << 20
THREADS, SHARE = 2, 100
FIRST_NOT_FINITE = {
    "F64": 0x7FF0_0000_0000_0000,
    "F32": 0x7F80_0000,
    "F16": 0x7C00,
    "BF16": 0x7F80,
    "F8_E5M2": 0x7C,
    "F8_E4M3": 0x7F,
}
"""The smallest positive bit pattern that is no number: infinity, or NaN where a type has no infinity."""


@dataclass(frozen=True, slots=True)
class Values:
    """`finite` is None for the rare types whose NaN has no rule here; integers are finite; -0 is zero; () is zero."""

    finite: bool | None
    zero: bool


def scan_values(container: Container) -> Iterator[tuple[str, Values]]:
    """Every tensor's key with what its values are, in file order; two threads read, each a mebibyte at a time."""
    from concurrent.futures import ThreadPoolExecutor

    keys = list(container.entries)
    shares = [keys[start : start + SHARE] for start in range(0, len(keys), SHARE)]
    with ThreadPoolExecutor(THREADS) as pool:
        for found in pool.map(partial(_scan, container), shares):
            yield from found


def _scan(container: Container, keys: Sequence[str]) -> list[tuple[str, Values]]:
    import numpy as np

    buffer = np.empty(CHUNK, np.uint8)
    return [(key, _values(container, key, container.entries[key], buffer)) for key in keys]


def _values(container: Container, key: str, entry: Entry, buffer: np.ndarray) -> Values:
    """The extremes of the bits, as signed and as unsigned numbers, tell both halves of a float's range."""
    width = max(8, BITS[entry.dtype] if entry.dtype in FIRST_NOT_FINITE else 8)
    limit, sign = FIRST_NOT_FINITE.get(entry.dtype, 1 << 64), 1 << (width - 1)
    size, finite, zero, view = bytes_of(entry), True, True, buffer.data
    for start in range(0, size, CHUNK):
        got = container.read_into(key, view[: size - start], start)
        bits = buffer[:got]
        highest = int(bits.view(f"u{width // 8}").max())
        positive = int(bits.view(f"i{width // 8}").max())
        finite = finite and positive < limit and highest < sign + limit
        zero = zero and (highest == 0 or (limit < sign and positive <= 0 and highest <= sign))
    return Values(finite if _has_rule(entry.dtype) else None, zero)


def _has_rule(dtype: str) -> bool:
    return dtype in FIRST_NOT_FINITE or dtype[0] in "IUB"
